// Ops that pick, place, join, pad and order elements. Indices are int64, count from 0, and are refused when
// out of range (the error names op, index and extent). Values are of any dtype unless said otherwise. All
// throw Error on undefined tensors, axes out of range, mixed dtypes or devices, and shapes that do not fit.
// On the CUDA device the check of indices, and the counts of nonzero and masked_select, wait for the device.
#pragma once

#include <utility>
#include <vector>

#include "core/tensor.h"

namespace tenon {

// ---- picking and placing (index.cpp)
// ---------------------------------------------------------------------------
/// y[.., i, ..] = x[.., index[.., i, ..], ..] along `axis`; the result has the shape of `index`, which has
/// the extents of x on every other axis.
Tensor gather(const Tensor& x, int64_t axis, const Tensor& index);
/// The transpose of gather: zeros with `extent` places along `axis`, to which source[.., i, ..] is added at
/// index[.., i, ..]. Sums are taken in order, in float64 for floats.
Tensor scatter_add(const Tensor& source, int64_t axis, const Tensor& index, int64_t extent);
/// Slices of x along `axis` in the order of `index` (any rank): its shape takes the place of the axis. With
/// axis 0 of a matrix this is the look-up of an embedding.
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index);
/// The transpose of index_select: zeros with `extent` places along `axis`, to which the slices of `source`
/// are added. `source` has the axes of `index` where the result has `axis`. Sums as in scatter_add.
Tensor index_add(const Tensor& source, int64_t axis, const Tensor& index, int64_t extent);
/// 1 at [.., index[..]] and 0 elsewhere; the new last axis has extent `classes`.
Tensor one_hot(const Tensor& index, int64_t classes, DType dtype = float32);
/// x with `value` where the uint8 mask, which broadcasts to the shape of x, is not 0.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);
/// The elements of x, in row-major order, where the mask (as in masked_fill) is not 0: [count].
Tensor masked_select(const Tensor& x, const Tensor& mask);
/// Row-major positions of the elements that are not 0, ascending: int64 [count]. NaN is not 0.
Tensor nonzero(const Tensor& x);
/// How many elements are not 0.
int64_t count_nonzero(const Tensor& x);

// ---- joining, padding, turning (index_layout.cpp)
// ----------------------------------------------------------------
/// Tensors one after the other along `axis`, on which alone they may differ. At least one.
Tensor cat(const std::vector<Tensor>& tensors, int64_t axis);
/// Tensors of one shape side by side along a new axis. At least one.
Tensor stack(const std::vector<Tensor>& tensors, int64_t axis);
/// x with before[i] and after[i] (>= 0) places of `value` around axis i; both lists have one entry an axis.
Tensor pad(const Tensor& x, const Dims& before, const Dims& after, double value = 0);
/// Likewise, mirrored at the first and last element, which are not repeated: each padding is smaller than its
/// extent.
Tensor pad_reflect(const Tensor& x, const Dims& before, const Dims& after);
/// Likewise, repeating the first and last element.
Tensor pad_replicate(const Tensor& x, const Dims& before, const Dims& after);
/// The order of elements reversed along each of `axes`.
Tensor flip(const Tensor& x, const Dims& axes);
/// Elements moved shifts[i] places up axes[i] (down if negative); what leaves at one end enters at the other.
Tensor roll(const Tensor& x, const Dims& axes, const Dims& shifts);

// ---- order along one axis (index_order.cpp)
// ---------------------------------------------------------------------- NaN counts as larger than every
// number: last in ascending order, first in descending. Equal elements keep their order.

/// Sorted values, and where they stood (int64).
std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t axis = -1, bool descending = false);
/// Where the sorted values stood.
Tensor argsort(const Tensor& x, int64_t axis = -1, bool descending = false);
/// The first k of the sorted values, and where they stood: largest first, or smallest first. 0 <= k <=
/// extent.
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis = -1, bool largest = true);
/// y[i] = x[0] + ... + x[i], or x[i] + ... + x[n - 1] if `reverse`. Floats accumulate in float64, integers
/// wrap around.
Tensor cumsum(const Tensor& x, int64_t axis, bool reverse = false);

}  // namespace tenon
