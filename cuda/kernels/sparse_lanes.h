// Several neighbouring columns in a lane: what the sparse products load, store and choose in common.
#pragma once

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// kCount elements that are loaded and stored at once.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Lane {
  T at[kCount];
};

/// Elements a lane may take at a time, up to `most`: 16 bytes at most, every row aligned to them (`steps`
/// elements apart), and no more than give each of the 32 lanes some of the n columns.
template <class T>
int elements_per_lane(int most, int64_t n, std::initializer_list<const void*> rows,
                      std::initializer_list<int64_t> steps) {
  int count = std::min<int>(most, 16 / sizeof(T));
  auto fits = [&](int c) {
    if (n % c != 0 || n < 32 * c) return false;
    for (const void* row : rows)
      if (reinterpret_cast<uintptr_t>(row) % (sizeof(T) * static_cast<size_t>(c)) != 0) return false;
    for (int64_t step : steps)
      if (step % c != 0) return false;
    return true;
  };
  while (count > 1 && !fits(count)) count /= 2;
  return count;
}

/// The sum over the 32 lanes of a warp, in a tree; every lane gets it.
template <class T>
__device__ T sum_of_warp(T value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

}  // namespace tenon::cuda
