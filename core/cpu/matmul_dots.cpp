// C is cut into tiles of kRows x kColumns sums of products, each a vector of partial sums while k runs:
//
//   acc[i][j] += a[i][l ..] * b[l ..][j]        l = 0, lanes, 2 lanes, ...
//
// and the lanes are added at the end. With 4 x 4 a step loads 8 vectors for 16 multiply-adds. With one row it
// loads as many vectors as it multiplies, and B comes from memory once: then its bandwidth is the bound.
#include "core/cpu/matmul_dots.h"

#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/visit_count.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kMaxRows = HWY_MAX_BYTES == 64 ? 4 : 2;
constexpr int kMaxColumns = 4;

// The sum of its blocks of 128 bits.
template <class D>
HWY_INLINE auto sum_of_blocks([[maybe_unused]] D d, hn::Vec<D> x) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) == 16) {
    return x;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  }
}

// to[j] = sum of the lanes of acc[j]. Four (or two, of float64) are added together, half of the lanes at a
// time.
template <int kColumns, class D, class T = hn::TFromD<D>>
HWY_INLINE void store_sums(D d, const hn::Vec<D> (&acc)[kColumns], T* to) {
  const auto halved = [&](auto x, auto y) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y));
  };
  const hn::CappedTag<T, 16 / sizeof(T)> block;
  if constexpr (kColumns == 4 && sizeof(T) == 4) {
    const hn::Repartition<double, D> pairs;
    const auto low = hn::BitCast(pairs, halved(acc[0], acc[1])),
               high = hn::BitCast(pairs, halved(acc[2], acc[3]));
    const auto sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, low, high)),
                              hn::BitCast(d, hn::InterleaveUpper(pairs, low, high)));
    hn::StoreU(sum_of_blocks(d, sums), block, to);
  } else if constexpr (kColumns == 4) {
    hn::StoreU(sum_of_blocks(d, halved(acc[0], acc[1])), block, to);
    hn::StoreU(sum_of_blocks(d, halved(acc[2], acc[3])), block, to + 2);
  } else {
    for (int j = 0; j < kColumns; ++j) to[j] = hn::GetLane(hn::SumOfLanes(d, acc[j]));
  }
}

template <int kRows, int kColumns, class T>
void run_tile(int64_t k, const T* a, int64_t a_row, const T* b, int64_t b_column, T* c, int64_t c_row) {
  const hn::ScalableTag<T> d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  hn::Vec<decltype(d)> acc[kRows][kColumns];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) acc[i][j] = hn::Zero(d);
  const auto step = [&](auto load, int64_t l) HWY_ATTR {
    hn::Vec<decltype(d)> column[kColumns];
#pragma GCC unroll 4
    for (int j = 0; j < kColumns; ++j) column[j] = load(b + j * b_column + l);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const auto row = load(a + i * a_row + l);
#pragma GCC unroll 4
      for (int j = 0; j < kColumns; ++j) acc[i][j] = hn::MulAdd(row, column[j], acc[i][j]);
    }
  };
  int64_t l = 0;
  for (; l + lanes <= k; l += lanes) step([&](const T* x) HWY_ATTR { return hn::LoadU(d, x); }, l);
  if (l < k) {
    const auto left = hn::FirstN(d, static_cast<size_t>(k - l));
    step([&](const T* x) HWY_ATTR { return hn::MaskedLoad(left, d, x); }, l);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) store_sums(d, acc[i], c + i * c_row);
}

template <class T>
void run(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, T* c, int64_t c_row) {
  // Columns outside: a tile's part of B stays in the first cache while the rows pass.
  for (int64_t j = 0; j < n; j += kMaxColumns)
    visit_count<1, kMaxColumns>(static_cast<int>(std::min<int64_t>(kMaxColumns, n - j)), [&](auto columns) {
      for (int64_t i = 0; i < m; i += kMaxRows)
        visit_count<1, kMaxRows>(static_cast<int>(std::min<int64_t>(kMaxRows, m - i)), [&](auto rows) {
          run_tile<decltype(rows)::value, decltype(columns)::value>(
              k, a.at + i * a.row, a.row, b.at + j * b.column, b.column, c + i * c_row + j, c_row);
        });
    });
}

}  // namespace

void multiply_dots(int64_t m, int64_t n, int64_t k, Matrix<const float> a, Matrix<const float> b, float* c,
                   int64_t c_row) {
  run(m, n, k, a, b, c, c_row);
}
void multiply_dots(int64_t m, int64_t n, int64_t k, Matrix<const double> a, Matrix<const double> b, double* c,
                   int64_t c_row) {
  run(m, n, k, a, b, c, c_row);
}

}  // namespace tenon::cpu
