// A job is a strip of neighbouring columns of one graph, walked a vector of columns at a time. The vectors of up to 8
// vertices are loaded into registers once, and all rows of the adjacency pass over them: a sum is 8 multiply-adds whose
// other factor is a number of the adjacency, read as it is needed. Graphs of more vertices take 8 after 8, and their
// sums wait in the first-level cache. Of a float32 graph, 4 (R N D + M D + R M N) bytes move for 2 R M N D flops
// (as many again for a gate other than x, and for the transposed form with a gate).
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
constexpr int kTogether = 8;    // vertices whose vectors are held in registers

int64_t strips_of(const GraphExtents& e) { return (e.width + kStrip - 1) / kStrip; }
Grain grain_of(const GraphExtents& e) {
  return grain_for_flops(e.relations * e.rows * e.columns * std::min(e.width, kStrip));
}

// A vector of columns; the strip may end within it unless kWhole.
template <class T, bool kWhole>
struct Columns {
  using D = hn::ScalableTag<T>;
  using Vec = hn::Vec<D>;
  static constexpr D d{};
  static constexpr int64_t kLanes = hn::MaxLanes(d);
  hn::Mask<D> inside;

  explicit Columns(int64_t left) : inside(hn::FirstN(d, static_cast<size_t>(left))) {}
  HWY_INLINE Vec load(const T* at) const { return kWhole ? hn::LoadU(d, at) : hn::MaskedLoad(inside, d, at); }
  HWY_INLINE void store(Vec x, T* at) const {
    if (kWhole) {
      hn::StoreU(x, d, at);
    } else {
      hn::BlendedStore(x, inside, d, at);
    }
  }
};

// A matrix of weights.
template <class T>
struct Weights {
  const T* at;
  int64_t rows, count;  // weights of a row
  int64_t row, step;    // from a row to the next, from a weight to the next
};

// [sums]
// Calls finish(m, sum of a[m][n] x[n] over n) for every row m, load(n) being the vector x[n]. `waiting` has room for a
// vector a row, and is used if there are more than kTogether weights in one.
template <class T, class Load, class Finish>
HWY_INLINE void weighted_sums(const Weights<T>& a, T* waiting, Load&& load, Finish&& finish) {
  const hn::ScalableTag<T> d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  for (int64_t n0 = 0; n0 < a.count; n0 += kTogether) {
    const int64_t left = a.count - n0;
    visit_count<1, kTogether>(static_cast<int>(std::min<int64_t>(left, kTogether)), [&](auto count) HWY_ATTR {
      hn::Vec<decltype(d)> x[count];
      for (int n = 0; n < count; ++n) x[n] = load(n0 + n);
      for (int64_t m = 0; m < a.rows; ++m) {
        const T* const weights = a.at + m * a.row + n0 * a.step;
        auto sum = n0 == 0 ? hn::Zero(d) : hn::LoadU(d, waiting + m * lanes);
        for (int n = 0; n < count; ++n) sum = hn::MulAdd(hn::Set(d, weights[n * a.step]), x[n], sum);
        if (left <= kTogether) {
          finish(m, sum);
        } else {
          hn::StoreU(sum, d, waiting + m * lanes);
        }
      }
    });
  }
}
// [/sums]

// A vector of columns of one graph, in row-major operands that begin at it: x or z, y or g.
template <class T, bool kWhole>
struct Walk {
  const GraphExtents& e;
  Columns<T, kWhole> columns;
  const T* adjacency;
  T* waiting;  // room for a vector a row or column of the adjacency

  int64_t step() const { return e.relations * e.width; }
  const T* matrix(int64_t r) const { return adjacency + r * e.rows * e.columns; }

  // Those of A_r x_r.
  template <class Finish>
  HWY_INLINE void sums(int64_t r, const T* x, Finish&& finish) const {
    weighted_sums(
        Weights<T>{matrix(r), e.rows, e.columns, e.columns, 1}, waiting,
        [&](int64_t n) HWY_ATTR { return columns.load(x + n * step() + r * e.width); }, finish);
  }
  // Those of A_r^T passed, a vector a row.
  template <class Finish>
  HWY_INLINE void transposed_sums(int64_t r, const T* passed, Finish&& finish) const {
    weighted_sums(
        Weights<T>{matrix(r), e.columns, e.rows, 1, e.columns}, waiting,
        [&](int64_t m) HWY_ATTR { return hn::LoadU(columns.d, passed + m * columns.kLanes); }, finish);
  }
};

