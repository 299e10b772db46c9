// C is cut into tiles of kRows x kVectors SIMD vectors, whose sums stay in registers while k runs:
//
//   acc[i][v] += a[i][l] * b[l][v]        l = 0 .. k - 1
//
// A step loads kVectors vectors of B and broadcasts kRows numbers of A for kRows * kVectors multiply-adds:
// with 6 x 4 that is 10 loads for 24, so the multiply-adds bound it. A may lie either way round, since its
// numbers are broadcast one by one. Rows of B are read in place, unless they lie the other way round, or so
// far apart that the TLB does not hold their pages; then a panel of them is copied, and read by every tile
// below it.
#include "core/cpu/matmul_tiles.h"

#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/cpu/panel.h"
#include "core/cpu/registers.h"

namespace tenon::cpu {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
struct TileColumns<T>::Arguments {
  int64_t k;
  const T* a;
  int64_t a_row, a_column;
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  int64_t last;
  bool add;  // to what C holds
};

namespace {

constexpr int kMaxVectors = kVectorRegisters == 32 ? 4 : 2;
// The sums of a tile, its part of a row of B and a number of A fit the registers.
constexpr int max_rows(int vectors) { return std::min(8, (kVectorRegisters - vectors - 1) / vectors); }
// With AVX-512, a core that computes in halves does a half vector in half the time.
constexpr bool kHalves = HWY_MAX_BYTES == 64;

// With kPartial, only some lanes of the last vector are in C.
template <int kRows, int kVectors, bool kPartial, class D>
HWY_INLINE void run_tile(D d, const typename TileColumns<hn::TFromD<D>>::Arguments& t) {
  using T = hn::TFromD<D>;
  constexpr int64_t lanes = hn::MaxLanes(d);
  const auto in_last = hn::FirstN(d, static_cast<size_t>(t.last));
  const int64_t a_row = t.a_row, a_column = t.a_column, b_row = t.b_row, c_row = t.c_row;
  const T* a = t.a;
  const T* b = t.b;
  hn::Vec<D> acc[kRows][kVectors];
  // Unrolled by command: else g++ 12 keeps the sums in memory.
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) acc[i][v] = hn::Zero(d);
  if (t.add)
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        acc[i][v] = kPartial && v + 1 == kVectors ? hn::MaskedLoad(in_last, d, t.c + i * c_row + v * lanes)
                                                  : hn::LoadU(d, t.c + i * c_row + v * lanes);
  for (int64_t l = 0; l < t.k; ++l, a += a_column, b += b_row) {
    hn::Vec<D> row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      row[v] = kPartial && v + 1 == kVectors ? hn::MaskedLoad(in_last, d, b + v * lanes)
                                             : hn::LoadU(d, b + v * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const auto scale = hn::Set(d, a[i * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) acc[i][v] = hn::MulAdd(scale, row[v], acc[i][v]);
    }
  }
  T* c = t.c;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, c += c_row)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v)
      if (kPartial && v + 1 == kVectors) {
        hn::BlendedStore(acc[i][v], in_last, d, c + v * lanes);
      } else {
        hn::StoreU(acc[i][v], d, c + v * lanes);
      }
}

template <class T>
using Function = typename TileColumns<T>::Function;

template <class T, int kLanes, int kVectors, bool kPartial, size_t... kRow>
constexpr std::array<Function<T>, sizeof...(kRow)> tiles_of_width(std::index_sequence<kRow...>) {
  return {[](const typename TileColumns<T>::Arguments& t) {
    run_tile<kRow + 1, kVectors, kPartial>(hn::CappedTag<T, kLanes>(), t);
  }...};
}

template <class T, int kLanes, int kVectors>
Function<T> tile_of(int64_t rows, bool partial) {
  using Rows = std::make_index_sequence<max_rows(kVectors)>;
  static constexpr auto kWhole = tiles_of_width<T, kLanes, kVectors, false>(Rows());
  static constexpr auto kPart = tiles_of_width<T, kLanes, kVectors, true>(Rows());
  return (partial ? kPart : kWhole)[static_cast<size_t>(rows - 1)];
}

template <class T>
constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<T>());

