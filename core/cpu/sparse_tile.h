// The inner loop of the sparse products: the rows of Y that one list gives, over some columns, in registers.
#pragma once

#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/sparse.h"
#include "core/cpu/visit_count.h"

namespace tenon::cpu {

namespace hn = hwy::HWY_NAMESPACE;

// [entries]
/// Adds the entries of a list to kOut rows of kV vectors. Each entry has kOut or kIn values (one of them is 1).
template <int kOut, int kIn, int kV, class D, class T = hn::TFromD<D>>
HWY_INLINE void add_entries(D d, const SpmmPlan& p, int64_t list, const T* values, const T* x, int64_t step,
                            hn::Vec<D> (&acc)[kOut][kV]) {
  constexpr int64_t lanes = hn::MaxLanes(d);
  const int32_t* const positions = p.w.positions;
  for (int64_t e = p.w.offsets[list]; e < p.w.offsets[list + 1]; ++e) {
    const T* const w = values + (positions != nullptr ? positions[e] : e) * (kOut * kIn);
    const int64_t first = int64_t{p.w.indices[e]} * kIn;
    auto add_row = [&](int i) HWY_ATTR {
      const T* const row = x + (first + i) * step;
      for (int v = 0; v < kV; ++v) {
        const auto element = hn::LoadU(d, row + v * lanes);
        for (int o = 0; o < kOut; ++o) acc[o][v] = hn::MulAdd(hn::Set(d, w[o + i]), element, acc[o][v]);
      }
    };
    if (kIn == 1 || first + kIn <= p.rows_x) {
      for (int i = 0; i < kIn; ++i) add_row(i);
    } else {  // a block that reaches beyond the matrix
      for (int i = 0; first + i < p.rows_x; ++i) add_row(i);
    }
  }
}
// [/entries]

/// The rows of Y of one list, from `y` on, over kV vectors of a panel; `columns` of their lanes are written.
template <int kOut, int kIn, int kV, class T>
HWY_INLINE void list_tile(const SpmmPlan& p, int64_t list, T* y, const T* values, const T* x, int64_t step,
                          const T* bias, int64_t columns) {
  const hn::ScalableTag<T> d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  hn::Vec<decltype(d)> acc[kOut][kV];
  for (int o = 0; o < kOut; ++o)
    for (int v = 0; v < kV; ++v) acc[o][v] = hn::Zero(d);
  add_entries<kOut, kIn, kV>(d, p, list, values, x, step, acc);
  for (int o = 0; o < kOut && list * kOut + o < p.rows_y; ++o) {
    const int64_t row = list * kOut + o;
    const auto shift = hn::Set(d, bias != nullptr ? bias[row] : T{0});
    for (int v = 0; v < kV; ++v) {
      auto sum = hn::Add(acc[o][v], shift);
      if (p.relu) sum = hn::IfThenZeroElse(hn::Lt(sum, hn::Zero(d)), sum);
      T* const to = y + o * p.n + v * lanes;
      const int64_t left = columns - v * lanes;
      if (left >= lanes) {
        hn::StoreU(sum, d, to);
      } else {
        hn::BlendedStore(sum, hn::FirstN(d, static_cast<size_t>(left)), d, to);
      }
    }
  }
}

/// Vectors of a tile, so that its sums stay in 16 or 32 registers: more than one, since an addition waits four
/// cycles for the one before.
template <int kOut>
inline constexpr int kTileVectors = kOut == 1   ? 8
                                    : kOut == 4 ? 4
                                                : 16 / kOut;

/// Some columns of X: `vectors` vectors to a row, rows `step` elements apart; the last may read beyond `columns`.
template <class T>
struct Panel {
  const T* rows;
  int64_t step, columns;
  int vectors, tile;  // a tile has so many of the vectors, the last may have less

  /// Tiles of nearly equal width for lists of kOut rows.
  template <int kOut>
  static Panel of(const T* rows, int64_t step, int64_t columns) {
    constexpr int64_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
    const int vectors = static_cast<int>((columns + lanes - 1) / lanes);
    const int tiles = (vectors + kTileVectors<kOut> - 1) / kTileVectors<kOut>;
    return {rows, step, columns, vectors, (vectors + tiles - 1) / tiles};
  }
};

/// The same over a whole panel.
template <int kOut, int kIn, class T>
void list_panel(const SpmmPlan& p, int64_t list, T* y, const T* values, const Panel<T>& panel,
                const T* bias) {
  constexpr int64_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
  for (int v = 0; v < panel.vectors; v += panel.tile)
    visit_count<1, kTileVectors<kOut>>(std::min(panel.tile, panel.vectors - v), [&](auto count) {
      list_tile<kOut, kIn, decltype(count)::value>(p, list, y + v * lanes, values, panel.rows + v * lanes,
                                                   panel.step, bias, panel.columns - v * lanes);
    });
}

}  // namespace tenon::cpu