// x where the gate's sum lets it pass. A NaN passes, so that it is seen.
template <class Vec>
HWY_INLINE Vec passing(Vec gate, Vec x) {
  return hn::IfThenZeroElse(hn::Le(gate, hn::Zero(hn::DFromV<Vec>())), x);
}

// `gates` has room for a vector a row.
template <class T, bool kWhole>
HWY_INLINE void propagate_columns(const Walk<T, kWhole>& walk, T* y, const T* x, const T* gate, T* gates) {
  const auto& columns = walk.columns;
  const auto share = hn::Set(columns.d, T(1) / static_cast<T>(walk.e.relations));
  for (int64_t r = 0; r < walk.e.relations; ++r) {
    if (gate != nullptr && gate != x)
      walk.sums(r, gate, [&](int64_t m, auto sum) HWY_ATTR {
        hn::StoreU(sum, columns.d, gates + m * columns.kLanes);
      });
    walk.sums(r, x, [&](int64_t m, auto sum) HWY_ATTR {
      if (gate == x) {
        sum = passing(sum, sum);
      } else if (gate != nullptr) {
        sum = passing(hn::LoadU(columns.d, gates + m * columns.kLanes), sum);
      }
      T* const to = y + m * walk.e.width;
      columns.store(hn::MulAdd(share, sum, r == 0 ? hn::Zero(columns.d) : columns.load(to)), to);
    });
  }
}

// `passed` has room for a vector a row: what of g / R passes the gate.
template <class T, bool kWhole>
HWY_INLINE void return_columns(const Walk<T, kWhole>& walk, T* z, const T* g, const T* gate, T* passed) {
  const auto& columns = walk.columns;
  const auto share = hn::Set(columns.d, T(1) / static_cast<T>(walk.e.relations));
  auto shared = [&](int64_t m) HWY_ATTR { return hn::Mul(share, columns.load(g + m * walk.e.width)); };
  auto keep = [&](int64_t m, auto part)
                  HWY_ATTR { hn::StoreU(part, columns.d, passed + m * columns.kLanes); };
  for (int64_t r = 0; r < walk.e.relations; ++r) {
    if (gate != nullptr) {
      walk.sums(r, gate, [&](int64_t m, auto sum) HWY_ATTR { keep(m, passing(sum, shared(m))); });
    } else {
      for (int64_t m = 0; m < walk.e.rows; ++m) keep(m, shared(m));
    }
    walk.transposed_sums(r, passed, [&](int64_t n, auto sum) HWY_ATTR {
      columns.store(sum, z + n * walk.step() + r * walk.e.width);
    });
  }
}

// Calls f(columns, d) for vectors of columns that cover [begin, end).
template <class T, class F>
HWY_INLINE void over_columns(int64_t begin, int64_t end, F&& f) {
  constexpr int64_t lanes = Columns<T, true>::kLanes;
  for (; begin + lanes <= end; begin += lanes) f(Columns<T, true>(lanes), begin);
  if (begin < end) f(Columns<T, false>(end - begin), begin);
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
      const Scratch<T> waiting(e.rows * Columns<T, true>::kLanes), gates(e.rows * Columns<T, true>::kLanes);
      for (int64_t job = first; job < last; ++job) {
        const Strip<T> strip(e, adjacency, gate, job);
        const T* const from = static_cast<const T*>(x) + strip.nodes;
        T* const to = static_cast<T*>(y) + strip.rows;
        over_columns<T>(strip.begin, strip.end,
                        [&]<bool kWhole>(const Columns<T, kWhole>& columns, int64_t d) {
                          const Walk<T, kWhole> walk{e, columns, strip.adjacency, waiting.data()};
                          propagate_columns(walk, to + d, from + d,
                                            strip.gate == nullptr ? nullptr : strip.gate + d, gates.data());
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
      const Scratch<T> waiting(std::max(e.rows, e.columns) * Columns<T, true>::kLanes),
          passed(e.rows * Columns<T, true>::kLanes);
      for (int64_t job = first; job < last; ++job) {
        const Strip<T> strip(e, adjacency, gate, job);
        const T* const from = static_cast<const T*>(g) + strip.rows;
        T* const to = static_cast<T*>(z) + strip.nodes;
        over_columns<T>(strip.begin, strip.end,
                        [&]<bool kWhole>(const Columns<T, kWhole>& columns, int64_t d) {
                          const Walk<T, kWhole> walk{e, columns, strip.adjacency, waiting.data()};
                          return_columns(walk, to + d, from + d,
                                         strip.gate == nullptr ? nullptr : strip.gate + d, passed.data());
                        });
      }
    });
  });
}

}  // namespace tenon::cpu
