// Convolutions over 1, 2 or 3 spatial axes, taken from the tensors: x is [N, C, *spatial]. As everywhere in
// the field they are cross-correlations. float32 or float64; operands share dtype and device. Results keep
// the order of axes of their image operand if that is channels last; otherwise they are row-major. All throw
// Error on extents that do not fit together; messages carry the rank: "conv3d: ...".
//
// On the CPU, float32 kernels with three taps along an axis run by minimal filtering where that is faster
// (core/cpu/conv_winograd.h): rounding errors are up to twice those of plain sums, and an infinity among the inputs makes
// neighbouring outputs NaN. float64 sums plainly.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// Per spatial axis; an empty list means the default for all, a single value is used for all.
struct ConvOptions {
  Dims stride = {};    ///< >= 1; default 1
  Dims padding = {};   ///< zeros on both sides, >= 0; default 0
  Dims dilation = {};  ///< steps between taps, >= 1; default 1
  int64_t groups = 1;  ///< channels are cut into so many independent groups
};

/// What a product does with its sums before it writes them.
enum class Epilogue { none, relu };

/// y[n, o, p] = epilogue(bias[o] + residual[n, o, p]
///                       + sum_{c, k} weight[o, c, k] x[n, c, p * stride + k * dilation - padding]).
/// x [N, C, *in], weight [O, C / groups, *kernel], bias [O] or undefined, residual [N, O, *out] or undefined
/// -> [N, O, *out], out = floor((in + 2 padding - dilation (kernel - 1) - 1) / stride) + 1.
Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const ConvOptions& options = {},
            Epilogue epilogue = Epilogue::none, const Tensor& residual = {});

/// Gradient of conv for its input of spatial extents `in`: g [N, O, *out], weight -> [N, C, *in].
Tensor conv_backward_input(const Tensor& g, const Tensor& weight, const Dims& in,
                           const ConvOptions& options = {});

/// Gradient of conv for its weight of extents `kernel`: g [N, O, *out], x [N, C, *in] -> [O, C / groups,
/// *kernel].
Tensor conv_backward_weight(const Tensor& g, const Tensor& x, const Dims& kernel,
                            const ConvOptions& options = {});

/// Transposed convolution: x [N, C, *in], weight [C, O / groups, *kernel], bias [O] or undefined -> [N, O,
/// *out], out = (in - 1) stride - 2 padding + dilation (kernel - 1) + 1 + output_padding, with 0 <=
/// output_padding < stride or dilation. It is conv_backward_input with a bias.
Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                      const ConvOptions& options = {}, const Dims& output_padding = {});

/// Extents of the result of conv_transpose; checks its arguments.
Dims conv_transpose_extents(const Tensor& x, const Tensor& weight, const ConvOptions& options,
                            const Dims& output_padding);

}  // namespace tenon
