// Pooling over 1, 2 or 3 spatial axes, taken from the tensor: x is [N, C, *in]. float32 or float64. Results
// keep the order of axes of their input if that is channels last; otherwise they are row-major. All throw
// Error on extents that do not fit together; messages carry the rank: "max_pool2d: ...".
#pragma once

#include <utility>

#include "core/tensor.h"

namespace tenon {

/// Per spatial axis; an empty list means the default for all, a single value is used for all.
struct PoolOptions {
  Dims kernel = {};        ///< >= 1; must be given
  Dims stride = {};        ///< >= 1; default: the kernel
  Dims padding = {};       ///< on both sides, at most half of the kernel; default 0
  Dims dilation = {};      ///< steps between taps, >= 1; default 1; max_pool only
  bool ceil_mode = false;  ///< keep a last window that reaches beyond the padded input, if it starts within
  bool count_include_pad = true;  ///< averages divide by padded places too; avg_pool only
};

/// Largest element of each window, [N, C, *out], and its position in the row-major spatial block of the input
/// as int32. Of equal elements the first counts, and NaN is larger than any. Padding never wins. out =
/// floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1; with ceil_mode rounded up.
std::pair<Tensor, Tensor> max_pool(const Tensor& x, const PoolOptions& options);
/// The same over windows that share the input evenly: from floor(o in / out) up to ceil((o + 1) in / out).
std::pair<Tensor, Tensor> adaptive_max_pool(const Tensor& x, const Dims& out);
/// Gradient of both for their input of spatial extents `in`: zeros, with g [N, C, *out] added at `index`.
Tensor max_pool_backward(const Tensor& g, const Tensor& index, const Dims& in);
/// The transpose of max_pool_backward: x [N, C, *in] read at `index` [N, C, *out] -> [N, C, *out].
Tensor max_pool_gather(const Tensor& x, const Tensor& index);

/// Mean of each window, [N, C, *out].
Tensor avg_pool(const Tensor& x, const PoolOptions& options);
/// Its gradient for an input of spatial extents `in`: g [N, C, *out] -> [N, C, *in].
Tensor avg_pool_backward(const Tensor& g, const Dims& in, const PoolOptions& options);
/// Mean of windows that share the input evenly, as in adaptive_max_pool.
Tensor adaptive_avg_pool(const Tensor& x, const Dims& out);
Tensor adaptive_avg_pool_backward(const Tensor& g, const Dims& in);

/// Mean over all spatial axes: [N, C, *in] -> [N, C, 1, ...].
Tensor global_avg_pool(const Tensor& x);

}  // namespace tenon
