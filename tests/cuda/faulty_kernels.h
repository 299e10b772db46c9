// Kernels with one fault each, for the checkers of the emulation to find (tests/cuda/faults_test.cpp). Before each
// stands what is wrong with it. Lines that take part in a race end in `// races`, lines that read what they must
// not in `// reads beyond`; reports must name them.
#pragma once

#include "cuda/runtime/kernel.h"

namespace tenon::cuda::faulty {

// ---- faults of order --------------------------------------------------------------------------------------

// A tree sum without barriers: a thread adds what its partner has not written yet.
__global__ inline void sum_without_barrier(const float* x, float* sums, int n) {
  TENON_SHARED(float, part, 256);
  const unsigned t = threadIdx.x;
  const unsigned i = blockIdx.x * blockDim.x + t;
  part[t] = i < static_cast<unsigned>(n) ? x[i] : 0.0f;  // races
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2)
    if (t < half) part[t] += part[t + half];  // races
  if (t == 0) sums[blockIdx.x] = part[0];
}

// [round]
// Lacks the second barrier of a loop: a fast thread writes the next round's value over one still to be read.
__global__ inline void round_without_second_barrier(int* out, int rounds) {
  TENON_SHARED(int, tile, 64);
  const int t = static_cast<int>(threadIdx.x);
  int sum = 0;
  for (int round = 0; round < rounds; ++round) {
    tile[t] = t + round;  // races
    __syncthreads();
    sum += tile[63 - t];  // races
  }
  out[t] = sum;
}
// [/round]

// [shuffle]
// Takes a shuffle for a barrier: it moves a value between lanes, and orders no memory.
__global__ inline void shuffle_as_barrier(int* out) {
  TENON_SHARED(int, tile, 32);
  const unsigned t = threadIdx.x;
  tile[t] = static_cast<int>(t);  // races
  __shfl_sync(0xffffffffu, 0, 0);
  out[t] = tile[31 - t];  // races
}
// [/shuffle]

// Every block adds to the same sum in global memory; blocks have no order.
__global__ inline void sum_over_blocks(int* sum) {
  if (threadIdx.x == 0) *sum += static_cast<int>(blockIdx.x);  // races
}

// Reads what the block before has written to global memory; there is no block before.
__global__ inline void after_the_block_before(int* out) {
  const unsigned b = blockIdx.x;
  if (threadIdx.x == 7) out[b] = b == 0 ? 1 : out[b - 1] + 1;  // races
}

// ---- faults of place --------------------------------------------------------------------------------------

// With at = 10, reads behind the last of 10 values in global memory.
__global__ inline void read_global(const int* x, int* y, int at) {
  *y = x[at];  // reads beyond
}

// With at = 10, reads behind the last of 10 values in shared memory, where another array is not far.
__global__ inline void read_shared(int* y, int at) {
  TENON_SHARED(int, tile, 10);
  TENON_SHARED(int, other, 10);
  tile[at % 10] = other[at % 10] = at;
  *y = tile[at];  // reads beyond
}

// With at = the last of dynamic shared memory's floats plus one, reads beyond it.
__global__ inline void read_dynamic_shared(float* y, unsigned count, unsigned at) {
  TENON_DYNAMIC_SHARED(float, tile);
  for (unsigned i = 0; i < count; ++i) tile[i] = 1;
  *y = tile[at];  // reads beyond
}

// Turns a block's values around, and forgets to write one of them: its reader gets what was there.
__global__ inline void one_value_unwritten(const float* x, float* y) {
  TENON_DYNAMIC_SHARED(float, tile);
  const unsigned t = threadIdx.x, base = blockIdx.x * blockDim.x;
  if (t + 1 < blockDim.x) tile[t] = x[base + t];
  __syncthreads();
  y[base + t] = tile[blockDim.x - 1 - t];
}

// More shared memory than a block has.
__global__ inline void too_much_shared() {
  TENON_SHARED(double, tile, 8192);
  tile[threadIdx.x] = 0;
}

// 16 KB of static shared memory beside what the launch asks for.
__global__ inline void static_beside_dynamic_shared() {
  TENON_SHARED(double, tile, 2048);
  TENON_DYNAMIC_SHARED(double, more);
  more[threadIdx.x] = tile[threadIdx.x] = 0;
}

// ---- faults of asynchronous copies ------------------------------------------------------------------------

// Ends without a wait for its copies.
__global__ inline void copy_without_wait(const float* x) {
  TENON_SHARED(float, tile, 32);
  copy_async(tile + threadIdx.x, x + threadIdx.x);
  commit_copies();
}

// Copies 8 bytes from an address that is aligned to 4.
__global__ inline void copy_misaligned(const float* x) {
  TENON_SHARED(double, tile, 4);
  copy_async(tile, reinterpret_cast<const double*>(x + 1));
}

// ---- faults of rendezvous ---------------------------------------------------------------------------------

// One thread returns before the barrier that the others wait at.
__global__ inline void early_return(unsigned leaver) {
  if (threadIdx.x == leaver) return;
  __syncthreads();
}

// Two warps wait at two different barriers.
__global__ inline void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

// A lane that the mask names does not come.
__global__ inline void missing_lane(int* out) {
  int value = 1;
  if (threadIdx.x != 37) value = __shfl_xor_sync(0xffffffffu, value, 1);
  out[threadIdx.x] = value;
}

// A warp waits at a collective for a lane that waits at the block's barrier for the warp.
__global__ inline void crossed(int* out) {
  if (threadIdx.x == 5) __syncthreads();
  out[threadIdx.x] = static_cast<int>(__ballot_sync(0xffffffffu, true));
  if (threadIdx.x != 5) __syncthreads();
}

// Reads from a lane that the mask leaves out.
__global__ inline void foreign_lane(int* out) { out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 20); }

// A full mask in a warp that the block does not fill (launched with 24 threads).
__global__ inline void partial_warp(int* out) {
  out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, static_cast<int>(threadIdx.x), 1);
}

}  // namespace tenon::cuda::faulty
