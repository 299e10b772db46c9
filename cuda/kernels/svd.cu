// SVD and symmetric eigen: one-sided Jacobi, a block a matrix.
//
// A tall matrix is reduced first, A = Q R (linalg.cu), and Jacobi works on the columns of R^T: the square n x n that is
// left, with the turns gathered in X, fits shared memory up to n = 76 in float32 (8 n^2 bytes of 48 KB); larger ones work
// on global memory, from the caches. The pairs of a sweep are those of a round-robin tournament: n - 1 rounds of n / 2
// pairs that share no column, so that a round runs in parallel and its order does not matter. A pair belongs to a team of
// 8, 16 or 32 lanes, which walk the rows.
//
// Counted: a pair costs 6 n flops for its three dot products and 12 n to turn W and X: 9 n^3 a sweep, 7 to 10 sweeps. In
// shared memory a pair reads 6 n and writes 4 n numbers for those 18 n flops, so that is its bound; n barriers a sweep
// bound small matrices. For many of them the batch fills the card: a block of 64 columns has 512 threads and 33 KB.
//
// A symmetric matrix becomes positive definite as B = A + c I with c = 2 |A|: B V = W has no short columns (its condition
// is at most 3), so W / |W| are the eigenvectors and no X is needed; the values are v^T A v.
#include <algorithm>

#include "core/cpu/jacobi.h"
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/linalg.h"
#include "cuda/kernels/matmul.h"
#include "cuda/kernels/team.h"
#include "cuda/library/products.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/settings.h"

namespace tenon::cuda {
namespace {

constexpr size_t kSharedBytes = 48 * 1024;
constexpr size_t kLeastShared = 16;  // a kernel that may use dynamic shared memory is given some
constexpr int kMaxThreads = 512;
constexpr unsigned kFewestLanes = 8;  // of a team

// Working memory of a block: w and x, [n, n] each with a column contiguous, and n squared lengths.
template <class T>
struct Work {
  T *w, *x, *squares;

  __device__ Work(T* at, int64_t n, bool turns)
      : w(at), x(turns ? at + n * n : nullptr), squares(at + (turns ? 2 : 1) * n * n) {}
  static int64_t size(int64_t n, bool turns) { return (turns ? 2 : 1) * n * n + n; }
};

__device__ inline int thread_of_block() { return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x); }
__device__ inline int threads_of_block() { return static_cast<int>(blockDim.x * blockDim.y); }

// Joins a value of every thread of the block, in a fixed order; all get the result.
template <class T, class Join>
__device__ T across_block(T value, Join join) {
  TENON_SHARED(T, of_team, kMaxThreads / kFewestLanes);
  value = across_team(value, join);
  __syncthreads();  // the array may still be read from the call before
  if (threadIdx.x == 0) of_team[threadIdx.y] = value;
  __syncthreads();
  T all = of_team[0];
  for (unsigned team = 1; team < blockDim.y; ++team) all = join(all, of_team[team]);
  return all;
}

// Largest magnitude of a matrix, NaN if any number is NaN or infinite.
template <class T>
__device__ T largest_in(const MatrixBatch& a, const T* matrix) {
  T largest = 0;
  for (int64_t e = thread_of_block(); e < a.rows * a.columns; e += threads_of_block()) {
    const T v = matrix[e / a.columns * a.row + e % a.columns * a.column];
    largest = math::maximum(largest, v - v == 0 ? std::fabs(v) : std::numeric_limits<T>::quiet_NaN());
  }
  return across_block(largest, Largest());
}

// Pair number k of a round: n players (n even), the last of which stays while the others move around a circle.
__device__ inline void pair_of(int64_t round, int64_t k, int64_t players, int64_t& p, int64_t& q) {
  const int64_t around = players - 1;
  const int64_t a = k == 0 ? around : (round + k) % around;
  const int64_t b = (round + around - k) % around;
  p = a < b ? a : b;
  q = a < b ? b : a;
}

// Sweeps until the columns of w are orthogonal; false if they do not become so. Leaves their squared lengths.
template <class T>
__device__ bool orthogonalise(const Work<T>& work, int64_t n) {
  TENON_SHARED(int, turned, kMaxSweeps);
  const T tolerance = orthogonal_tolerance<T>(n);
  const int64_t players = n + n % 2, pairs = players / 2, teams = blockDim.y;
  for (int s = thread_of_block(); s < kMaxSweeps; s += threads_of_block()) turned[s] = 0;
  __syncthreads();
  bool done = n < 2;
  for (int sweep = 0; sweep < kMaxSweeps && !done; ++sweep) {
    for (int64_t round = 0; round < players - 1; ++round) {
      // All teams go through the same number of steps, since the lanes of a warp sum together.
      for (int64_t first = 0; first < pairs; first += teams) {
        int64_t p = 0, q = n;
        if (first + threadIdx.y < pairs) pair_of(round, first + threadIdx.y, players, p, q);
        const bool exists = q < n;
        T pp = 0, qq = 0, pq = 0;
        if (exists)
          for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
            const T a = work.w[p * n + i], b = work.w[q * n + i];
            pp = math::fma(a, a, pp);
            qq = math::fma(b, b, qq);
            pq = math::fma(a, b, pq);
          }
        pp = across_team(pp, Plus());
        qq = across_team(qq, Plus());
        pq = across_team(pq, Plus());
        if (!exists || orthogonal(pp, qq, pq, tolerance)) continue;
        const PairTurn<T> turn = turn_for(pp, qq, pq);
        for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
          turn.apply(work.w[p * n + i], work.w[q * n + i]);
          if (work.x != nullptr) turn.apply(work.x[p * n + i], work.x[q * n + i]);
        }
        if (threadIdx.x == 0) atomicMax(&turned[sweep], 1);
      }
      __syncthreads();
    }
    done = turned[sweep] == 0;
  }
  for (int64_t first = 0; first < n; first += teams) {
    const int64_t j = first + threadIdx.y;
    T square = 0;
    if (j < n)
      for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
        square = math::fma(work.w[j * n + i], work.w[j * n + i], square);
    square = across_team(square, Plus());
    if (j < n && threadIdx.x == 0) work.squares[j] = square;
  }
  __syncthreads();
  return done;
}

