// What kernels share whose threads take elements by their number in memory.
#pragma once

#include <cstdint>
#include <limits>

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

constexpr unsigned kLinearThreads = 256;  // of a block

/// Blocks that give each of n items a thread.
inline unsigned linear_blocks(const char* name, int64_t n) {
  const int64_t blocks = (n + kLinearThreads - 1) / kLinearThreads;
  TENON_CHECK(blocks <= 0x7fffffff, name, ": ", n, " items are too many for one launch");
  return static_cast<unsigned>(blocks);
}

/// Grid that gives each of n items a thread for every `per_thread` channels, which blockIdx.y counts.
inline Dim3 linear_grid(const char* name, int64_t n, int64_t channels, int64_t per_thread) {
  const int64_t blocks = (channels + per_thread - 1) / per_thread;
  TENON_CHECK(blocks <= 65535, name, ": the CUDA kernel expects at most ", 65535 * per_thread,
              " channels, got ", channels);
  return {linear_blocks(name, n), static_cast<unsigned>(blocks)};
}

/// Number of the running thread's item.
__device__ inline int64_t linear_index() { return int64_t{blockIdx.x} * kLinearThreads + threadIdx.x; }

/// Calls f(Index{}) with the type in which kernels take n items apart into coordinates: a card divides 32-bit
/// numbers several times as fast as 64-bit ones.
template <class F>
void visit_index(int64_t n, F&& f) {
  if (n <= std::numeric_limits<int32_t>::max()) return f(uint32_t{});
  f(int64_t{});
}

/// Neighbours, read or written by one instruction if they are 16 bytes.
template <class T, int kCount_>
struct alignas(sizeof(T) * kCount_ < 16 ? sizeof(T) * kCount_ : 16) Neighbours {
  static constexpr int kCount = kCount_;
  T v[kCount];
};

/// As many as load and store as one word of 16 bytes.
template <class T>
using Pack = Neighbours<T, 16 / sizeof(T)>;

inline bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }

}  // namespace tenon::cuda
