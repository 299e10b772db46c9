// Matrix products.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// Product over the last two axes: [..., m, k] x [..., k, n] -> [..., m, n], row-major; leading axes
/// broadcast. Transposed views are used as they are (`matmul(x, w.t())` copies nothing). float32 or float64.
/// k = 0 gives zeros. Throws Error on rank < 2, inner extents that differ, mixed dtypes or devices.
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace tenon
