// The columns of deformable convolutions in two axes, version 1 (Dai et al., Deformable Convolutional Networks, 2017,
// equations 1 to 4) and version 2, with a mask (Zhu et al., Deformable ConvNets v2, 2019, equation 1). A
// convolution is the product of its weight with them: deform_conv in autograd/ops/deformable.h.
//
// x [N, C, H, W]; `offset` [N, 2 taps, *out] moves each tap (row-major) of each position, first down, then right;
// `mask` [N, taps, *out] scales what it sees, and may be undefined for ones. One group. out as in conv. A sample is
// bilinear, and elements outside x are 0. float32 or float64. All throw Error on operands that do not fit together.
#pragma once

#include <utility>

#include "core/ops/conv.h"
#include "core/tensor.h"

namespace tenon {

/// -> row-major [N, C * taps, positions].
Tensor deformable_columns(const Tensor& x, const Tensor& offset, const Tensor& mask, const Dims& kernel,
                          const ConvOptions& options = {});

/// Its gradient for x of spatial extents `in`: g [N, C * taps, positions] -> row-major [N, C, *in]. On the device the
/// samples are sorted by the element that they touch, which takes some 200 bytes a tap and position.
Tensor deformable_columns_backward_input(const Tensor& g, const Tensor& offset, const Tensor& mask,
                                         const Dims& in, const Dims& kernel, const ConvOptions& options = {});

/// Its gradients for `offset` and `mask`; the second is undefined if `mask` is. Where a sample stands on an element the
/// slope to the right and below counts.
std::pair<Tensor, Tensor> deformable_columns_backward_offset(const Tensor& g, const Tensor& x,
                                                             const Tensor& offset, const Tensor& mask,
                                                             const Dims& kernel,
                                                             const ConvOptions& options = {});

}  // namespace tenon