// Place of column j when the squared lengths are sorted, descending or ascending; equal ones keep their order.
template <class T>
__device__ int64_t place_of(const T* squares, int64_t n, int64_t j, bool descending) {
  int64_t place = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool before = descending ? squares[i] > squares[j] : squares[i] < squares[j];
    place += before || (squares[i] == squares[j] && i < j);
  }
  return place;
}

// Square matrices [n, n] of a: P (unit columns, zero where a column has no direction) and X, sorted; W = A X = P S.
template <class T>
__global__ void __launch_bounds__(kMaxThreads, 1)
    svd_kernel(MatrixBatch a, const T* in, T* p, T* s, T* x, T* global, LinalgStatus* status) {
  TENON_DYNAMIC_SHARED(T, shared);
  const int64_t n = a.rows, b = blockIdx.x;
  const Work<T> work(global == nullptr ? shared : global + b * (2 * n * n + n), n, true);
  in += b * a.step;
  const T largest = largest_in(a, in);
  const bool finite = largest == largest;
  const int exponent = finite && largest > 0 ? std::ilogb(largest * static_cast<T>(n)) : 0;
  const T by = std::ldexp(T(1), exponent < -120 ? 120 : -exponent);
  const T back = std::ldexp(T(1), exponent < -120 ? -120 : exponent);
  for (int64_t e = thread_of_block(); e < n * n; e += threads_of_block()) {
    const int64_t j = e / n, i = e % n;
    work.w[e] = finite ? in[i * a.row + j * a.column] * by : T(0);
    work.x[e] = i == j ? T(1) : T(0);
  }
  __syncthreads();
  const bool converged = orthogonalise(work, n);
  for (int64_t j = threadIdx.y; j < n; j += blockDim.y) {
    const int64_t place = place_of(work.squares, n, j, true);
    const bool exists = work.squares[j] >= negligible_square<T>();
    const T length = exists ? std::sqrt(work.squares[j]) : T(0);
    if (threadIdx.x == 0) s[b * n + place] = length * back;
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      p[(b * n + i) * n + place] = exists ? work.w[j * n + i] / length : T(0);
      x[(b * n + i) * n + place] = work.x[j * n + i];
    }
  }
  __syncthreads();
  if (thread_of_block() != 0) return;
  // Rare, and so left to one thread: columns without a direction get one.
  for (int64_t j = 0; j < n; ++j)
    if (s[b * n + j] == 0) complete_column(p + b * n * n, n, n, j, work.w);
  status[b] = !finite ? LinalgStatus::not_finite : converged ? LinalgStatus::ok : LinalgStatus::not_converged;
}

