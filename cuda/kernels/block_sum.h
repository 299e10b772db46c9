// Sums over the threads of a block, in an order that depends on the block's size alone.
#pragma once

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// The sum of the `value`s of all threads of a one-dimensional block, to all of them: a tree over `part`,
/// shared memory for blockDim.x of them. blockDim.x is a power of two; every thread of the block must call.
template <class A>
__device__ A block_sum(A value, A* part) {
  __syncthreads();  // the sum before may still be read
  part[threadIdx.x] = value;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
  }
  __syncthreads();
  return part[0];
}

}  // namespace tenon::cuda
