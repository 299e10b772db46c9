// Host entry of the matmul kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/matmul.h.
#pragma once

#include "core/cpu/matmul.h"

namespace tenon::cuda {

void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b);

}  // namespace tenon::cuda