template <class T>
__global__ void __launch_bounds__(kMaxThreads, 1)
    eigh_kernel(MatrixBatch a, const T* in, T* values, T* vectors, T* global, LinalgStatus* status) {
  TENON_DYNAMIC_SHARED(T, shared);
  const int64_t n = a.rows, b = blockIdx.x;
  const Work<T> work(global == nullptr ? shared : global + b * (n * n + n), n, false);
  in += b * a.step;
  const T largest = largest_in(a, in);
  const bool finite = largest == largest;
  const int exponent = finite && largest > 0 ? std::ilogb(largest) : 0;
  const T by = std::ldexp(T(1), exponent < -120 ? 120 : -exponent);
  const T back = std::ldexp(T(1), exponent < -120 ? -120 : exponent);
  auto element = [&](int64_t i, int64_t j) {
    return finite
               ? (T(0.5) * by) * in[i * a.row + j * a.column] + (T(0.5) * by) * in[j * a.row + i * a.column]
               : T(0);
  };
  T square = 0;
  for (int64_t e = thread_of_block(); e < n * n; e += threads_of_block()) {
    const T v = element(e / n, e % n);
    square = math::fma(v, v, square);
  }
  const T shift = 2 * std::sqrt(across_block(square, Plus())) + std::numeric_limits<T>::min();
  for (int64_t e = thread_of_block(); e < n * n; e += threads_of_block())
    work.w[e] = element(e / n, e % n) / shift + (e / n == e % n ? T(1) : T(0));
  __syncthreads();
  const bool converged = orthogonalise(work, n);
  for (int64_t j = threadIdx.y; j < n; j += blockDim.y) {
    const T by_length = 1 / std::sqrt(work.squares[j]);
    const int64_t place = place_of(work.squares, n, j, false);
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      work.w[j * n + i] *= by_length;
      vectors[(b * n + i) * n + place] = work.w[j * n + i];
    }
  }
  __syncthreads();
  for (int64_t first = 0; first < n; first += blockDim.y) {
    const int64_t j = first + threadIdx.y;
    T value = 0;
    if (j < n)
      for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
        T row = 0;
        for (int64_t k = 0; k < n; ++k) row = math::fma(element(i, k), work.w[j * n + k], row);
        value = math::fma(row, work.w[j * n + i], value);
      }
    value = across_team(value, Plus());
    if (j < n && threadIdx.x == 0) values[b * n + place_of(work.squares, n, j, false)] = value * back;
  }
  if (thread_of_block() == 0)
    status[b] = !finite     ? LinalgStatus::not_finite
                : converged ? LinalgStatus::ok
                            : LinalgStatus::not_converged;
}

// The convention for signs, a thread a column: by column j of `by`, both u and v (which may be null).
template <class T>
__global__ void sign_kernel(T* u, int64_t u_rows, T* v, int64_t v_rows, int64_t n, bool by_v) {
  const int64_t j = int64_t{blockIdx.y} * blockDim.x + threadIdx.x, b = blockIdx.x;
  if (j >= n) return;
  u += b * u_rows * n;
  const T sign = by_v ? sign_of_column(v + b * v_rows * n, v_rows, n, j) : sign_of_column(u, u_rows, n, j);
  scale_column(u, u_rows, n, j, sign);
  if (v != nullptr) scale_column(v + b * v_rows * n, v_rows, n, j, sign);
}

template <class T>
void fix_signs(int64_t count, T* u, int64_t u_rows, T* v, int64_t v_rows, int64_t n, bool by_v) {
  launch("linalg_signs", sign_kernel<T>, {static_cast<unsigned>(count), static_cast<unsigned>((n + 63) / 64)},
         {64}, 0, u, u_rows, v, v_rows, n, by_v);
}

// Teams of 8, 16 or 32 lanes, one for each pair of a round if the block has room.
Dim3 block_for(int64_t n) {
  const unsigned lanes = n <= 16 ? kFewestLanes : n <= 32 ? 16 : 32;
  const int64_t teams = std::min<int64_t>((n + 1) / 2, kMaxThreads / lanes);
  const unsigned in_warp = 32 / lanes;  // whole warps
  return {lanes, (static_cast<unsigned>(teams) + in_warp - 1) / in_warp * in_warp};
}

// Bytes of a block's work, 0 if it does not fit shared memory.
template <class T>
size_t shared_bytes(int64_t n, bool turns) {
  const size_t bytes = static_cast<size_t>(Work<T>::size(n, turns)) * sizeof(T);
  const size_t fixed =
      kMaxThreads / kFewestLanes * sizeof(T) + kMaxSweeps * sizeof(int);  // across_block, orthogonalise
  return bytes + fixed <= kSharedBytes ? bytes : 0;
}

template <class T>
void run_square(const MatrixBatch& a, const T* in, T* p, T* s, T* x, LinalgStatus* status) {
  const size_t bytes = shared_bytes<T>(a.rows, true);
  const Scratch memory(bytes > 0 ? 1
                                 : static_cast<size_t>(a.count * Work<T>::size(a.rows, true)) * sizeof(T));
  launch("svd", svd_kernel<T>, {static_cast<unsigned>(a.count)}, block_for(a.rows),
         std::max(bytes, kLeastShared), a, in, p, s, x, bytes > 0 ? nullptr : memory.as<T>(), status);
}

