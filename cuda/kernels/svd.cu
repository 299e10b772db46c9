// SVD: one-sided Jacobi (cuda/kernels/jacobi.h), a block a matrix.
//
// A tall matrix is reduced first, A = Q R (linalg.cu), and Jacobi works on the columns of R^T: the square n x n that is
// left. Only its columns W decide what is turned, and they alone take the block's shared memory: 4 n^2 bytes, up to
// n = 240 of 227 KB in float32 (larger ones work on global memory, from the caches). The turns are written down, 4 bytes
// each, and make the other factor, X, in a second kernel: its rows do not meet, so that they spread over the whole card
// and wait for no barrier.
//
// Counted: a pair costs 6 n flops for its three dot products and 6 n each to turn W and X: 9 n^3 a sweep, 8 to 11 sweeps,
// the last ones with few turns. Predicted from the cycles of a round (jacobi.h: its bytes or its chain, whichever is
// longer), for as many matrices as there are multiprocessors: 48 x 48 0.15 ms, 96 x 96 0.5 ms, 192 x 192 3 ms. An H200 takes
// 1.19 ms for 64 matrices of 96 x 96, 5.55 ms for 64 of 192 x 192, and 7.9 ms for the spatial matrices of ResNet-20, where
// 4.5 were predicted: 1.8 to 2.4 times as long. (With X in shared memory too, exact roots and wider teams: 4.97, 36.5, 49.7.)
#include <algorithm>

#include "core/cpu/jacobi.h"
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/jacobi.h"
#include "cuda/kernels/linalg.h"
#include "cuda/kernels/linalg_signs.h"
#include "cuda/kernels/matmul.h"
#include "cuda/library/products.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/settings.h"

namespace tenon::cuda {
namespace {

// What the kernel that makes X needs of each matrix: how many sweeps, the turns, and where its columns go.
template <class T>
struct Record {
  T* turns;     // [count, kMaxSweeps, rounds, pairs]
  int* sweeps;  // [count]
  int* places;  // [count, n]

  static TENON_HD int64_t turns_of(int n) {
    return int64_t{kMaxSweeps} * Tournament{n}.rounds() * Tournament{n}.pairs();
  }
};

// Square matrices [n, n] of a: P (unit columns, zero where a column has no direction), sorted; W = A X = P S.
template <class T, int kPacks>
__global__ void __launch_bounds__(jacobi_threads<T>(kPacks), 1)
    svd_kernel(MatrixBatch a, const T* in, T* p, T* s, Record<T> record, T* global, LinalgStatus* status) {
  TENON_DYNAMIC_SHARED(T, shared);
  const int n = static_cast<int>(a.rows);
  const int64_t b = blockIdx.x;
  const Columns<T> w{columns_of<T, kPacks>(shared, global, n, b), n};
  T* const squares = w[n];
  in += b * a.step, p += b * n * n, s += b * n;
  const T largest = largest_in(a, in);
  const bool finite = largest == largest;
  const int exponent = finite && largest > 0 ? std::ilogb(largest * static_cast<T>(n)) : 0;
  const T by = std::ldexp(T(1), exponent < -120 ? 120 : -exponent);
  const T back = std::ldexp(T(1), exponent < -120 ? -120 : exponent);
  fill(w, [&](int i, int j) { return finite ? in[i * a.row + j * a.column] * by : T(0); });
  const Sweeps sweeps = orthogonalise<T, kPacks>(w, squares, record.turns + b * Record<T>::turns_of(n));
  for (int j = static_cast<int>(threadIdx.y); j < n; j += static_cast<int>(blockDim.y)) {
    const int place = place_of(squares, n, j, true);
    const bool exists = squares[j] >= negligible_square<T>();
    const T length = exists ? std::sqrt(squares[j]) : T(0);
    if (threadIdx.x == 0) s[place] = length * back, record.places[b * n + j] = place;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x))
      p[int64_t{i} * n + place] = exists ? w[j][i] / length : T(0);
  }
  __syncthreads();
  if (thread_of_block() != 0) return;
  // Rare, and so left to one thread: columns without a direction get one.
  for (int j = 0; j < n; ++j)
    if (squares[j] < negligible_square<T>()) complete_column(p, n, n, place_of(squares, n, j, true), w.first);
  record.sweeps[b] = sweeps.count;
  status[b] = !finite            ? LinalgStatus::not_finite
              : sweeps.converged ? LinalgStatus::ok
                                 : LinalgStatus::not_converged;
}

// Rounds whose turns are on their way while one is used.
constexpr int kRoundsAhead = 8;

// Threads of a team that turns rows of X together, for as many rows as 16 bytes hold of a column.
struct RowTeam {
  int n;

  TENON_HD int pairs() const { return Tournament{n}.pairs(); }
  template <class T>
  TENON_HD size_t shared_bytes() const {
    return static_cast<size_t>(n) * sizeof(Pack<T>) + ring<T>() * sizeof(T);
  }
  /// Numbers in which the turns of the next rounds arrive.
  template <class T>
  TENON_HD size_t ring() const {
    return static_cast<size_t>(kRoundsAhead * pairs() + Pack<T>::kCount - 1) / Pack<T>::kCount *
           Pack<T>::kCount;
  }
};

