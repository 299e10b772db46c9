// A job is a strip of neighbouring columns of one graph: its part of x stays in the first-level cache while the rows
// of the adjacency pass over it, four at a time; 4 rows by 2 vectors of sums stand in registers. Of a float32 graph,
// 4 (R N D + M D + R M N) bytes move for 2 R M N D flops (as many again for a gate other than x, and for the
// transposed form with a gate).
#include "core/cpu/graph.h"

#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/scratch.h"
#include "core/cpu/visit_count.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kStrip = 64;  // columns of a job
constexpr int kMostRows = 4, kMostVectors = 2;

int64_t strips_of(const GraphExtents& e) { return (e.width + kStrip - 1) / kStrip; }
int64_t grain_of(const GraphExtents& e) {
  return grain_for_flops(e.relations * e.rows * e.columns * std::min(e.width, kStrip));
}

// The columns of a tile: kCount vectors, the last of them cut off where the strip ends unless kWhole.
template <class T, int kCount, bool kWhole>
struct Columns {
  using D = hn::ScalableTag<T>;
  using Vec = hn::Vec<D>;
  static constexpr D d{};
  static constexpr int64_t kLanes = hn::MaxLanes(d);
  hn::Mask<D> in_last;

  explicit Columns(int64_t left)
      : in_last(hn::FirstN(d, static_cast<size_t>(left - (kCount - 1) * kLanes))) {}
  HWY_INLINE Vec load(const T* at, int v) const {
    if (kWhole || v + 1 < kCount) return hn::LoadU(d, at + v * kLanes);
    return hn::MaskedLoad(in_last, d, at + v * kLanes);
  }
  HWY_INLINE void store(Vec x, T* at, int v) const {
    if (kWhole || v + 1 < kCount) return hn::StoreU(x, d, at + v * kLanes);
    hn::BlendedStore(x, in_last, d, at + v * kLanes);
  }
};

// A matrix of weights, or some rows of it.
template <class T>
struct Weights {
  const T* at;
  int64_t row, step, count;  // from a row to the next, from a weight to the next, weights of a row
};

template <class T, int kRows, int kCount>
using Tile = hn::Vec<hn::ScalableTag<T>>[kRows][kCount];

// [sums]
// sums[i] = sum_n a[i][n] x[n], load(n, v) being a vector of x[n].
template <int kRows, int kCount, class T, class Load>
HWY_INLINE void weighted_sums(const Weights<T>& a, Load&& load, Tile<T, kRows, kCount>& sums) {
  const hn::ScalableTag<T> d;
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kCount; ++v) sums[i][v] = hn::Zero(d);
  for (int64_t n = 0; n < a.count; ++n)
    for (int v = 0; v < kCount; ++v) {
      const auto x = load(n, v);
      for (int i = 0; i < kRows; ++i)
        sums[i][v] = hn::MulAdd(hn::Set(d, a.at[i * a.row + n * a.step]), x, sums[i][v]);
    }
}
// [/sums]

// Of rows m0 .. of one graph: those of A_r x_r, from column d on.
template <int kRows, class C, class T, int kCount>
HWY_INLINE void sums_of(const C& columns, const GraphExtents& e, const T* adjacency, const T* x, int64_t m0,
                        int64_t r, int64_t d, Tile<T, kRows, kCount>& sums) {
  const T* const from = x + r * e.width + d;
  weighted_sums<kRows, kCount>(
      Weights<T>{adjacency + (r * e.rows + m0) * e.columns, e.columns, 1, e.columns},
      [&](int64_t n, int v) HWY_ATTR { return columns.load(from + n * e.relations * e.width, v); }, sums);
}

template <int kRows, int kCount, bool kWhole, class T>
HWY_INLINE void propagate_tile(const Columns<T, kCount, kWhole>& columns, const GraphExtents& e, T* y,
                               const T* adjacency, const T* x, const T* gate, int64_t m0, int64_t d) {
  const hn::ScalableTag<T> tag;
  Tile<T, kRows, kCount> total, sums, gates;
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kCount; ++v) total[i][v] = hn::Zero(tag);
  for (int64_t r = 0; r < e.relations; ++r) {
    sums_of<kRows>(columns, e, adjacency, x, m0, r, d, sums);
    if (gate != nullptr && gate != x) sums_of<kRows>(columns, e, adjacency, gate, m0, r, d, gates);
    for (int i = 0; i < kRows; ++i)
      for (int v = 0; v < kCount; ++v) {
        auto part = sums[i][v];
        if (gate != nullptr)
          part = hn::IfThenElseZero(hn::Gt(gate == x ? part : gates[i][v], hn::Zero(tag)), part);
        total[i][v] = hn::Add(total[i][v], part);
      }
  }
  const auto share = hn::Set(tag, T(1) / static_cast<T>(e.relations));
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kCount; ++v)
      columns.store(hn::Mul(share, total[i][v]), y + (m0 + i) * e.width + d, v);
}

