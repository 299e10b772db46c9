// Y = W X with W sparse. A warp takes one list of W and 32 lanes' worth of columns: it brings 32 entries at a
// time into its lanes, one each, and passes them round by shuffles; for each, the lanes load neighbouring
// columns of one row of X, up to 16 bytes each, and add to sums in registers. The lists of a block of four
// warps follow each other in the order of falling length, so that warps of a block end together and the long
// lists start first. With a single column the lanes take entries instead, and their sums join in a tree. Each
// sum runs in an order that the pattern fixes: the same bits at every run.
//
// Counted for float32 and blocks of R x 1, N columns: 2 R N flops an entry; N * 4 bytes of X an entry (from the
// second-level cache, where X of K N * 4 bytes fits), R * 4 + 4 of the entry for every tile of columns. So R = 1
// is bound by the second-level cache at half a flop a byte, and blocks are R times denser.
#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/sparse.h"
#include "cuda/kernels/sparse_lanes.h"
#include "cuda/library/products.h"
#include "cuda/runtime/settings.h"
#include "cuda/runtime/stream.h"

namespace tenon::cuda {
namespace {

constexpr int kWarps = 4;  // in a block, and four blocks a multiprocessor leave a thread 128 registers
constexpr unsigned kAll = 0xffffffffu;

// Calls f(row of X, its value of row o, o) ... for the rows that an entry reads: one, or kIn of which those
// beyond the matrix are left out.
template <int kIn, class F>
__device__ void for_each_row(int64_t index, int64_t rows_x, F&& f) {
  for (int i = 0; i < kIn; ++i)
    if (kIn == 1 || index * kIn + i < rows_x) f(index * kIn + i, i);
}

template <class T>
__device__ void write_sum(const SpmmPlan& p, T* y, int64_t row, T sum, const T* bias) {
  if (bias != nullptr) sum += bias[row];
  *y = p.relu ? math::maximum(sum, T(0)) : sum;
}

template <class T, int kOut, int kIn, int kLane>
__global__ void __launch_bounds__(32 * kWarps, 4)
    spmm_kernel(SpmmPlan p, T* __restrict__ y, const T* __restrict__ values, const T* __restrict__ x,
                const T* __restrict__ bias) {
  constexpr int kValues = kOut * kIn;
  const int64_t slot = int64_t{blockIdx.x} * kWarps + threadIdx.y;
  if (slot >= p.w.lists) return;
  const int64_t list = p.w.order[slot];
  const int begin = p.w.offsets[list], end = p.w.offsets[list + 1];
  const int lane = static_cast<int>(threadIdx.x);
  for (int64_t tile = blockIdx.y; tile * (32 * kLane) < p.n; tile += gridDim.y) {
    const int64_t column = (tile * 32 + lane) * kLane;
    const bool inside = column < p.n;
    T acc[kOut][kLane] = {};
    for (int base = begin; base < end; base += 32) {
      const int count = end - base < 32 ? end - base : 32;
      int index = 0, position = 0;
      T value = T(0);
      if (lane < count) {
        index = p.w.indices[base + lane];
        position = p.w.positions != nullptr ? p.w.positions[base + lane] : base + lane;
        if (kValues == 1) value = values[position];
      }
      for (int j = 0; j < count; ++j) {
        const int from = __shfl_sync(kAll, index, j), at = __shfl_sync(kAll, position, j);
        const T single = kValues == 1 ? __shfl_sync(kAll, value, j) : T(0);
        if (!inside) continue;
        for_each_row<kIn>(from, p.rows_x, [&](int64_t row, int i) {
          const auto element = *reinterpret_cast<const Lane<T, kLane>*>(x + row * p.x_row + column);
          for (int o = 0; o < kOut; ++o) {
            const T w = kValues == 1 ? single : values[int64_t{at} * kValues + o + i];
            for (int l = 0; l < kLane; ++l) acc[o][l] = math::fma(w, element.at[l], acc[o][l]);
          }
        });
      }
    }
    if (!inside) continue;
    for (int o = 0; o < kOut && list * kOut + o < p.rows_y; ++o) {
      const int64_t row = list * kOut + o;
      Lane<T, kLane> out;
      for (int l = 0; l < kLane; ++l) write_sum(p, &out.at[l], row, acc[o][l], bias);
      *reinterpret_cast<Lane<T, kLane>*>(y + row * p.n + column) = out;
    }
  }
}

// One column.
template <class T, int kOut, int kIn>
__global__ void __launch_bounds__(32 * kWarps, 4)
    spmv_kernel(SpmmPlan p, T* __restrict__ y, const T* __restrict__ values, const T* __restrict__ x,
                const T* __restrict__ bias) {
  const int64_t slot = int64_t{blockIdx.x} * kWarps + threadIdx.y;
  if (slot >= p.w.lists) return;
  const int64_t list = p.w.order[slot];
  T acc[kOut] = {};
  for (int e = p.w.offsets[list] + static_cast<int>(threadIdx.x); e < p.w.offsets[list + 1]; e += 32) {
    const int64_t position = p.w.positions != nullptr ? p.w.positions[e] : e;
    for_each_row<kIn>(p.w.indices[e], p.rows_x, [&](int64_t row, int i) {
      const T element = x[row * p.x_row];
      for (int o = 0; o < kOut; ++o)
        acc[o] = math::fma(values[position * (kOut * kIn) + o + i], element, acc[o]);
    });
  }
  for (int o = 0; o < kOut; ++o) {
    const T sum = sum_of_warp(acc[o]);
    const int64_t row = list * kOut + o;
    if (threadIdx.x == 0 && row < p.rows_y) write_sum(p, y + row, row, sum, bias);
  }
}

template <class T, int kOut, int kIn, int kLane>
void launch_spmm(const SpmmPlan& p, Dim3 grid, T* y, const T* values, const T* x, const T* bias) {
  launch("spmm", spmm_kernel<T, kOut, kIn, kLane>, grid, {32, kWarps}, 0, p, y, values, x, bias);
}

template <class T, int kOut, int kIn>
void run_spmm(const SpmmPlan& p, T* y, const T* values, const T* x, const T* bias) {
  const auto blocks = static_cast<unsigned>((p.w.lists + kWarps - 1) / kWarps);
  if (p.n == 1) {
    launch("spmv", spmv_kernel<T, kOut, kIn>, {blocks}, {32, kWarps}, 0, p, y, values, x, bias);
    return;
  }
  constexpr int kMost = kOut <= 4 ? 4 : 16 / kOut;  // so that the sums stay in registers
  const int lane = elements_per_lane<T>(kMost, p.n, {x, y}, {p.x_row});
  const int64_t tiles = (p.n + 32 * lane - 1) / (32 * lane);
  const Dim3 grid{blocks, static_cast<unsigned>(tiles < 65535 ? tiles : 65535)};
  if constexpr (kMost >= 4 && sizeof(T) == 4)
    if (lane == 4) return launch_spmm<T, kOut, kIn, 4>(p, grid, y, values, x, bias);
  if constexpr (kMost >= 2)
    if (lane == 2) return launch_spmm<T, kOut, kIn, 2>(p, grid, y, values, x, bias);
  launch_spmm<T, kOut, kIn, 1>(p, grid, y, values, x, bias);
}

// Bias and relu are ours.
void spmm_by_cusparse(const SpmmPlan& p, DType dtype, void* y, const void* values, const void* x,
                      const void* bias) {
  Loop<2> results;  // y and what it is copied from
  results.rank = 2;
  results.numel = p.rows_y * p.n;
  results.extent[0] = p.rows_y, results.extent[1] = p.n;
  results.stride[0][0] = p.n, results.stride[0][1] = 1;
  results.stride[1][0] = 1, results.stride[1][1] = 0;
  if (bias != nullptr) copy(results, dtype, y, dtype, bias);
  if (p.w.entries > 0) {
    library::spmm(p, dtype, y, values, x, bias != nullptr ? 1 : 0);
  } else if (bias == nullptr) {
    clear_async(y, static_cast<size_t>(results.numel) * size_of(dtype));
  }
  results.stride[1][0] = p.n, results.stride[1][1] = 1;
  if (p.relu) unary(Unary::relu, results, dtype, y, y, 0, 0);
}

}  // namespace

void spmm(const SpmmPlan& plan, DType dtype, void* y, const void* values, const void* x, const void* bias) {
  if (settings().spmm_by_cusparse) return spmm_by_cusparse(plan, dtype, y, values, x, bias);
  visit_floating("spmm", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_blocks(plan, [&](auto out, auto in) {
      run_spmm<T, decltype(out)::value, decltype(in)::value>(
          plan, static_cast<T*>(y), static_cast<const T*>(values), static_cast<const T*>(x),
          static_cast<const T*>(bias));
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(spmm)
TENON_CUDA_ENTRY(spmm_transposed)
