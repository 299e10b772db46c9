// Products of rows of two dense matrices where a pattern has an entry. A warp takes eight entries that follow
// each other, wherever their rows end, so that uneven rows share out evenly; it finds the row of the first by
// bisection. The lanes take columns, up to 16 bytes each, and their sums join in a tree: the same bits at
// every run.
//
// Counted for float32, blocks of R x 1, N columns: 2 R N flops an entry; (R + 1) N * 4 bytes, of which the R
// rows of G are mostly those of the entry before and come from the first-level cache. Bound: the second-level
// cache, at half a flop a byte for R = 1.
#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/sparse.h"
#include "cuda/kernels/sparse_lanes.h"

namespace tenon::cuda {
namespace {

constexpr int kWarps = 4;    // in a block; six blocks a multiprocessor leave a thread 80 registers
constexpr int kEntries = 8;  // of a warp

// The list that owns entry e: the last whose offset is at most e.
__device__ inline int64_t list_of(const SparseLists& w, int64_t e) {
  int64_t low = 0, high = w.lists - 1;
  while (low < high) {
    const int64_t middle = (low + high + 1) / 2;
    if (w.offsets[middle] <= e) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

template <class T, int kLane>
__device__ T product_of_rows(const T* g, const T* x, int64_t n) {
  T acc = T(0);
  for (int64_t column = int64_t{threadIdx.x} * kLane; column < n; column += 32 * kLane) {
    const auto a = *reinterpret_cast<const Lane<T, kLane>*>(g + column);
    const auto b = *reinterpret_cast<const Lane<T, kLane>*>(x + column);
    for (int l = 0; l < kLane; ++l) acc = math::fma(a.at[l], b.at[l], acc);
  }
  return sum_of_warp(acc);
}

template <class T, int kLane>
__global__ void __launch_bounds__(32 * kWarps, 6)
    sddmm_kernel(SddmmPlan p, T* __restrict__ values, const T* __restrict__ g, const T* __restrict__ x) {
  const int64_t first = (int64_t{blockIdx.x} * kWarps + threadIdx.y) * kEntries;
  if (first >= p.w.entries) return;
  const int64_t stop = first + kEntries < p.w.entries ? first + kEntries : p.w.entries;
  int64_t list = list_of(p.w, first);
  for (int64_t e = first; e < stop; ++e) {
    while (p.w.offsets[list + 1] <= e) ++list;
    const T* const right = x + p.w.indices[e] * p.x_row;
    for (int r = 0; r < p.block_rows; ++r) {
      const int64_t row = list * p.block_rows + r;
      T sum = T(0);
      if (row < p.rows_g) sum = product_of_rows<T, kLane>(g + row * p.g_row, right, p.n);
      if (threadIdx.x == 0) values[e * p.block_rows + r] = sum;
    }
  }
}

template <class T, int kLane>
void launch_sddmm(const SddmmPlan& p, T* values, const T* g, const T* x) {
  constexpr int64_t kPerBlock = kWarps * kEntries;
  const auto blocks = static_cast<unsigned>((p.w.entries + kPerBlock - 1) / kPerBlock);
  launch("sddmm", sddmm_kernel<T, kLane>, {blocks}, {32, kWarps}, 0, p, values, g, x);
}

}  // namespace

void sddmm(const SddmmPlan& plan, DType dtype, void* values, const void* g, const void* x) {
  visit_floating("sddmm", dtype, [&](auto tag) {
    using T = decltype(tag);
    T* const to = static_cast<T*>(values);
    const T *const left = static_cast<const T*>(g), *const right = static_cast<const T*>(x);
    const int lane = elements_per_lane<T>(4, plan.n, {g, x}, {plan.g_row, plan.x_row});
    if constexpr (sizeof(T) == 4)
      if (lane == 4) return launch_sddmm<T, 4>(plan, to, left, right);
    if (lane == 2) return launch_sddmm<T, 2>(plan, to, left, right);
    launch_sddmm<T, 1>(plan, to, left, right);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(sddmm)