// Rows m0 .. of `passed` [rows, kCount vectors]: what of g / R passes the gate.
template <int kRows, int kCount, bool kWhole, class T>
HWY_INLINE void pass_gate(const Columns<T, kCount, kWhole>& columns, const GraphExtents& e,
                          const T* adjacency, const T* g, const T* gate, int64_t m0, int64_t r, int64_t d,
                          T* passed) {
  const hn::ScalableTag<T> tag;
  const auto share = hn::Set(tag, T(1) / static_cast<T>(e.relations));
  Tile<T, kRows, kCount> gates;
  if (gate != nullptr) sums_of<kRows>(columns, e, adjacency, gate, m0, r, d, gates);
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kCount; ++v) {
      auto part = hn::Mul(share, columns.load(g + (m0 + i) * e.width + d, v));
      if (gate != nullptr) part = hn::IfThenElseZero(hn::Gt(gates[i][v], hn::Zero(tag)), part);
      hn::StoreU(part, tag, passed + ((m0 + i) * kCount + v) * columns.kLanes);
    }
}

// Rows n0 .. of z_r = A_r^T passed.
template <int kRows, int kCount, bool kWhole, class T>
HWY_INLINE void return_tile(const Columns<T, kCount, kWhole>& columns, const GraphExtents& e, T* z,
                            const T* adjacency, const T* passed, int64_t n0, int64_t r, int64_t d) {
  Tile<T, kRows, kCount> sums;
  weighted_sums<kRows, kCount>(
      Weights<T>{adjacency + r * e.rows * e.columns + n0, 1, e.columns, e.rows},
      [&](int64_t m, int v)
          HWY_ATTR { return hn::LoadU(columns.d, passed + (m * kCount + v) * columns.kLanes); },
      sums);
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kCount; ++v)
      columns.store(sums[i][v], z + ((n0 + i) * e.relations + r) * e.width + d, v);
}

// Calls f(rows, m0), `rows` being a constant, for tiles of at most four of `count` rows.
template <class F>
void over_rows(int64_t count, F&& f) {
  for (int64_t m0 = 0; m0 < count; m0 += kMostRows)
    visit_count<1, kMostRows>(static_cast<int>(std::min<int64_t>(kMostRows, count - m0)),
                              [&](auto rows) { f(rows, m0); });
}

// Calls f(columns, d) for tiles of columns that cover [begin, end).
template <class T, class F>
void over_columns(int64_t begin, int64_t end, F&& f) {
  constexpr int64_t lanes = Columns<T, 1, true>::kLanes;
  for (int64_t d = begin; d < end; d += kMostVectors * lanes) {
    const int64_t left = std::min(end - d, kMostVectors * lanes);
    visit_count<1, kMostVectors>(static_cast<int>((left + lanes - 1) / lanes), [&](auto count) {
      if (left == count * lanes) {
        f(Columns<T, count, true>(left), d);
      } else {
        f(Columns<T, count, false>(left), d);
      }
    });
  }
}

// The operands of one graph, and a strip of its columns.
template <class T>
struct Strip {
  const T *adjacency, *gate;
  int64_t nodes, rows;  // where its x (or z) and its y (or g) begin
  int64_t begin, end;
  Strip(const GraphExtents& e, const void* all, const void* gates, int64_t job) {
    const int64_t b = job / strips_of(e);
    nodes = b * e.columns * e.relations * e.width, rows = b * e.rows * e.width;
    adjacency = static_cast<const T*>(all) + b * e.relations * e.rows * e.columns;
    gate = gates == nullptr ? nullptr : static_cast<const T*>(gates) + nodes;
    begin = job % strips_of(e) * kStrip, end = std::min(e.width, begin + kStrip);
  }
};

}  // namespace

void graph_propagate(const GraphExtents& e, DType dtype, void* y, const void* adjacency, const void* x,
                     const void* gate) {
  visit_floating("graph_propagate", dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(e.graphs * strips_of(e), grain_of(e), [&](int64_t first, int64_t last) {
      for (int64_t job = first; job < last; ++job) {
        const Strip<T> strip(e, adjacency, gate, job);
        over_columns<T>(strip.begin, strip.end, [&](const auto& columns, int64_t d) {
          over_rows(e.rows, [&](auto rows, int64_t m0) {
            propagate_tile<rows>(columns, e, static_cast<T*>(y) + strip.rows, strip.adjacency,
                                 static_cast<const T*>(x) + strip.nodes, strip.gate, m0, d);
          });
        });
      }
    });
  });
}

void graph_propagate_transposed(const GraphExtents& e, DType dtype, void* z, const void* adjacency,
                                const void* g, const void* gate) {
  visit_floating("graph_propagate_transposed", dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(e.graphs * strips_of(e), grain_of(e), [&](int64_t first, int64_t last) {
      const Scratch<T> passed(e.rows * kMostVectors * Columns<T, 1, true>::kLanes);
      for (int64_t job = first; job < last; ++job) {
        const Strip<T> strip(e, adjacency, gate, job);
        over_columns<T>(strip.begin, strip.end, [&](const auto& columns, int64_t d) {
          for (int64_t r = 0; r < e.relations; ++r) {
            over_rows(e.rows, [&](auto rows, int64_t m0) {
              pass_gate<rows>(columns, e, strip.adjacency, static_cast<const T*>(g) + strip.rows, strip.gate,
                              m0, r, d, passed.data());
            });
            over_rows(e.columns, [&](auto rows, int64_t n0) {
              return_tile<rows>(columns, e, static_cast<T*>(z) + strip.nodes, strip.adjacency, passed.data(),
                                n0, r, d);
            });
          }
        });
      }
    });
  });
}

}  // namespace tenon::cpu
