// Host entries of the convolution kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/conv.h. An operand may hold up to 2^31 - 1 elements; more throws Error.
#pragma once

#include "core/cpu/conv.h"

namespace tenon::cuda {

void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias,
          const void* residual);
void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight);
void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x);

}  // namespace tenon::cuda
