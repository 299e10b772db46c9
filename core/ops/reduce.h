// Reductions over any axes. `axes` empty means all; `keep` leaves reduced axes in place with extent 1.
// All throw Error on undefined tensors, axes out of range or named twice, and dtypes they do not take.
#pragma once

#include <utility>

#include "core/tensor.h"

namespace tenon {

/// Sum, same dtype as x (any). float32 accumulates in float64, integers in int64. Over no elements: 0.
Tensor sum(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// float32 or float64. Throws if it would average over no elements.
Tensor mean(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Largest, smallest element; any dtype; NaN if any is NaN. Throws over no elements.
Tensor amax(const Tensor& x, const Dims& axes = {}, bool keep = false);
Tensor amin(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Extreme along one axis, and its first index as int64 (of the first NaN, if there is one). Throws over no
/// elements.
std::pair<Tensor, Tensor> max_with_index(const Tensor& x, int64_t axis, bool keep = false);
std::pair<Tensor, Tensor> min_with_index(const Tensor& x, int64_t axis, bool keep = false);
/// sum (x - mean)^2 / (count - correction), in two passes; float32 or float64. Throws if count <= correction.
Tensor variance(const Tensor& x, const Dims& axes = {}, bool keep = false, int64_t correction = 0);
/// sum |x|, float32 or float64.
Tensor norm1(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// sqrt(sum x^2), float32 or float64.
Tensor norm2(const Tensor& x, const Dims& axes = {}, bool keep = false);
/// Sums x down to `shape`, undoing a broadcast: what the gradient of a broadcast operand needs.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace tenon