// Rows of X: rows of the identity, to which the turns are applied in order, the pairs of a round by the lanes of a team.
template <class T>
__global__ void __launch_bounds__(64) turn_rows_kernel(int n, Record<T> record, T* x) {
  TENON_DYNAMIC_SHARED(unsigned char, shared);
  constexpr int kRows = Pack<T>::kCount;
  const RowTeam team{n};
  const Tournament games{n};
  const int lane = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x);
  const int64_t b = blockIdx.x;
  const int row = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y) * kRows;
  const int pairs = games.pairs(), rounds = games.rounds(), all = record.sweeps[b] * rounds;
  Pack<T>* const columns = reinterpret_cast<Pack<T>*>(shared + threadIdx.y * team.shared_bytes<T>());
  T* const ring = reinterpret_cast<T*>(columns + n);
  const T* const turns = record.turns + b * Record<T>::turns_of(n);
  // Each lane copies what it reads itself.
  const auto fetch = [&](int round) {
    for (int k = lane; round < all && k < pairs; k += lanes)
      copy_async(ring + round % kRoundsAhead * pairs + k, turns + int64_t{round} * pairs + k);
    commit_copies();
  };
  for (int round = 0; round < kRoundsAhead - 1; ++round) fetch(round);
  for (int j = lane; j < n; j += lanes)
    for (int i = 0; i < kRows; ++i) columns[j].v[i] = row + i == j ? T(1) : T(0);
  __syncwarp();
  for (int round = 0, of_sweep = 0; round < all; ++round) {
    wait_for_copies<kRoundsAhead - 2>();
    for (int k = lane; k < pairs; k += lanes) {
      const T r = ring[round % kRoundsAhead * pairs + k];
      if (r == 0) continue;  // no turn, or no pair
      const PairTurn<T> turn = turn_by_half(r);
      int p, q;
      games.pair(of_sweep, k, p, q);
      Pack<T> at_p = columns[p], at_q = columns[q];
      TENON_UNROLL
      for (int i = 0; i < kRows; ++i) turn.apply(at_p.v[i], at_q.v[i]);
      columns[p] = at_p, columns[q] = at_q;
    }
    __syncwarp();
    fetch(round + kRoundsAhead - 1);
    of_sweep = of_sweep + 1 == rounds ? 0 : of_sweep + 1;
  }
  wait_for_copies<0>();
  const int* const places = record.places + b * n;
  for (int j = lane; j < n; j += lanes)
    for (int i = 0; i < kRows && row + i < n; ++i) x[(b * n + row + i) * n + places[j]] = columns[j].v[i];
}

// A whole warp: teams of 4 to 32 lanes, one for each pair of a round if the warp has them.
Dim3 row_block(const RowTeam& team) {
  unsigned lanes = 4;
  while (lanes < 32 && static_cast<int>(lanes) < team.pairs()) lanes *= 2;
  return {lanes, 32 / lanes};
}

template <class T>
void run_square(const MatrixBatch& a, const T* in, T* p, T* s, T* x, LinalgStatus* status) {
  // Room is made for the turns of all sweeps that may be needed; many matrices share it.
  constexpr int64_t kRecordBytes = int64_t{256} << 20;
  const int n = static_cast<int>(a.rows);
  const int64_t turns = Record<T>::turns_of(n), bytes_of_turns = turns * static_cast<int64_t>(sizeof(T));
  const int64_t together = std::clamp<int64_t>(kRecordBytes / bytes_of_turns, 1, a.count);
  const Scratch all_turns(static_cast<size_t>(together * bytes_of_turns)),
      sweeps(static_cast<size_t>(together) * sizeof(int)),
      places(static_cast<size_t>(together * n) * sizeof(int));
  const Record<T> record{all_turns.as<T>(), sweeps.as<int>(), places.as<int>()};
  visit_packs<T>(n, [&](auto packs, size_t bytes) {
    constexpr int kPacks = decltype(packs)::value;
    const Scratch global(kPacks > 0 ? 1 : static_cast<size_t>(together) * bytes);
    for (int64_t first = 0; first < a.count; first += together) {
      const unsigned count = static_cast<unsigned>(std::min(together, a.count - first));
      launch("svd", svd_kernel<T, kPacks>, {count}, jacobi_block<T>(n, kPacks),
             kPacks > 0 ? bytes : kLeastShared, a, in + first * a.step, p + first * n * n, s + first * n,
             record, global.as<T>(), status + first);
      const RowTeam team{n};
      const Dim3 block = row_block(team);
      const unsigned rows = block.y * Pack<T>::kCount;
      launch("svd_rows", turn_rows_kernel<T>, {count, (static_cast<unsigned>(n) + rows - 1) / rows}, block,
             block.y * team.shared_bytes<T>(), n, record, x + first * n * n);
    }
  });
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

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(svd)
