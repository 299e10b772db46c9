// y = W x with both sparse. A warp takes one list of W (a row of blocks) and one vector: lane r + R s adds row r of the
// entries s, s + 32 / R, ..., reads an entry's x first and its value only where x is not 0; the 32 / R sums of a row join
// in a tree. Sums run in an order that the pattern fixes, zeros adding nothing: the same bits at every run.
//
// Bound: memory. An entry costs 4 bytes of index and a line of x, which the first cache holds, and R * 4 bytes of values
// where x is used: with R = 16 whole sectors of 64 bytes go unread for columns that are not, so a product at 40 % used
// columns reads 44 % of a dense one's bytes. But 4096 rows in blocks of 16 are 256 warps, too few to ask a card's memory for
// much: on an H200 788 us, where the dense product takes 33; as CSR, a warp a row, 125, and 13 with a tenth of the entries.
#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/sparse.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {
namespace {

constexpr int kWarps = 4;  // of a block

template <int kRows, class T>
__global__ void __launch_bounds__(32 * kWarps)
    spmspv_kernel(SpmspvPlan p, T* __restrict__ y, const T* __restrict__ values, const T* __restrict__ x,
                  const T* __restrict__ bias) {
  constexpr int kEntries = 32 / kRows;  // at once
  const int64_t slot = int64_t{blockIdx.x} * kWarps + threadIdx.y;
  if (slot >= p.w.lists) return;  // the whole warp
  const int64_t list = p.w.order[slot];
  const int lane = static_cast<int>(threadIdx.x), row = lane % kRows;
  const int begin = p.w.offsets[list] + lane / kRows, end = p.w.offsets[list + 1];
  const int64_t m = list * kRows + row;
  TENON_ROLLED for (int64_t b = blockIdx.y; b < p.batch; b += gridDim.y) {
    const T* const from = x + b * p.columns;
    T sum = T(0);
    TENON_ROLLED for (int64_t e = begin; e < end; e += kEntries) {
      const T factor = from[p.w.indices[e]];
      if (factor != T(0)) sum += factor * values[e * kRows + row];
    }
    for (int distance = 16; distance >= kRows; distance /= 2)
      sum += __shfl_xor_sync(0xffffffffu, sum, distance);
    if (lane >= kRows || m >= p.rows) continue;
    if (bias != nullptr) sum += bias[m];
    y[b * p.rows + m] = p.relu ? math::maximum(sum, T(0)) : sum;
  }
}

}  // namespace

void spmspv(const SpmspvPlan& plan, DType dtype, void* y, const void* values, const void* x,
            const void* bias) {
  visit_floating("spmspv", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_block_rows(plan.block_rows, [&](auto rows) {
      const auto blocks = static_cast<unsigned>((plan.w.lists + kWarps - 1) / kWarps);
      const auto batch = static_cast<unsigned>(plan.batch < 65535 ? plan.batch : 65535);
      launch("spmspv", spmspv_kernel<decltype(rows)::value, T>, {blocks, batch}, {32, kWarps}, 0, plan,
             static_cast<T*>(y), static_cast<const T*>(values), static_cast<const T*>(x),
             static_cast<const T*>(bias));
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(spmspv)
