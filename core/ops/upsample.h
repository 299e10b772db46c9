// Resizing of images and volumes [N, C, L], [N, C, H, W], [N, C, D, H, W] to any extents, larger or smaller
// (no filter is applied first where they are smaller). `size` holds the extents behind N and C. float32 or
// float64; results keep the memory order. The maps are linear: each backward is the transposed map, of which
// the gradient is the map again. All throw Error on undefined tensors, other ranks and dtypes, and extents
// below 1.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// The extents behind N and C of x, each times `scale` and rounded down.
Dims scaled_size(const Tensor& x, double scale);

/// Element j of an axis is element floor(j n_in / n_out) of x.
Tensor upsample_nearest(const Tensor& x, const Dims& size);
/// g has the extents that x was resized to, `size` those of x.
Tensor upsample_nearest_backward(const Tensor& g, const Dims& size);

/// Linear, bilinear or trilinear by rank. With align_corners the first and the last elements of an axis stay
/// where they are, else elements are cells of equal width and borders meet (positions: core/cpu/upsample.h).
Tensor upsample_linear(const Tensor& x, const Dims& size, bool align_corners = false);
Tensor upsample_linear_backward(const Tensor& g, const Dims& size, bool align_corners = false);

}  // namespace tenon
