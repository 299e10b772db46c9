// Panels: some columns of a matrix copied into rows that follow each other, which the caches and the TLB
// hold.
#pragma once

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

namespace tenon::cpu {

namespace hn = hwy::HWY_NAMESPACE;

namespace detail {

// Four numbers of each of the columns 0, 4, 8, ... of x, a block of 128 bits for each.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const float* x, int64_t step) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, x);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, x + hn::MaxLanes(half) * step, step), load_blocks(half, x, step));
  }
}

// to[k * width + n] = x[n * step + k] for 4 values of k and as many of n as a vector has lanes.
template <class D>
HWY_INLINE void turn_round(D d, float* to, int64_t width, const float* x, int64_t step) {
  const auto a = load_blocks(d, x, step), b = load_blocks(d, x + step, step),
             c = load_blocks(d, x + 2 * step, step), e = load_blocks(d, x + 3 * step, step);
  const auto low_even = hn::InterleaveLower(d, a, c), low_odd = hn::InterleaveLower(d, b, e);
  const auto high_even = hn::InterleaveUpper(d, a, c), high_odd = hn::InterleaveUpper(d, b, e);
  hn::StoreU(hn::InterleaveLower(d, low_even, low_odd), d, to);
  hn::StoreU(hn::InterleaveUpper(d, low_even, low_odd), d, to + width);
  hn::StoreU(hn::InterleaveLower(d, high_even, high_odd), d, to + 2 * width);
  hn::StoreU(hn::InterleaveUpper(d, high_even, high_odd), d, to + 3 * width);
}

// to[k * width + n] = x[k * k_step + n * n_step] for k in [0, rows), n in [0, columns).
template <class T>
void copy_strided(T* to, int64_t width, const T* x, int64_t k_step, int64_t n_step, int64_t rows,
                  int64_t columns) {
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t k = 0; k < rows; ++k) to[k * width + n] = x[k * k_step + n * n_step];
}

// The same for an x whose columns are contiguous: 16 elements of some columns at a time, so that every cache
// line is read once, however far apart the columns are.
inline void copy_turned(float* to, int64_t width, const float* x, int64_t n_step, int64_t rows,
                        int64_t columns) {
  constexpr int64_t kRows = 16;
  const hn::CappedTag<float, 8> wide;
  const hn::CappedTag<float, 4> narrow;
  for (int64_t k = 0; k < rows; k += kRows) {
    const int64_t some = std::min(kRows, rows - k);
    int64_t n = 0;
    const auto columns_of = [&](auto d) {
      constexpr int64_t lanes = hn::MaxLanes(decltype(d)());
      for (; n + lanes <= columns; n += lanes) {
        int64_t i = k;
        for (; i + 4 <= k + some; i += 4)
          turn_round(d, to + i * width + n, width, x + i + n * n_step, n_step);
        copy_strided(to + i * width + n, width, x + i + n * n_step, 1, n_step, k + some - i, lanes);
      }
    };
    columns_of(wide);
    columns_of(narrow);
    copy_strided(to + k * width + n, width, x + k + n * n_step, 1, n_step, some, columns - n);
  }
}

}  // namespace detail

/// Fills a panel from a matrix of any steps: to[k * width + n] = x[k * row + n * column] for k < rows, n <
/// columns, and 0 for the n up to `width`.
template <class T>
void fill_panel(T* to, int64_t width, const T* x, int64_t row, int64_t column, int64_t rows,
                int64_t columns) {
  if (column == 1) {
    for (int64_t k = 0; k < rows; ++k) std::copy_n(x + k * row, columns, to + k * width);
  } else if (sizeof(T) == 4 && row == 1) {
    if constexpr (sizeof(T) == 4) detail::copy_turned(to, width, x, column, rows, columns);
  } else {
    detail::copy_strided(to, width, x, row, column, rows, columns);
  }
  if (columns < width)
    for (int64_t k = 0; k < rows; ++k) std::fill(to + k * width + columns, to + (k + 1) * width, T{0});
}

}  // namespace tenon::cpu
