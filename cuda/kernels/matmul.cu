// C = A B, batched, float32 and float64, with strides, so that a transposed operand needs no copy.
//
// A block of 256 threads computes a 64 x 64 tile of C, a thread 4 x 4 of it in registers. Along k it goes in
// steps of 16: the block brings a 64 x 16 piece of A and a 16 x 64 piece of B into shared memory, and every
// value there is used 64 times. The sum over k runs in order for each element of C: the same bits at every
// run.
//
// Counted for float32, n x n x n: 2 n^3 flops; n^3 / 8 bytes from global memory (each operand n / 64 times),
// that is 16 flops a byte, or 48 TFLOP/s at 3.0 TB/s even if no load hits the second-level cache. In the
// inner loop a thread reads 8 values from shared memory for 16 multiply-adds, and that is what bounds it: to
// be widened when a card can time it.
#include <algorithm>

#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/matmul.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {
namespace {

constexpr int kTile = 64;  // rows and columns of C in a block
constexpr int kStep = 16;  // extent of a step along k
constexpr int kSide = 16;  // threads along either side of the tile
constexpr int kPerThread = kTile / kSide;
constexpr int kPitch = kTile + 1;  // the odd pitch spreads a column of a transposed piece over the banks

// Brings piece[k][i] = x[(first + i) * i_step + (k0 + k) * k_step], zero beyond the edges. Neighbouring
// threads read along the axis whose stride is 1.
template <class T>
__device__ void load_piece(T* piece, const T* x, int64_t first, int64_t extent, int64_t i_step, int64_t k0,
                           int64_t k_extent, int64_t k_step, int thread) {
  for (int item = thread; item < kTile * kStep; item += kSide * kSide) {
    const int i = k_step == 1 ? item / kStep : item % kTile;
    const int k = k_step == 1 ? item % kStep : item / kTile;
    const bool inside = first + i < extent && k0 + k < k_extent;
    piece[k * kPitch + i] = inside ? x[(first + i) * i_step + (k0 + k) * k_step] : T(0);
  }
}

// Two blocks a multiprocessor leave a thread 128 registers; with fewer it spilled on one architecture.
template <class T>
__global__ void __launch_bounds__(kSide* kSide, 2)
    matmul_kernel(MatmulPlan plan, T* __restrict__ c, const T* __restrict__ a, const T* __restrict__ b) {
  TENON_SHARED(T, a_piece, kStep * kPitch);
  TENON_SHARED(T, b_piece, kStep * kPitch);
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int64_t row = int64_t{blockIdx.x} * kTile, column = int64_t{blockIdx.y} * kTile;

  for (int64_t item = blockIdx.z; item < plan.batch.numel; item += gridDim.z) {
    int64_t offset[3];
    plan.batch.offsets_of(item, offset);
    T acc[kPerThread][kPerThread] = {};
    for (int64_t k0 = 0; k0 < plan.k; k0 += kStep) {
      const int thread = ty * kSide + tx;
      load_piece(a_piece, a + offset[1], row, plan.m, plan.a_row, k0, plan.k, plan.a_column, thread);
      load_piece(b_piece, b + offset[2], column, plan.n, plan.b_column, k0, plan.k, plan.b_row, thread);
      __syncthreads();
      for (int k = 0; k < kStep; ++k) {
        T a_part[kPerThread], b_part[kPerThread];
        for (int i = 0; i < kPerThread; ++i) a_part[i] = a_piece[k * kPitch + ty + i * kSide];
        for (int j = 0; j < kPerThread; ++j) b_part[j] = b_piece[k * kPitch + tx + j * kSide];
        for (int i = 0; i < kPerThread; ++i)
          for (int j = 0; j < kPerThread; ++j) acc[i][j] = math::fma(a_part[i], b_part[j], acc[i][j]);
      }
      __syncthreads();  // before the pieces are overwritten
    }
    for (int i = 0; i < kPerThread; ++i)
      for (int j = 0; j < kPerThread; ++j) {
        const int64_t r = row + ty + i * kSide, s = column + tx + j * kSide;
        if (r < plan.m && s < plan.n) c[offset[0] + r * plan.c_row + s] = acc[i][j];
      }
  }
}

unsigned tiles(int64_t extent) { return static_cast<unsigned>((extent + kTile - 1) / kTile); }

}  // namespace

void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b) {
  const unsigned batches = static_cast<unsigned>(std::min<int64_t>(plan.batch.numel, 65535));
  TENON_CHECK(tiles(plan.n) <= 65535, "matmul: ", plan.n, " columns are too many for one launch");
  visit_floating("matmul", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("matmul", matmul_kernel<T>, {tiles(plan.m), tiles(plan.n), batches}, {kSide, kSide}, 0, plan,
           static_cast<T*>(c), static_cast<const T*>(a), static_cast<const T*>(b));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(matmul)
