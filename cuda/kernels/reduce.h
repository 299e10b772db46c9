// Host entries of the reduction CUDA kernels: the same signatures as core/cpu/reduce.h, pointers to device memory.
#pragma once

#include "core/cpu/reduce.h"

namespace tenon::cuda {

void reduce(Reduce op, const ReduceLoop& loop, DType dtype, void* y, const void* x, double scale);
void reduce_with_index(Reduce op, const ReduceLoop& loop, DType dtype, void* y, int64_t* indices, const void* x);

}  // namespace tenon::cuda