template <class T>
Function<T> tile_of(int64_t vectors, bool half, int64_t rows, bool partial) {
  constexpr int lanes = kLanes<T>;
  if (half) return tile_of<T, lanes / 2, 1>(rows, partial);
  if (vectors == 1) return tile_of<T, lanes, 1>(rows, partial);
  if constexpr (kMaxVectors == 2) {
    return tile_of<T, lanes, 2>(rows, partial);
  } else {
    if (vectors == 2) return tile_of<T, lanes, 2>(rows, partial);
    if (vectors == 3) return tile_of<T, lanes, 3>(rows, partial);
    return tile_of<T, lanes, 4>(rows, partial);
  }
}

template <class T>
TileColumns<T> columns_of(int64_t m, int64_t panels, int64_t columns) {
  const bool half = kHalves && columns <= kLanes<T> / 2;
  const int64_t lanes = half ? kLanes<T> / 2 : kLanes<T>, vectors = (columns + lanes - 1) / lanes;
  TileColumns<T> out;
  out.panels = panels, out.columns = columns;
  out.width = vectors * lanes, out.last = columns - (vectors - 1) * lanes;
  const bool partial = out.last < lanes;
  const int64_t most = max_rows(static_cast<int>(vectors));
  out.tiles = (m + most - 1) / most;
  out.height = m / out.tiles, out.taller = m % out.tiles;
  out.tile = tile_of<T>(vectors, half, out.height, partial);
  if (out.taller > 0) out.taller_tile = tile_of<T>(vectors, half, out.height + 1, partial);
  return out;
}

}  // namespace

template <class T>
TileProduct<T>::TileProduct(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b,
                            int64_t c_row)
    : k_(k), a_row_(a.row), a_column_(a.column), b_row_(b.row), b_column_(b.column), c_row_(c_row) {
  // Rows of B a page and more apart: a panel of them needs a TLB entry for each.
  const bool far_apart = b.row * static_cast<int64_t>(sizeof(T)) >= 4096 && k > 64;
  copies_ = b.column != 1 || (far_apart && m >= 32);
  const auto add = [&](int64_t panels, int64_t columns) {
    if (panels > 0) columns_[kinds_++] = columns_of<T>(m, panels, columns);
  };
  // Panels of nearly equal width, the wider first. The last has the vector that is not full, unless that is a
  // half vector, which is a panel of its own.
  constexpr int64_t lanes = kLanes<T>;
  const int64_t rest = n % lanes;
  const bool half = kHalves && rest > 0 && rest <= lanes / 2;
  const int64_t vectors = n / lanes + (rest > 0 && !half ? 1 : 0);
  if (vectors > 0) {
    const int64_t panels = (vectors + kMaxVectors - 1) / kMaxVectors;
    const int64_t width = vectors / panels * lanes, wider = vectors % panels;
    const bool all_full = rest == 0 || half;
    add(wider, width + lanes);
    add(panels - wider - (all_full ? 0 : 1), width);
    if (!all_full) add(1, width - lanes + rest);
  }
  if (half) add(1, rest);
}

template <class T>
void TileProduct<T>::operator()(const T* a, const T* b, T* c, T* panel, bool add) const {
  for (int kind = 0; kind < kinds_; ++kind) {
    const TileColumns<T>& columns = columns_[kind];
    for (int64_t p = 0; p < columns.panels; ++p) {
      typename TileColumns<T>::Arguments t{k_, a, a_row_, a_column_, b, b_row_, c, c_row_, columns.last, add};
      if (copies_) {
        fill_panel(panel, columns.width, b, b_row_, b_column_, k_, columns.columns);
        t.b = panel, t.b_row = columns.width;
      }
      for (int64_t i = 0; i < columns.tiles; ++i) {
        const bool taller = i < columns.taller;
        (taller ? columns.taller_tile : columns.tile)(t);
        const int64_t rows = columns.height + (taller ? 1 : 0);
        t.a += rows * a_row_, t.c += rows * c_row_;
      }
      b += columns.columns * b_column_, c += columns.columns;
    }
  }
}

template class TileProduct<float>;
template class TileProduct<double>;

}  // namespace tenon::cpu
