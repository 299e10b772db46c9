// Host entries of the pooling kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/pool.h, errors of the index included.
#pragma once

#include "core/cpu/pool.h"

namespace tenon::cuda {

void max_pool(const PoolPlan& plan, DType dtype, void* y, int32_t* index, const void* x);
void max_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g, const int32_t* index);
void max_pool_gather(const PoolPlan& plan, DType dtype, void* y, const void* x, const int32_t* index);
void avg_pool(const PoolPlan& plan, DType dtype, void* y, const void* x);
void avg_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g);

}  // namespace tenon::cuda
