// QR, Cholesky and triangular solves. Each is a chain of n steps, so a matrix is one block (a solve: one block for 128
// right-hand sides) and the card is filled by the batch; a single large matrix leaves it idle. Within a step a warp takes a
// row or a column, its lanes the elements.
//
// Counted for n x n: QR 8/3 n^3 flops with Q, Cholesky n^3 / 3, a solve n^2 a column; a step reads what is left of the
// matrix, so all are bound by the second-level cache (QR: 2 flops for a float32 read or written, 4 n^3 / 3 of them).
#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/linalg.h"
#include "cuda/kernels/team.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr unsigned kWarps = 8;

template <class T>
__device__ T warp_dot(const T* x, const T* y, int64_t n) {
  T sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += 32) sum = math::fma(x[i], y[i], sum);
  return across_team(sum, Plus());
}

// x <- (I - scale v v^T) x for the columns [from, to) of x, a warp a column. v begins at row k. All threads of a block.
template <class T>
__device__ void reflect(T* x, int64_t m, int64_t k, int64_t from, int64_t to, const T* v, T scale) {
  for (int64_t c = from + threadIdx.y; c < to; c += kWarps) {
    T* const column = x + c * m;
    const T along = scale * warp_dot(v + k, column + k, m - k);
    for (int64_t i = k + threadIdx.x; i < m; i += 32) column[i] = math::fma(-along, v[i], column[i]);
  }
}

// Householder. `memory`: a matrix's reflections and its Q, [n, m] each with a column contiguous, and n scales.
template <class T>
__global__ void __launch_bounds__(32 * kWarps)
    qr_kernel(MatrixBatch a, const T* in, T* q, T* r, T* memory, LinalgStatus* status) {
  const int64_t m = a.rows, n = a.columns, b = blockIdx.x;
  const int64_t thread = threadIdx.y * 32 + threadIdx.x, threads = 32 * kWarps;
  T* const v = memory + b * (2 * m * n + n);
  T *const columns = v + m * n, *const scales = columns + m * n;
  in += b * a.step, q += b * m * n, r += b * n * n;
  for (int64_t e = thread; e < m * n; e += threads) v[e] = in[e % m * a.row + e / m * a.column];
  for (int64_t e = thread; e < n * n; e += threads) r[e] = 0;
  if (thread == 0) status[b] = LinalgStatus::ok;
  __syncthreads();
  for (int64_t k = 0; k < n; ++k) {
    T* const column = v + k * m;
    // Every warp finds the reflection; the first writes it.
    T largest = 0;
    for (int64_t i = k + threadIdx.x; i < m; i += 32)
      largest = math::maximum(
          largest, column[i] - column[i] == 0 ? std::fabs(column[i]) : std::numeric_limits<T>::quiet_NaN());
    largest = across_team(largest, Largest());
    const T unit = largest > 0 ? 1 / largest : T(0);
    T tail = 0;
    for (int64_t i = k + 1 + threadIdx.x; i < m; i += 32)
      tail = math::fma(column[i] * unit, column[i] * unit, tail);
    tail = across_team(tail, Plus());
    const T head = column[k] * unit;
    const T image = -std::copysign(std::sqrt(head * head + tail), head);
    const T scale = largest > 0 ? (image - head) / image : T(0);
    __syncthreads();  // all have read the column
    if (threadIdx.y == 0) {
      for (int64_t i = threadIdx.x; i < k; i += 32) r[i * n + k] = column[i];
      for (int64_t i = threadIdx.x; i < m; i += 32) {
        const T below = largest > 0 ? column[i] * unit / (head - image) : T(0);
        column[i] = i < k ? T(0) : i == k ? T(1) : below;
      }
      if (threadIdx.x == 0) {
        r[k * n + k] = image * largest;
        scales[k] = scale;
        if (largest != largest) status[b] = LinalgStatus::not_finite;
      }
    }
    __syncthreads();
    reflect(v, m, k, k + 1, n, column, scale);
    __syncthreads();
  }
  for (int64_t e = thread; e < m * n; e += threads) columns[e] = e % m == e / m ? T(1) : T(0);
  __syncthreads();
  for (int64_t k = n - 1; k >= 0; --k) {
    reflect(columns, m, k, k, n, v + k * m, scales[k]);
    __syncthreads();
  }
  // Signs that make the diagonal of R positive; they are read before any is changed.
  for (int64_t j = thread; j < n; j += threads) scales[j] = r[j * n + j] < 0 ? T(-1) : T(1);
  __syncthreads();
  for (int64_t e = thread; e < n * n; e += threads) r[e] *= scales[e / n];
  for (int64_t e = thread; e < m * n; e += threads) q[e] = columns[e % n * m + e / n] * scales[e % n];
}

