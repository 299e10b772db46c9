// Ops around views. The views themselves (reshape, permute, slice, expand) are methods of Tensor; here is the
// one that their gradients need.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// Zeros of `shape` with x written to `slice(axis, start, stop, step)` of it: the transpose of Tensor::slice.
/// Any dtype. Throws if that slice does not have the shape of x.
Tensor slice_scatter(const Tensor& x, const Shape& shape, int64_t axis, int64_t start, int64_t stop,
                     int64_t step = 1);

}  // namespace tenon
