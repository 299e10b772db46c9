// A job is a strip of neighbouring columns of one graph: its part of x stays in the first-level cache while
// every row of the adjacency passes over it. Of a graph, 4 (R N D + M D + R M N) bytes move for 2 R M N D flops (as
// many again for a gate other than x, and for the transposed form with a gate).
#include "core/cpu/graph.h"

#include <algorithm>
#include <type_traits>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kStrip = 64;  // columns of a job
constexpr int kMostLanes = 32;  // that are summed side by side

int64_t strips_of(const GraphExtents& e) { return (e.width + kStrip - 1) / kStrip; }
int64_t grain_of(const GraphExtents& e) {
  return grain_for_flops(e.relations * e.rows * e.columns * std::min(e.width, kStrip));
}

// acc[l] = sum_i a[i a_step] x[i x_step + l]
template <int kLanes, class T>
inline void weighted_sum(int64_t count, const T* a, int64_t a_step, const T* x, int64_t x_step,
                         T (&acc)[kLanes]) {
  for (int l = 0; l < kLanes; ++l) acc[l] = T(0);
  for (int64_t i = 0; i < count; ++i)
    for (int l = 0; l < kLanes; ++l) acc[l] += a[i * a_step] * x[i * x_step + l];
}

// Calls f(lanes, first) for pieces of 32, 16, 8 and 1 lanes that cover [begin, end). `lanes` is a constant type.
template <class F>
inline void over_lanes(int64_t begin, int64_t end, F&& f) {
  for (; begin + kMostLanes <= end; begin += kMostLanes) f(std::integral_constant<int, kMostLanes>(), begin);
  for (; begin + 16 <= end; begin += 16) f(std::integral_constant<int, 16>(), begin);
  for (; begin + 8 <= end; begin += 8) f(std::integral_constant<int, 8>(), begin);
  for (; begin < end; ++begin) f(std::integral_constant<int, 1>(), begin);
}

// Columns [begin, end) of one graph.
template <class T>
void propagate_strip(const GraphExtents& e, T* y, const T* adjacency, const T* x, const T* gate,
                     int64_t begin, int64_t end) {
  const int64_t step = e.relations * e.width;
  const T share = T(1) / static_cast<T>(e.relations);
  over_lanes(begin, end, [&](auto lanes, int64_t d) {
    constexpr int kLanes = lanes;
    for (int64_t m = 0; m < e.rows; ++m) {
      T total[kLanes] = {};
      for (int64_t r = 0; r < e.relations; ++r) {
        const T* const a = adjacency + (r * e.rows + m) * e.columns;
        T sums[kLanes], gates[kLanes];
        weighted_sum(e.columns, a, 1, x + r * e.width + d, step, sums);
        if (gate == nullptr) {
          for (int l = 0; l < kLanes; ++l) total[l] += sums[l];
        } else if (gate == x) {
          for (int l = 0; l < kLanes; ++l) total[l] += sums[l] > 0 ? sums[l] : T(0);
        } else {
          weighted_sum(e.columns, a, 1, gate + r * e.width + d, step, gates);
          for (int l = 0; l < kLanes; ++l) total[l] += gates[l] > 0 ? sums[l] : T(0);
        }
      }
      for (int l = 0; l < kLanes; ++l) y[m * e.width + d + l] = share * total[l];
    }
  });
}

// As above. `passed` [rows, kMostLanes] holds what of g / R passes the gate.
template <class T>
void transposed_strip(const GraphExtents& e, T* z, const T* adjacency, const T* g, const T* gate,
                      int64_t begin, int64_t end, T* passed) {
  const int64_t step = e.relations * e.width;
  const T share = T(1) / static_cast<T>(e.relations);
  over_lanes(begin, end, [&](auto lanes, int64_t d) {
    constexpr int kLanes = lanes;
    for (int64_t r = 0; r < e.relations; ++r) {
      const T* const a = adjacency + r * e.rows * e.columns;
      for (int64_t m = 0; m < e.rows; ++m) {
        const T* const from = g + m * e.width + d;
        T* const to = passed + m * kLanes;
        if (gate == nullptr) {
          for (int l = 0; l < kLanes; ++l) to[l] = share * from[l];
        } else {
          T gates[kLanes];
          weighted_sum(e.columns, a + m * e.columns, 1, gate + r * e.width + d, step, gates);
          for (int l = 0; l < kLanes; ++l) to[l] = gates[l] > 0 ? share * from[l] : T(0);
        }
      }
      for (int64_t n = 0; n < e.columns; ++n) {
        T sums[kLanes];
        weighted_sum(e.rows, a + n, e.columns, passed, kLanes, sums);
        for (int l = 0; l < kLanes; ++l) z[n * step + r * e.width + d + l] = sums[l];
      }
    }
  });
}

// Calls run(graph, begin, end) for the strips [first, last) of all graphs' strips.
template <class Run>
void for_strips(const GraphExtents& e, int64_t first, int64_t last, Run&& run) {
  const int64_t strips = strips_of(e);
  for (int64_t job = first; job < last; ++job) {
    const int64_t begin = job % strips * kStrip;
    run(job / strips, begin, std::min(e.width, begin + kStrip));
  }
}

// The operands of one graph.
template <class T>
struct Graph {
  const T *adjacency, *gate;
  int64_t nodes, rows;  // where its x (or z) and its y (or g) begin
  Graph(const GraphExtents& e, const void* all, const void* gates, int64_t b)
      : adjacency(static_cast<const T*>(all) + b * e.relations * e.rows * e.columns),
        gate(gates == nullptr ? nullptr
                              : static_cast<const T*>(gates) + b * e.columns * e.relations * e.width),
        nodes(b * e.columns * e.relations * e.width),
        rows(b * e.rows * e.width) {}
};

}  // namespace

void graph_propagate(const GraphExtents& e, DType dtype, void* y, const void* adjacency, const void* x,
                     const void* gate) {
  visit_floating("graph_propagate", dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(e.graphs * strips_of(e), grain_of(e), [&](int64_t first, int64_t last) {
      for_strips(e, first, last, [&](int64_t b, int64_t begin, int64_t end) {
        const Graph<T> graph(e, adjacency, gate, b);
        propagate_strip(e, static_cast<T*>(y) + graph.rows, graph.adjacency,
                        static_cast<const T*>(x) + graph.nodes, graph.gate, begin, end);
      });
    });
  });
}

void graph_propagate_transposed(const GraphExtents& e, DType dtype, void* z, const void* adjacency,
                                const void* g, const void* gate) {
  visit_floating("graph_propagate_transposed", dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(e.graphs * strips_of(e), grain_of(e), [&](int64_t first, int64_t last) {
      const Scratch<T> passed(e.rows * kMostLanes);
      for_strips(e, first, last, [&](int64_t b, int64_t begin, int64_t end) {
        const Graph<T> graph(e, adjacency, gate, b);
        transposed_strip(e, static_cast<T*>(z) + graph.nodes, graph.adjacency,
                         static_cast<const T*>(g) + graph.rows, graph.gate, begin, end, passed.data());
      });
    });
  });
}

}  // namespace tenon::cpu
