// Sums of products along contiguous memory and of lanes, in an order fixed by the length.
#pragma once

#include <cstdint>

namespace tenon::cpu {

/// x . y, in 32 lanes that g++ turns into SIMD.
template <class T>
T dot(int64_t n, const T* x, const T* y) {
  constexpr int kLanes = 32;
  T lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += x[i + l] * y[i + l];
  T sum = 0;
  for (T v : lane) sum += v;
  for (; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

/// The lanes joined pairwise; `lane` is used up.
template <class A, int64_t kLanes, class Join>
A join_lanes(A (&lane)[kLanes], Join join) {
  static_assert((kLanes & (kLanes - 1)) == 0);
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) lane[l] = join(lane[l], lane[l + width]);
  return lane[0];
}

/// y <- y - s x. The ranges do not overlap.
template <class T>
void subtract(int64_t n, T s, const T* x, T* y) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] -= s * x[i];
}

}  // namespace tenon::cpu
