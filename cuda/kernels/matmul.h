// Host entry of the matmul CUDA kernel: the same signature as core/cpu/matmul.h, pointers to device memory.
#pragma once

#include "core/cpu/matmul.h"

namespace tenon::cuda {

void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b);

}  // namespace tenon::cuda
