// Host entry of the convolution with a sparse weight: device pointers, otherwise the contract of
// core/cpu/sparse_conv.h.
#pragma once

#include "core/cpu/sparse_conv.h"

namespace tenon::cuda {

void sparse_conv(const SparseConvPlan& plan, DType dtype, void* y, const void* values, const void* x,
                 const void* bias);

}  // namespace tenon::cuda