// Operands to and from: `count` matrices [rows, columns], their steps from matrix to matrix, row to row, column to
// column.
template <class T>
void copy_matrices(int64_t count, int64_t rows, int64_t columns, void* to, const int64_t (&to_step)[3],
                   const void* from, const int64_t (&from_step)[3]) {
  Loop<2> loop;
  loop.rank = 3;
  loop.numel = count * rows * columns;
  loop.extent[0] = count, loop.extent[1] = rows, loop.extent[2] = columns;
  for (int i = 0; i < 3; ++i) loop.stride[0][i] = to_step[i], loop.stride[1][i] = from_step[i];
  copy(loop, dtype_of<T>, to, dtype_of<T>, from);
}

// The library's matrices run down their columns, so it sees the transpose of ours, A^T = V S U^T; and its U is square.
template <class T>
void svd_by_cusolver(const MatrixBatch& a, const void* in, void* u, void* s, void* v, LinalgStatus* status) {
  const int64_t m = a.rows, n = a.columns, count = a.count;
  const auto numbers = [](int64_t size) { return Scratch(static_cast<size_t>(size) * sizeof(T)); };
  const Scratch operand = numbers(count * m * n), left = numbers(count * m * m),
                right = numbers(count * n * n);
  copy_matrices<T>(count, m, n, operand.as<T>(), {m * n, n, 1}, in, {a.step, a.row, a.column});
  library::svd(count, n, m, dtype_of<T>, operand.as<T>(), right.as<T>(), s, left.as<T>(), status);
  copy_matrices<T>(count, n, n, v, {n * n, n, 1}, right.as<T>(), {n * n, 1, n});
  copy_matrices<T>(count, m, n, u, {m * n, n, 1}, left.as<T>(), {m * m, 1, m});
}

}  // namespace

void svd(const SvdPlan& plan, DType dtype, const void* a, void* u, void* s, void* v, LinalgStatus* status) {
  visit_floating("svd", dtype, [&](auto tag) {
    using T = decltype(tag);
    const MatrixBatch& in = plan.a;
    const int64_t m = in.rows, n = in.columns, count = in.count;
    T *const pu = static_cast<T*>(u), *const pv = static_cast<T*>(v);
    if (settings().svd_by_cusolver) {
      svd_by_cusolver<T>(in, a, u, s, v, status);
    } else if (m == n) {
      run_square(in, static_cast<const T*>(a), pu, static_cast<T*>(s), pv, status);
    } else {
      // A = Q R, R^T = P S X^T: u = Q X, v = P.
      const Scratch q(static_cast<size_t>(count * m * n) * sizeof(T)),
          r(static_cast<size_t>(count * n * n) * sizeof(T)),
          x(static_cast<size_t>(count * n * n) * sizeof(T));
      qr(in, dtype, a, q.as<T>(), r.as<T>(), status);
      run_square({count, n, n, n * n, 1, n}, r.as<const T>(), pv, static_cast<T*>(s), x.as<T>(), status);
      MatmulPlan product{m, n, n, n, 1, n, 1, n, {}};
      product.batch.rank = 1;
      product.batch.numel = product.batch.extent[0] = count;
      const int64_t steps[3] = {m * n, m * n, n * n};
      for (int k = 0; k < 3; ++k) product.batch.stride[k][0] = steps[k];
      matmul(product, dtype, u, q.as<T>(), x.as<T>());
    }
    fix_signs(count, pu, m, pv, n, n, plan.sign_by_v);
  });
}

void eigh(const MatrixBatch& a, DType dtype, const void* in, void* w, void* v, LinalgStatus* status) {
  visit_floating("eigh", dtype, [&](auto tag) {
    using T = decltype(tag);
    const size_t bytes = shared_bytes<T>(a.rows, false);
    const Scratch memory(bytes > 0 ? 1
                                   : static_cast<size_t>(a.count * Work<T>::size(a.rows, false)) * sizeof(T));
    launch("eigh", eigh_kernel<T>, {static_cast<unsigned>(a.count)}, block_for(a.rows),
           std::max(bytes, kLeastShared), a, static_cast<const T*>(in), static_cast<T*>(w),
           static_cast<T*>(v), bytes > 0 ? nullptr : memory.as<T>(), status);
    fix_signs(a.count, static_cast<T*>(v), a.rows, static_cast<T*>(nullptr), int64_t{0}, a.rows, false);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(svd)
TENON_CUDA_ENTRY(eigh)
