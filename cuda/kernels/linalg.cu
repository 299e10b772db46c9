// QR, Cholesky and triangular solves. Each is a chain of n steps, so a matrix is one block (a solve: one block for 128
// right-hand sides) and the card is filled by the batch; a single large matrix leaves it idle. Within a step a warp takes a
// row or a column, its lanes the elements.
//
// Counted for n x n: QR 8/3 n^3 flops with Q, Cholesky n^3 / 3, a solve n^2 a column. A step of Cholesky and of a solve reads
// what is left of the matrix from the second-level cache. QR keeps the matrix in shared memory where 4 m n bytes fit, 2 flops
// for a number read or written; a step there is two sums over a warp, the making of a reflection (three more) and a barrier,
// about a microsecond forwards and half of one back: 0.15 ms for 192 x 96.
#include <algorithm>

#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/linalg.h"
#include "cuda/kernels/team.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr unsigned kWarps = 8;  // of a block of Cholesky
// Of a block of QR, a warp a column as far as registers go.
template <class T>
constexpr unsigned kMostQrWarps = sizeof(T) == 4 ? 32 : 16;

template <class T>
__device__ T warp_dot(const T* x, const T* y, int64_t n) {
  T sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += 32) sum = math::fma(x[i], y[i], sum);
  return across_team(sum, Plus());
}

// x <- (I - scale v v^T) x for a column x, by a warp. v is 1 at row k and counts from there on.
template <class T>
__device__ void reflect(T* x, const T* v, T scale, int64_t m, int64_t k) {
  const T along = scale * warp_dot(v + k, x + k, m - k);
  for (int64_t i = k + threadIdx.x; i < m; i += 32) x[i] = math::fma(-along, v[i], x[i]);
  __syncwarp();
}

// The reflection that takes a column to its first k rows and a value in row k, by a warp: that part of it is column k of R,
// and v is left in place of it, with zeros above row k. Returns its scale.
template <class T>
__device__ T make_reflection(T* column, T* r, int64_t m, int64_t n, int64_t k, LinalgStatus* status) {
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
  const T below = largest > 0 ? unit / (head - image) : T(0);
  __syncwarp();  // all have read row k
  for (int64_t i = threadIdx.x; i < m; i += 32) {
    if (i < k) r[i * n + k] = column[i];
    column[i] = i < k ? T(0) : i == k ? T(1) : below * column[i];
  }
  if (threadIdx.x == 0) {
    r[k * n + k] = image * largest;
    if (largest != largest) *status = LinalgStatus::not_finite;
  }
  __syncwarp();
  return largest > 0 ? (image - head) / image : T(0);
}

// Householder. A block's columns lie behind each other, an odd pitch apart so that a row of them meets all banks, first
// those of A, then the reflections, then those of Q; and behind them n scales.
inline TENON_HD int64_t qr_pitch(int64_t m) { return m | 1; }
inline TENON_HD int64_t qr_numbers(int64_t m, int64_t n) { return n * qr_pitch(m) + n; }

// A step is one barrier: the warp that first has the next column makes its reflection while the others are still at theirs.
template <class T, bool kInShared>
__global__ void __launch_bounds__(32 * kMostQrWarps<T>, 1)
    qr_kernel(MatrixBatch a, const T* in, T* q, T* r, T* memory, LinalgStatus* status) {
  TENON_DYNAMIC_SHARED(T, shared);
  const int64_t m = a.rows, n = a.columns, b = blockIdx.x, pitch = qr_pitch(m);
  const int64_t warp = threadIdx.y, warps = blockDim.y;
  const int64_t thread = warp * 32 + threadIdx.x, threads = 32 * warps;
  T* const columns = kInShared ? shared : memory + b * qr_numbers(m, n);
  T* const scales = columns + n * pitch;
  in += b * a.step, q += b * m * n, r += b * n * n, status += b;
  for (int64_t c = warp; c < n; c += warps)
    for (int64_t i = threadIdx.x; i < m; i += 32) columns[c * pitch + i] = in[i * a.row + c * a.column];
  for (int64_t e = thread; e < n * n; e += threads) r[e] = 0;
  if (thread == 0) *status = LinalgStatus::ok;
  __syncthreads();
  const auto make = [&](int64_t k) {
    const T scale = make_reflection(columns + k * pitch, r, m, n, k, status);
    if (threadIdx.x == 0) scales[k] = scale;
  };
  if (warp == 0) make(0);
  __syncthreads();
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t c = k + 1 + warp; c < n; c += warps) {
      reflect(columns + c * pitch, columns + k * pitch, scales[k], m, k);
      if (c == k + 1) make(c);
    }
    __syncthreads();
  }
  // Q = H_0 .. H_(n-1) I, from the last reflection to the first. A reflection becomes its column of Q, which is
  // H_k e_k = e_k - scale v, when no other column needs it any more.
  const auto begin = [&](int64_t k) {
    for (int64_t i = threadIdx.x; i < m; i += 32)
      columns[k * pitch + i] = (i == k ? T(1) : T(0)) - scales[k] * columns[k * pitch + i];
    __syncwarp();
  };
  for (int64_t k = n - 1; k >= 0; --k) {
    for (int64_t c = k + 1 + warp; c < n; c += warps) {
      if (c == k + 1) begin(c);
      reflect(columns + c * pitch, columns + k * pitch, scales[k], m, k);
    }
    __syncthreads();
  }
  if (warp == 0) begin(0);
  __syncthreads();
  // Signs that make the diagonal of R positive; they are read before any is changed.
  for (int64_t j = thread; j < n; j += threads) scales[j] = r[j * n + j] < 0 ? T(-1) : T(1);
  __syncthreads();
  for (int64_t i = warp; i < n; i += warps)
    for (int64_t j = threadIdx.x; j < n; j += 32) r[i * n + j] *= scales[i];
  for (int64_t i = warp; i < m; i += warps)
    for (int64_t j = threadIdx.x; j < n; j += 32) q[i * n + j] = columns[j * pitch + i] * scales[j];
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
    const size_t bytes = static_cast<size_t>(qr_numbers(a.rows, a.columns)) * sizeof(T);
    const Dim3 block{32, static_cast<unsigned>(std::min<int64_t>(a.columns, kMostQrWarps<T>))};
    constexpr size_t kStatic = 1024;  // the kernel's own arrays
    const bool fits = bytes + kStatic <= shared_memory_limit();
    const Scratch memory(fits ? 1 : static_cast<size_t>(a.count) * bytes);
    launch("qr", fits ? qr_kernel<T, true> : qr_kernel<T, false>, {static_cast<unsigned>(a.count)}, block,
           fits ? bytes : sizeof(T), a, static_cast<const T*>(in), static_cast<T*>(q), static_cast<T*>(r),
           memory.as<T>(), status);
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
