// The kernel that gives every item of a Loop to a body: body(offset), with the operands' offsets. Neighbouring
// threads take neighbouring items, so dense operands load in full 128-byte lines. A Loop of rank 1 needs no
// division; higher ranks pay one 64-bit division per axis and item.
#pragma once

#include <algorithm>

#include "core/loop.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

template <int N, class Body>
__global__ void loop_kernel(Loop<N> loop, Body body) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < loop.numel; i += step) {
    int64_t offset[N];
    if (loop.rank == 1) {
      for (int k = 0; k < N; ++k) offset[k] = i * loop.stride[k][0];
    } else {
      loop.offsets_of(i, offset);
    }
    body(offset);
  }
}

template <int N, class Body>
void launch_loop(const char* name, const Loop<N>& loop, Body body) {
  if (loop.numel == 0) return;
  constexpr unsigned kBlock = 256;
  constexpr int64_t kPerBlock = 4 * kBlock;  // four items a thread
  const int64_t blocks = std::min<int64_t>((loop.numel + kPerBlock - 1) / kPerBlock, 1 << 20);
  launch(name, loop_kernel<N, Body>, {static_cast<unsigned>(blocks)}, {kBlock}, 0, loop, body);
}

}  // namespace tenon::cuda
