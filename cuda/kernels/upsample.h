// Host entries of the upsampling kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/upsample.h.
#pragma once

#include "core/cpu/upsample.h"

namespace tenon::cuda {

void resample(Resample mode, const ResampleBlock& block, DType dtype, void* y, const void* x);
void resample_transposed(Resample mode, const ResampleBlock& block, DType dtype, void* dx, const void* g);

}  // namespace tenon::cuda
