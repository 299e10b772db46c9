// Ops of core/ops/deformable.h on Variables, and the convolution that they make.
#pragma once

#include "autograd/variable.h"
#include "core/ops/deformable.h"

namespace tenon {

Variable deformable_columns(const Variable& x, const Variable& offset, const Variable& mask,
                            const Dims& kernel, const ConvOptions& options = {});
Variable deformable_columns_backward_input(const Variable& g, const Variable& offset, const Variable& mask,
                                           const Dims& in, const Dims& kernel,
                                           const ConvOptions& options = {});

/// Deformable convolution: y[n, o, p] = bias[o] + sum_{c, t} weight[o, c, t] columns[n, (c, t), p], with weight
/// [O, C, *kernel], bias [O] or undefined -> [N, O, *out]. Version 1 without a mask; with one, version 2. The columns, taps
/// times as large as the result of C channels, are kept for the gradient of the weight (autograd/checkpoint.h
/// computes them again instead). Once differentiable.
Variable deform_conv(const Variable& x, const Variable& offset, const Variable& mask, const Variable& weight,
                     const Variable& bias = {}, const ConvOptions& options = {});

}  // namespace tenon
