// Teams: the threads of a block that work together on one row. A team is 1, 2, 4, .. or 32 neighbouring lanes of
// a warp, and threadIdx.y numbers the teams of a block; or it is a whole block of several warps. blockDim.x is
// its size.
#pragma once

#include "core/math.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

constexpr int kTeamThreads = 256;  // of a block

/// Block of teams that have at least one thread for every `items_per_thread` items of a row, up to a warp; rows
/// of more than 32 lanes can hold get a block.
inline Dim3 team_shape(int64_t items, int64_t items_per_thread) {
  if (items > 32 * items_per_thread) return {kTeamThreads, 1, 1};
  unsigned lanes = 1;
  while (lanes < 32 && lanes * items_per_thread < items) lanes *= 2;
  return {lanes, kTeamThreads / lanes, 1};
}

/// Blocks for `rows` teams.
inline unsigned team_blocks(const char* name, int64_t rows, const Dim3& block) {
  const int64_t blocks = (rows + block.y - 1) / block.y;
  TENON_CHECK(blocks <= 0x7fffffff, name, ": ", rows, " rows are too many for one launch");
  return static_cast<unsigned>(blocks);
}

/// Joins the values of a team in a tree of fixed order; every thread gets the result. All threads of the block
/// must call it. `join` is commutative.
template <class A, class Join>
__device__ A across_team(A value, Join join) {
  const int lanes = blockDim.x < 32 ? static_cast<int>(blockDim.x) : 32;
  for (int step = lanes / 2; step > 0; step /= 2)
    value = join(value, __shfl_xor_sync(0xffffffffu, value, step));
  if (blockDim.x <= 32) return value;
  TENON_SHARED(A, of_warp, kTeamThreads / 32);
  __syncthreads();  // the array may still be read from the call before
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  A all = of_warp[0];
  for (unsigned w = 1; w < blockDim.x / 32; ++w) all = join(all, of_warp[w]);
  return all;
}

struct Plus {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a + b;
  }
};

struct Largest {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return math::maximum(a, b);
  }
};

}  // namespace tenon::cuda
