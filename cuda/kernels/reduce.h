// Host entries of the reduce kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/reduce.h, the accumulation types included.
#pragma once

#include <cstdint>

#include "core/cpu/reduce.h"

namespace tenon::cuda {

void reduce(Reduce op, const ReduceLoop& loop, DType dtype, void* y, const void* x, double scale);
void reduce_with_index(Reduce op, const ReduceLoop& loop, DType dtype, void* y, int64_t* indices,
                       const void* x);

}  // namespace tenon::cuda
