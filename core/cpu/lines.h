// Copies of short lines, of which feature maps are full: the call of memcpy would cost more.
#pragma once

#include <cstdint>
#include <cstring>

namespace tenon::cpu {

/// Copies n elements that lie side by side.
template <class T>
inline void copy_line(T* to, const T* from, int64_t n) {
  constexpr int64_t kWide = 8, kNarrow = 4;
  for (; n >= 4 * kWide; n -= 2 * kWide, to += 2 * kWide, from += 2 * kWide)
    std::memcpy(to, from, 2 * kWide * sizeof(T));
  if (n >= kWide) {
    for (int64_t i = 0; i < n - kWide; i += kWide) std::memcpy(to + i, from + i, kWide * sizeof(T));
    std::memcpy(to + n - kWide, from + n - kWide, kWide * sizeof(T));  // the rest, overlapping
  } else if (n >= kNarrow) {
    std::memcpy(to, from, kNarrow * sizeof(T));
    std::memcpy(to + n - kNarrow, from + n - kNarrow, kNarrow * sizeof(T));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

/// Clears n elements that lie side by side.
template <class T>
inline void clear_line(T* to, int64_t n) {
  constexpr int64_t kWide = 8, kNarrow = 2;
  constexpr T kZeros[kWide] = {};
  if (n >= kWide) {
    for (int64_t i = 0; i < n - kWide; i += kWide) std::memcpy(to + i, kZeros, kWide * sizeof(T));
    std::memcpy(to + n - kWide, kZeros, kWide * sizeof(T));  // the rest, overlapping
  } else {
    for (; n >= kNarrow; n -= kNarrow, to += kNarrow) std::memcpy(to, kZeros, kNarrow * sizeof(T));
    if (n > 0) *to = T{0};
  }
}

/// Copies lines of n elements, without gaps in `to`, `step` apart in `from`.
template <class T>
inline void copy_lines(T* to, const T* from, int64_t lines, int64_t n, int64_t step) {
  for (int64_t line = 0; line < lines; ++line) copy_line(to + line * n, from + line * step, n);
}

}  // namespace tenon::cpu
