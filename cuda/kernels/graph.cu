// Propagation along the edges of small dense graphs (core/ops/graph.h). A warp takes 32 neighbouring columns of one
// graph, a lane a column. A tile of the adjacency, 8 rows by at most 64 columns, waits in shared memory; a lane
// holds the 8 sums of its column in registers and walks down x, so that x is read once for every 8 rows: once in
// all for graphs of up to 8 vertices. Neighbouring lanes read neighbouring addresses; all lanes read the same
// place of the tile, which is a broadcast, and its 8 rows lie side by side for wide loads. Warps do not wait for
// one another.
//
// The transposed form finds the gate's 8 sums in the same way, keeps what of g passes in registers, and adds
// its part to z, which no other lane touches: sums have an order fixed by the sizes.
//
// Bound: memory. A float32 graph moves 4 (R N D + M D + R M N) bytes (and R N D more for a gate in the transposed
// form) for 2 R M N D flops: 2.3 flops a byte at the neural predictor's 7 vertices, R = 2, D = 144.
// 4096 such graphs take 77 us on an H200, the transposed form 102: 15 and 19 % of its memory's rate (18 and 30 us were predicted).
#include "core/ops/contract.h"
#include "cuda/kernels/graph.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {
namespace {

constexpr int kWarp = 32, kWarps = 4;  // of a block
constexpr int kRows = 8, kColumns = 64;
constexpr int kTile = kRows * kColumns;
constexpr unsigned kAllLanes = 0xffffffffU;

// Which column a lane works on, and where its tile is.
template <class T>
struct Lane {
  int64_t graph, column;
  bool exists;  // the column; the graph always does
  T* tile;      // [kColumns][kRows]

  __device__ Lane(const GraphExtents& e, int64_t item, T* tiles) {
    const int64_t strips = (e.width + kWarp - 1) / kWarp;
    graph = item / strips;
    column = item % strips * kWarp + threadIdx.x;
    exists = column < e.width;
    tile = tiles + threadIdx.y * kTile;
  }

