// y = W x with both sparse: the columns of W that x uses are added to y one after the other, a block of kRows rows at a
// time. They are found by comparing a vector of x with 0, and noted.
//
//   sums[block] += x[k] * values[entry]          for every k with x[k] != 0 and every entry of column k
//
// Where blocks are missing, the sums stay in memory: a block of 16 costs two loads, a multiply-add and a store, some 6
// cycles. Where none is missing (a dense W), the sums of as many lists as there are registers for stay in registers while
// all used columns pass: one load and one multiply-add a block, bound by the second cache, from which the values come at
// half a line a cycle. So a weight of single elements that are scattered pays as full blocks of 16 down to a share of about a
// fifth of its blocks (bench/NOTES.md). A dense product reads all of W for the same result.
#include <hwy/highway.h>

#include <algorithm>
#include <bit>

#include "core/cpu/registers.h"
#include "core/cpu/scratch.h"
#include "core/cpu/sparse.h"
#include "core/cpu/visit_count.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// sums[block] += x values[entry] over the entries of a column.
template <int kRows, class T>
HWY_INLINE void add_column(const SparseLists& w, int64_t column, T x, const T* values, T* sums) {
  if constexpr (kRows == 1) {
    for (int64_t e = w.offsets[column]; e < w.offsets[column + 1]; ++e)
      sums[w.indices[e]] += x * values[w.positions[e]];
  } else {
    const hn::CappedTag<T, kRows> d;
    constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
    const auto factor = hn::Set(d, x);
    for (int64_t e = w.offsets[column]; e < w.offsets[column + 1]; ++e) {
      const T* const from = values + int64_t{w.positions[e]} * kRows;
      T* const to = sums + int64_t{w.indices[e]} * kRows;
      for (int i = 0; i < kRows; i += kLanes)
        hn::StoreU(hn::MulAdd(factor, hn::LoadU(d, from + i), hn::LoadU(d, to + i)), d, to + i);
    }
  }
}

// Calls f(k) for every k < n with x[k] != 0, in order.
template <class T, class F>
HWY_INLINE void for_each_nonzero(const T* x, int64_t n, F&& f) {
  const hn::ScalableTag<T> d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  static_assert(lanes <= 64 && std::endian::native == std::endian::little);
  int64_t k = 0;
  for (; k + lanes <= n; k += lanes) {
    uint64_t live = 0;
    hn::StoreMaskBits(d, hn::Ne(hn::LoadU(d, x + k), hn::Zero(d)), reinterpret_cast<uint8_t*>(&live));
    for (; live != 0; live &= live - 1) f(k + std::countr_zero(live));
  }
  for (; k < n; ++k)
    if (x[k] != 0) f(k);
}

// The columns that x uses, in order; returns how many.
template <class T>
int64_t used_columns(const T* x, int64_t n, int32_t* used) {
  int64_t count = 0;
  for_each_nonzero(x, n, [&](int64_t k) { used[count++] = static_cast<int32_t>(k); });
  return count;
}

/// Lists of a full pattern whose sums stay in registers together: 16 vectors of them at most, which compilers unroll.
template <class T, int kRows>
constexpr int kTileLists = [] {
  const int vectors = std::max<int>(1, kRows / static_cast<int>(hn::MaxLanes(hn::CappedTag<T, kRows>())));
  return std::max(1, std::min(16, kVectorRegisters - 4) / vectors);
}();

// sums of kLists lists of a full pattern, whose values follow each other column by column, over all used columns.
template <int kRows, int kLists, class T>
HWY_INLINE void add_to_tile(const T* values, int64_t columns, const T* x, const int32_t* used, int64_t count,
                            T* sums) {
  const hn::CappedTag<T, kRows> d;
  constexpr int kLanes = static_cast<int>(hn::MaxLanes(d)), kVectors = kRows / kLanes;
  hn::Vec<decltype(d)> acc[kLists][kVectors];
  for (int i = 0; i < kLists; ++i)
    for (int v = 0; v < kVectors; ++v) acc[i][v] = hn::LoadU(d, sums + i * kRows + v * kLanes);
  for (int64_t c = 0; c < count; ++c) {
    const auto factor = hn::Set(d, x[used[c]]);
    const T* const column = values + int64_t{used[c]} * kRows;
    for (int i = 0; i < kLists; ++i)
      for (int v = 0; v < kVectors; ++v)
        acc[i][v] = hn::MulAdd(factor, hn::LoadU(d, column + i * columns * kRows + v * kLanes), acc[i][v]);
  }
  for (int i = 0; i < kLists; ++i)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[i][v], d, sums + i * kRows + v * kLanes);
}

template <int kRows, class T>
void full_product(int64_t lists, int64_t columns, const T* values, const T* x, const int32_t* used,
                  int64_t count, T* sums) {
  constexpr int kTile = kTileLists<T, kRows>;
  const int64_t tiles = (lists + kTile - 1) / kTile, step = (lists + tiles - 1) / tiles;  // nearly equal ones
  for (int64_t list = 0; list < lists; list += step)
    visit_count<1, kTile>(static_cast<int>(std::min(step, lists - list)), [&](auto number) {
      add_to_tile<kRows, decltype(number)::value>(values + list * columns * kRows, columns, x, used, count,
                                                  sums + list * kRows);
    });
}

template <int kRows, class T>
void vector_product(const SpmspvPlan& p, T* y, const T* values, const T* x, const T* bias, T* sums,
                    int64_t padded, int32_t* used) {
  if (bias != nullptr) std::copy_n(bias, p.rows, sums);
  std::fill(sums + (bias != nullptr ? p.rows : 0), sums + padded, T{0});
  const int64_t count = used_columns(x, p.columns, used);
  const int64_t lists = padded / kRows;  // of rows; the plan's lists are columns
  if (kRows > 1 && p.w.entries == lists * p.columns) {
    full_product<kRows>(lists, p.columns, values, x, used, count, sums);
  } else {
    for (int64_t c = 0; c < count; ++c) add_column<kRows>(p.w, used[c], x[used[c]], values, sums);
  }
  if (p.relu) {
    for (int64_t m = 0; m < p.rows; ++m) y[m] = sums[m] < 0 ? T{0} : sums[m];
  } else {
    std::copy_n(sums, p.rows, y);
  }
}

}  // namespace

void spmspv(const SpmspvPlan& plan, DType dtype, void* y, const void* values, const void* x,
            const void* bias) {
  visit_floating("spmspv", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_block_rows(plan.block_rows, [&](auto rows) {
      constexpr int kRows = decltype(rows)::value;
      const int64_t padded = (plan.rows + kRows - 1) / kRows * kRows;
      parallel_for(plan.batch, grain_for_flops(plan.w.entries * kRows + plan.columns),
                   [&](int64_t begin, int64_t end) {
                     const Scratch<T> sums(padded);
                     const Scratch<int32_t> used(plan.columns);
                     for (int64_t b = begin; b < end; ++b)
                       vector_product<kRows>(plan, static_cast<T*>(y) + b * plan.rows,
                                             static_cast<const T*>(values),
                                             static_cast<const T*>(x) + b * plan.columns,
                                             static_cast<const T*>(bias), sums.data(), padded, used.data());
                   });
    });
  });
}

}  // namespace tenon::cpu
