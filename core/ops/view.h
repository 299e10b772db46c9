// Ops around views. The views of one tensor (reshape, permute, slice, expand) are methods of Tensor; here are
// the one that their gradients need, and the one that gives several views.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tenon {

/// Zeros of `shape` with x written to `slice(axis, start, stop, step)` of it: the transpose of Tensor::slice.
/// Any dtype. Throws if that slice does not have the shape of x.
Tensor slice_scatter(const Tensor& x, const Shape& shape, int64_t axis, int64_t start, int64_t stop,
                     int64_t step = 1);

/// Views of neighbouring parts of x along `axis`, sizes[i] long. Any dtype. Throws if the sizes (>= 0) do not
/// add up to the extent.
std::vector<Tensor> split(const Tensor& x, int64_t axis, const std::vector<int64_t>& sizes);

}  // namespace tenon
