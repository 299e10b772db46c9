// Convolutions on Variables: as core/ops/conv.h, recorded.
#pragma once

#include "autograd/variable.h"
#include "core/ops/conv.h"

namespace tenon {

Variable conv(const Variable& x, const Variable& weight, const Variable& bias = {},
              const ConvOptions& options = {}, Epilogue epilogue = Epilogue::none,
              const Variable& residual = {});
Variable conv_backward_input(const Variable& g, const Variable& weight, const Dims& in,
                             const ConvOptions& options = {});
Variable conv_backward_weight(const Variable& g, const Variable& x, const Dims& kernel,
                              const ConvOptions& options = {});
Variable conv_transpose(const Variable& x, const Variable& weight, const Variable& bias = {},
                        const ConvOptions& options = {}, const Dims& output_padding = {});

/// The gradient of a bias: g [N, C, *spatial] summed over all axes but the channels.
Variable sum_over_positions(const Variable& g);

}  // namespace tenon
