// What the two kernels share that keep a patch of the image in shared memory, where all taps read it (conv_window.h,
// conv_window_gradient.h).
#pragma once

#include "cuda/kernels/linear.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

constexpr int kWindowThreads = 256;
constexpr int kWindowColumns = 4;             // positions of a thread
constexpr int kWindowShared = 48 * 1024 / 4;  // words of shared memory that every card gives a block

/// A line of the patch as a thread sees it: kCount values from `at`, which is aligned for four.
template <int kCount>
__device__ void read_window(float (&x)[kCount], const float* at) {
  static_assert(kCount == 4 || kCount == 6 || kCount == 8);
  const auto first = *reinterpret_cast<const Neighbours<float, 4>*>(at);
  for (int i = 0; i < 4; ++i) x[i] = first.v[i];
  if constexpr (kCount > 4) {
    const auto rest = *reinterpret_cast<const Neighbours<float, kCount - 4>*>(at + 4);
    for (int i = 4; i < kCount; ++i) x[i] = rest.v[i - 4];
  }
}

/// Taps along y and x for which there are kernels.
inline bool has_window_kernel(const int (&taps)[3]) {
  const auto is = [&](int y, int x) { return taps[1] == y && taps[2] == x; };
  return is(3, 3) || is(1, 3) || is(3, 1) || is(5, 5);
}

}  // namespace tenon::cuda