// Column by column: L_jj is the root of what the row leaves, L_ij = (A_ij - L_i . L_j) / L_jj.
template <class T>
__global__ void __launch_bounds__(32 * kWarps)
    cholesky_kernel(MatrixBatch a, const T* in, T* l, LinalgStatus* status) {
  const int64_t n = a.rows, b = blockIdx.x;
  in += b * a.step, l += b * n * n;
  auto element = [&](int64_t i, int64_t j) {
    return T(0.5) * in[i * a.row + j * a.column] + T(0.5) * in[j * a.row + i * a.column];
  };
  bool positive = true;
  for (int64_t j = 0; j < n; ++j) {
    const T rest = element(j, j) - warp_dot(l + j * n, l + j * n, j);
    positive = positive && rest > 0 && rest - rest == 0;
    const T root = std::sqrt(positive ? rest : T(1));
    for (int64_t i = threadIdx.y; i < n; i += kWarps) {
      const T dot = i > j ? warp_dot(l + i * n, l + j * n, j) : T(0);
      if (threadIdx.x == 0) l[i * n + j] = i > j ? (element(i, j) - dot) / root : i == j ? root : T(0);
    }
    __syncthreads();
  }
  if (threadIdx.x == 0 && threadIdx.y == 0)
    status[b] = positive ? LinalgStatus::ok : LinalgStatus::not_positive_definite;
}

// Substitution, a thread a column of X.
template <class T>
__global__ void solve_triangular_kernel(TriangularPlan plan, const T* a, T* x) {
  const int64_t n = plan.n, c = int64_t{blockIdx.y} * blockDim.x + threadIdx.x, b = blockIdx.x;
  if (c >= plan.columns) return;
  a += b * n * n, x += b * n * plan.columns + c;
  const bool upwards = plan.upper != plan.transposed;
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = upwards ? n - 1 - step : step;
    T value = x[i * plan.columns];
    for (int64_t done = 0; done < step; ++done) {
      const int64_t j = upwards ? n - 1 - done : done;
      value = math::fma(-(plan.transposed ? a[j * n + i] : a[i * n + j]), x[j * plan.columns], value);
    }
    x[i * plan.columns] = value / a[i * n + i];
  }
}

}  // namespace

void qr(const MatrixBatch& a, DType dtype, const void* in, void* q, void* r, LinalgStatus* status) {
  visit_floating("qr", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Scratch memory(static_cast<size_t>(a.count * (2 * a.rows * a.columns + a.columns)) * sizeof(T));
    launch("qr", qr_kernel<T>, {static_cast<unsigned>(a.count)}, {32, kWarps}, 0, a,
           static_cast<const T*>(in), static_cast<T*>(q), static_cast<T*>(r), memory.as<T>(), status);
  });
}

void cholesky(const MatrixBatch& a, DType dtype, const void* in, void* l, LinalgStatus* status) {
  visit_floating("cholesky", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("cholesky", cholesky_kernel<T>, {static_cast<unsigned>(a.count)}, {32, kWarps}, 0, a,
           static_cast<const T*>(in), static_cast<T*>(l), status);
  });
}

void solve_triangular(const TriangularPlan& plan, DType dtype, const void* a, void* x) {
  constexpr int64_t kColumns = 128;
  visit_floating("solve_triangular", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch(
        "solve_triangular", solve_triangular_kernel<T>,
        {static_cast<unsigned>(plan.count), static_cast<unsigned>((plan.columns + kColumns - 1) / kColumns)},
        {kColumns}, 0, plan, static_cast<const T*>(a), static_cast<T*>(x));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(qr)
TENON_CUDA_ENTRY(cholesky)
TENON_CUDA_ENTRY(solve_triangular)