  // Rows m0 .. m0 + 7 and `count` columns from n0 of a matrix; rows beyond the last are 0.
  __device__ void load(const GraphExtents& e, const T* matrix, int64_t m0, int64_t n0, int count) const {
    __syncwarp(kAllLanes);  // the tile before has been read
    TENON_ROLLED
    for (int i = 0; i < kRows; ++i) TENON_ROLLED
    for (int n = static_cast<int>(threadIdx.x); n < count; n += kWarp)
      tile[n * kRows + i] = m0 + i < e.rows ? matrix[(m0 + i) * e.columns + n0 + n] : T(0);
    __syncwarp(kAllLanes);
  }
};

__device__ inline int columns_from(const GraphExtents& e, int64_t n0) {
  return static_cast<int>(e.columns - n0 < kColumns ? e.columns - n0 : kColumns);
}

// sums[i] = sum_n A[m0 + i, n] x[n step], for the lane's column; with `other` also those of other[n step].
template <bool kOther, class T>
__device__ void weighted_sums(const Lane<T>& lane, const GraphExtents& e, const T* matrix, int64_t m0,
                              const T* __restrict__ x, const T* __restrict__ other, T (&sums)[kRows],
                              T (&others)[kRows]) {
  const int64_t step = e.relations * e.width;
  TENON_UNROLL
  for (int i = 0; i < kRows; ++i) sums[i] = others[i] = T(0);
  for (int64_t n0 = 0; n0 < e.columns; n0 += kColumns) {
    const int count = columns_from(e, n0);
    lane.load(e, matrix, m0, n0, count);
    if (!lane.exists) continue;
    for (int n = 0; n < count; ++n) {
      const T v = x[(n0 + n) * step], w = kOther ? other[(n0 + n) * step] : T(0);
      TENON_UNROLL
      for (int i = 0; i < kRows; ++i) {
        sums[i] += lane.tile[n * kRows + i] * v;
        if constexpr (kOther) others[i] += lane.tile[n * kRows + i] * w;
      }
    }
  }
}

enum class Gate { none, same, other };

// Of a gate's sum. A NaN passes, so that it is seen.
template <class T>
__device__ bool passes(T sum) {
  return !(sum <= T(0));
}

template <Gate kGate, class T>
__global__ void __launch_bounds__(kWarp* kWarps, 4)
    propagate_kernel(GraphExtents e, int64_t items, T* __restrict__ y, const T* __restrict__ adjacency,
                     const T* __restrict__ x, const T* __restrict__ gate) {
  TENON_SHARED(T, tiles, kWarps * kTile);
  const int64_t item = int64_t{blockIdx.x} * kWarps + threadIdx.y;
  if (item >= items) return;  // a whole warp
  const Lane<T> lane(e, item, tiles);
  const T share = T(1) / static_cast<T>(e.relations);
  for (int64_t m0 = 0; m0 < e.rows; m0 += kRows) {
    T total[kRows] = {};
    for (int64_t r = 0; r < e.relations; ++r) {
      const T* const matrix = adjacency + (lane.graph * e.relations + r) * e.rows * e.columns;
      const int64_t first = (lane.graph * e.columns * e.relations + r) * e.width + lane.column;
      T sums[kRows], gates[kRows];
      weighted_sums<kGate == Gate::other>(lane, e, matrix, m0, x + first, gate + first, sums, gates);
      TENON_UNROLL
      for (int i = 0; i < kRows; ++i)
        if (kGate == Gate::none || passes(kGate == Gate::same ? sums[i] : gates[i])) total[i] += sums[i];
    }
    if (!lane.exists) continue;
    TENON_UNROLL
    for (int i = 0; i < kRows; ++i)
      if (m0 + i < e.rows) y[(lane.graph * e.rows + m0 + i) * e.width + lane.column] = share * total[i];
  }
}

template <bool kGated, class T>
__global__ void __launch_bounds__(kWarp* kWarps, 4)
    transposed_kernel(GraphExtents e, int64_t items, T* __restrict__ z, const T* __restrict__ adjacency,
                      const T* __restrict__ g, const T* __restrict__ gate) {
  TENON_SHARED(T, tiles, kWarps * kTile);
  const int64_t item = int64_t{blockIdx.x} * kWarps + threadIdx.y;
  if (item >= items) return;
  const Lane<T> lane(e, item, tiles);
  const T share = T(1) / static_cast<T>(e.relations);
  const int64_t step = e.relations * e.width;
  for (int64_t m0 = 0; m0 < e.rows; m0 += kRows)
    for (int64_t r = 0; r < e.relations; ++r) {
      const T* const matrix = adjacency + (lane.graph * e.relations + r) * e.rows * e.columns;
      const int64_t first = (lane.graph * e.columns * e.relations + r) * e.width + lane.column;
      T passed[kRows], gates[kRows], unused[kRows];
      if constexpr (kGated) weighted_sums<false>(lane, e, matrix, m0, gate + first, gate, gates, unused);
      TENON_UNROLL
      for (int i = 0; i < kRows; ++i) {
        passed[i] = T(0);
        if (lane.exists && m0 + i < e.rows && (!kGated || passes(gates[i])))
          passed[i] = share * g[(lane.graph * e.rows + m0 + i) * e.width + lane.column];
      }
      for (int64_t n0 = 0; n0 < e.columns; n0 += kColumns) {
        const int count = columns_from(e, n0);
        lane.load(e, matrix, m0, n0, count);
        if (!lane.exists) continue;
        for (int n = 0; n < count; ++n) {
          T* const to = z + first + (n0 + n) * step;
          T sum = m0 == 0 ? T(0) : *to;
          TENON_UNROLL
          for (int i = 0; i < kRows; ++i) sum += lane.tile[n * kRows + i] * passed[i];
          *to = sum;
        }
      }
    }
}

template <class Kernel, class T>
void run(const char* name, Kernel kernel, const GraphExtents& e, T* to, const void* adjacency,
         const void* from, const void* gate) {
  const int64_t items = e.graphs * ((e.width + kWarp - 1) / kWarp), blocks = (items + kWarps - 1) / kWarps;
  TENON_CHECK(blocks <= 0x7fffffff, name, ": ", items, " strips are too many for one launch");
  launch(name, kernel, {static_cast<unsigned>(blocks)}, {kWarp, kWarps}, 0, e, items, to,
         static_cast<const T*>(adjacency), static_cast<const T*>(from), static_cast<const T*>(gate));
}

}  // namespace

void graph_propagate(const GraphExtents& e, DType dtype, void* y, const void* adjacency, const void* x,
                     const void* gate) {
  visit_floating("graph_propagate", dtype, [&](auto tag) {
    using T = decltype(tag);
    // A gate that is not looked at is x, so that pointers into it stay inside an allocation.
    const void* const looked_at = gate == nullptr ? x : gate;
    const auto kernel = gate == nullptr ? propagate_kernel<Gate::none, T>
                        : gate == x     ? propagate_kernel<Gate::same, T>
                                        : propagate_kernel<Gate::other, T>;
    run("graph_propagate", kernel, e, static_cast<T*>(y), adjacency, x, looked_at);
  });
}

void graph_propagate_transposed(const GraphExtents& e, DType dtype, void* z, const void* adjacency,
                                const void* g, const void* gate) {
  visit_floating("graph_propagate_transposed", dtype, [&](auto tag) {
    using T = decltype(tag);
    const auto kernel = gate == nullptr ? transposed_kernel<false, T> : transposed_kernel<true, T>;
    run("graph_propagate_transposed", kernel, e, static_cast<T*>(z), adjacency, g, gate);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(graph_propagate)
TENON_CUDA_ENTRY(graph_propagate_transposed)
