// Panels: some columns of a matrix copied into rows that follow each other, which the caches and the TLB
// hold.
#pragma once

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "core/cpu/transpose.h"

namespace tenon::cpu {

/// Fills a panel from a matrix of any steps: to[k * width + n] = x[k * row + n * column] for k < rows, n <
/// columns, and 0 for the n up to `width`.
template <class T>
void fill_panel(T* to, int64_t width, const T* x, int64_t row, int64_t column, int64_t rows,
                int64_t columns) {
  if (column == 1) {
    for (int64_t k = 0; k < rows; ++k) std::copy_n(x + k * row, columns, to + k * width);
  } else if (row == 1) {
    transpose(hwy::HWY_NAMESPACE::CappedTag<T, 8>(), x, column, to, width, columns, rows);
  } else {
    for (int64_t n = 0; n < columns; ++n)
      for (int64_t k = 0; k < rows; ++k) to[k * width + n] = x[k * row + n * column];
  }
  if (columns < width)
    for (int64_t k = 0; k < rows; ++k) std::fill(to + k * width + columns, to + (k + 1) * width, T{0});
}

}  // namespace tenon::cpu
