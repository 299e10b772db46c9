// One-sided Jacobi by a block (core/cpu/jacobi.h has the method): what svd.cu and eigh.cu share.
//
// The pairs of a sweep are those of a round-robin tournament: n - 1 rounds of n / 2 pairs that share no column, so that a
// round runs in parallel, its order does not matter, and a sweep has n barriers. A pair belongs to a team of 8 lanes, each
// of which holds every eighth 16 bytes of both columns in registers, from the dot products to the turn.
//
// Why 8: shared memory serves 16 bytes a lane in quarters of a warp. A quarter is a team, and its 128 bytes of one column
// meet every bank once, whatever the columns of the other teams. So a round costs what its bytes cost, at 128 a cycle: each
// column once in and once out, 8 n^2 bytes in float32, n^2 / 16 cycles (192 columns: 2304, or 1.3 us).
// What small matrices wait for is the chain from one barrier to the next: loads, three sums over 8 lanes, a turn, stores,
// some 600 cycles. Hence turns are found by the card's approximate instructions: exact roots and quotients, in every lane
// of every team, were most of a round. Measured on an H200: 64 x 64 in 0.48 ms, X and all, so one of its some 500 rounds takes
// 0.9 us or 1800 cycles, three times that count.
#pragma once

#include <algorithm>
#include <type_traits>

#include "core/cpu/jacobi.h"
#include "core/cpu/linalg.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/team.h"

namespace tenon::cuda {

constexpr unsigned kTeamLanes = 8;
constexpr int kMostTeams = 96;  // of a block, see jacobi_threads

/// n columns of n numbers, each from a boundary of 16 bytes on and followed by zeros up to the next.
template <class T>
struct Columns {
  T* first;
  int n;

  static TENON_HD int pitch(int64_t n) {
    return static_cast<int>(n + Pack<T>::kCount - 1) / Pack<T>::kCount * Pack<T>::kCount;
  }
  /// Numbers of the columns and, behind them, of what is kept of each, such as its length.
  static TENON_HD int64_t size(int64_t n) { return (n + 1) * pitch(n); }
  __device__ T* operator[](int j) const { return first + int64_t{j} * pitch(n); }
};

/// What is to be turned of a pair of columns: a lane's share, held in registers (of at most kPacks times 16 bytes a
/// column), or for kPacks = 0 left where it is. Both go through the numbers in the same order.
template <class T, int kPacks>
class PairShare {
 public:
  __device__ PairShare(T* p, T* q, int packs)
      : p_(reinterpret_cast<Pack<T>*>(p)), q_(reinterpret_cast<Pack<T>*>(q)), packs_(packs) {
    TENON_UNROLL
    for (int i = 0; i < kPacks; ++i) {
      a_[i] = at(i) < packs_ ? p_[at(i)] : Pack<T>{};
      b_[i] = at(i) < packs_ ? q_[at(i)] : Pack<T>{};
    }
  }
  template <class F>
  __device__ void read(F&& f) {
    TENON_UNROLL
    for (int i = 0; i < kPacks; ++i) each(a_[i], b_[i], f);
  }
  template <class F>
  __device__ void change(F&& f) {
    TENON_UNROLL
    for (int i = 0; i < kPacks; ++i) {
      each(a_[i], b_[i], f);
      if (at(i) < packs_) p_[at(i)] = a_[i], q_[at(i)] = b_[i];
    }
  }

 private:
  __device__ static int at(int i) { return static_cast<int>(threadIdx.x + kTeamLanes * i); }
  template <class F>
  __device__ static void each(Pack<T>& a, Pack<T>& b, F&& f) {
    TENON_UNROLL
    for (int e = 0; e < Pack<T>::kCount; ++e) f(a.v[e], b.v[e]);
  }
  Pack<T>*p_, *q_;
  int packs_;
  Pack<T> a_[kPacks], b_[kPacks];
};

template <class T>
class PairShare<T, 0> {
 public:
  __device__ PairShare(T* p, T* q, int packs)
      : p_(reinterpret_cast<Pack<T>*>(p)), q_(reinterpret_cast<Pack<T>*>(q)), packs_(packs) {}
  template <class F>
  __device__ void read(F&& f) {
    go_through(f, false);
  }
  template <class F>
  __device__ void change(F&& f) {
    go_through(f, true);
  }

 private:
  template <class F>
  __device__ void go_through(F&& f, bool store) {
    for (int i = static_cast<int>(threadIdx.x); i < packs_; i += kTeamLanes) {
      Pack<T> a = p_[i], b = q_[i];
      TENON_UNROLL
      for (int e = 0; e < Pack<T>::kCount; ++e) f(a.v[e], b.v[e]);
      if (store) p_[i] = a, q_[i] = b;
    }
  }
  Pack<T>*p_, *q_;
  int packs_;
};

/// A tournament of n columns: an odd one has a player more, whose partner rests. Pair k of a round; the last player stays
/// while the others move around a circle.
struct Tournament {
  int n;

  TENON_HD int players() const { return n + n % 2; }
  TENON_HD int pairs() const { return players() / 2; }
  TENON_HD int rounds() const { return players() - 1; }
  __device__ void pair(int round, int k, int& p, int& q) const {
    const int around = rounds();
    p = k == 0 ? around : round + k < around ? round + k : round + k - around;
    q = round >= k ? round - k : round - k + around;
  }
};

/// The tangent of half the angle that makes columns orthogonal (turn_for of core/cpu/jacobi.h), nearly: what an angle
/// that is off by a few roundings of itself leaves of p . q is below the tolerance.
template <class T>
__device__ T half_tangent(T pp, T qq, T pq) {
  const T gap = std::fabs(qq - pp), twice = 2 * pq;
  const T by =
      fast_reciprocal(math::maximum(gap, std::fabs(twice)));  // so that no square overflows or vanishes
  const T g = gap * by, w = twice * by;
  const T t = w * fast_reciprocal(g + fast_root(g * g + w * w));
  const T half = t * fast_reciprocal(1 + fast_root(1 + t * t));
  return qq < pp ? -half : half;
}

/// The turn by twice the angle whose tangent is r. Whatever r, it keeps lengths to a rounding: sin^2 + cos^2 = 1 for
/// sin = 2 r / (1 + r^2), cos = 1 - r sin. A step of Newton's makes the reciprocal exact enough for that.
template <class T>
__device__ PairTurn<T> turn_by_half(T r) {
  const T square = math::fma(r, r, T(1));
  T by = fast_reciprocal(square);
  by = math::fma(by, math::fma(-square, by, T(1)), by);
  return {2 * r * by, r, 0};
}

template <class T>
__device__ T across_lanes(T value) {
  TENON_UNROLL
  for (int step = kTeamLanes / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

/// Turns a pair by what makes it orthogonal; the tangent of half the angle, 0 if it is orthogonal already. All lanes of a
/// warp must call it; `packs`: 16 bytes of a column, 0 for no pair.
template <class T, int kPacks>
__device__ T turn_pair(T* p, T* q, int packs, T tolerance) {
  PairShare<T, kPacks> share(p, q, packs);
  T pp = 0, qq = 0, pq = 0;
  share.read([&](T a, T b) {
    pp = math::fma(a, a, pp);
    qq = math::fma(b, b, qq);
    pq = math::fma(a, b, pq);
  });
  pp = across_lanes(pp);
  qq = across_lanes(qq);
  pq = across_lanes(pq);
  // As in `orthogonal` of core/cpu/jacobi.h.
  if (!(std::fabs(pq) > tolerance * fast_root(pp) * fast_root(qq)) || pp < negligible_square<T>() ||
      qq < negligible_square<T>())
    return 0;
  const T r = half_tangent(pp, qq, pq);
  const PairTurn<T> turn = turn_by_half(r);
  share.change([&](T& a, T& b) { turn.apply(a, b); });
  return r;
}

/// sums[j] = add(i, j, sum so far) over all i < n, for every j < n, in an order that n alone decides.
template <class T, class Add>
__device__ void sum_columns(int n, T* sums, Add&& add) {
  const int lane = static_cast<int>(threadIdx.x), teams = static_cast<int>(blockDim.y);
  for (int first = 0; first < n; first += teams) {
    const int j = first + static_cast<int>(threadIdx.y);
    T sum = 0;
    for (int i = lane; j < n && i < n; i += static_cast<int>(kTeamLanes)) sum = add(i, j, sum);
    sum = across_lanes(sum);
    if (j < n && lane == 0) sums[j] = sum;
  }
  __syncthreads();
}

struct Sweeps {
  int count;  ///< those that turned something
  bool converged;
};

/// Sweeps until the columns of w are orthogonal, and leaves their squared lengths. `turns`, if not null, gets the tangent
/// of half the angle of every turn: [sweep][round][pair].
template <class T, int kPacks>
__device__ Sweeps orthogonalise(const Columns<T>& w, T* squares, T* turns) {
  TENON_SHARED(int, turned, kMaxSweeps);
  const int n = w.n, lane = static_cast<int>(threadIdx.x), team = static_cast<int>(threadIdx.y),
            teams = static_cast<int>(blockDim.y);
  const int packs = Columns<T>::pitch(n) / Pack<T>::kCount;
  const Tournament games{n};
  const int pairs = games.pairs(), rounds = games.rounds();
  const T tolerance = orthogonal_tolerance<T>(n);
  for (int s = team * static_cast<int>(kTeamLanes) + lane; s < kMaxSweeps;
       s += teams * static_cast<int>(kTeamLanes))
    turned[s] = 0;
  __syncthreads();
  Sweeps sweeps{0, n < 2};
  while (!sweeps.converged && sweeps.count < kMaxSweeps) {
    for (int round = 0; round < rounds; ++round) {
      // All teams go through the same number of steps, since the lanes of a warp sum together.
      for (int first = 0; first < pairs; first += teams) {
        const int k = first + team;
        int p = 0, q = 0;
        if (k < pairs) games.pair(round, k, p, q);
        const bool exists = k < pairs && p < n;
        const T r = turn_pair<T, kPacks>(w[exists ? p : 0], w[exists ? q : 0], exists ? packs : 0, tolerance);
        if (lane != 0 || k >= pairs) continue;
        if (turns != nullptr) turns[k] = r;
        if (r != 0) atomicMax(&turned[sweeps.count], 1);
      }
      if (turns != nullptr) turns += pairs;
      __syncthreads();
    }
    sweeps.converged = turned[sweeps.count] == 0;
    if (!sweeps.converged) ++sweeps.count;
  }
  sum_columns(n, squares, [&](int i, int j, T sum) { return math::fma(w[j][i], w[j][i], sum); });
  return sweeps;
}

/// Threads of a block at most: what leaves registers for a lane's share, 8 kPacks of them, and some 40 more.
template <class T>
constexpr int jacobi_threads(int packs) {
  return packs == 6 && std::is_same_v<T, float> ? 768 : packs == 12 ? 384 : 512;
}

// ---- what kernels around it do with a block's matrix -------------------------------------------------------

__device__ inline int thread_of_block() { return static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x); }
__device__ inline int threads_of_block() { return static_cast<int>(blockDim.x * blockDim.y); }

// Largest magnitude of a matrix, NaN if any number is NaN or infinite.
template <class T>
__device__ T largest_in(const MatrixBatch& a, const T* matrix) {
  const int columns = static_cast<int>(a.columns), numbers = static_cast<int>(a.rows) * columns;
  T largest = 0;
  for (int e = thread_of_block(); e < numbers; e += threads_of_block()) {
    const T v = matrix[e / columns * a.row + e % columns * a.column];
    largest = math::maximum(largest, v - v == 0 ? std::fabs(v) : std::numeric_limits<T>::quiet_NaN());
  }
  TENON_SHARED(T, of_team, kMostTeams);
  largest = across_team(largest, Largest());
  if (threadIdx.x == 0) of_team[threadIdx.y] = largest;
  __syncthreads();
  for (unsigned team = 0; team < blockDim.y; ++team) largest = math::maximum(largest, of_team[team]);
  return largest;
}

// The columns of a matrix: element(i, j), zeros behind row n.
template <class T, class Element>
__device__ void fill(const Columns<T>& w, Element&& element) {
  const int n = w.n, pitch = Columns<T>::pitch(n);
  for (int e = thread_of_block(); e < n * pitch; e += threads_of_block()) {
    const int j = e / pitch, i = e % pitch;
    w.first[e] = i < n ? element(i, j) : T(0);
  }
  __syncthreads();
}

// Place of column j when the squared lengths are sorted, descending or ascending; equal ones keep their order.
template <class T>
__device__ int place_of(const T* squares, int n, int j, bool descending) {
  int place = 0;
  for (int i = 0; i < n; ++i) {
    const bool before = descending ? squares[i] > squares[j] : squares[i] < squares[j];
    place += before || (squares[i] == squares[j] && i < j);
  }
  return place;
}

// Where a block's columns lie, and behind them their squared lengths.
template <class T, int kPacks>
__device__ T* columns_of(T* shared, T* global, int n, int64_t b) {
  if constexpr (kPacks > 0) return shared;
  return global + b * Columns<T>::size(n);
}

// ---- how they are launched -----------------------------------------------------------------------------------

constexpr size_t kLeastShared = 16;  // a kernel that may use dynamic shared memory is given some

/// A team for each pair of a round, or for one of two or three if they are too many; whole warps.
template <class T>
Dim3 jacobi_block(int64_t n, int packs) {
  constexpr int64_t kInWarp = 32 / kTeamLanes;
  const int64_t most = jacobi_threads<T>(packs) / kTeamLanes, pairs = (n + 1) / 2;
  const int64_t steps = (pairs + most - 1) / most, teams = (pairs + steps - 1) / steps;
  return {kTeamLanes, static_cast<unsigned>((teams + kInWarp - 1) / kInWarp * kInWarp)};
}

/// Calls f(std::integral_constant<int, kPacks>, bytes): the columns and their squared lengths in `bytes` of shared memory,
/// or for kPacks = 0 in global memory.
template <class T, class F>
void visit_packs(int64_t n, F&& f) {
  constexpr size_t kStatic = 1024;  // the kernels' own arrays
  const size_t bytes = static_cast<size_t>(Columns<T>::size(n)) * sizeof(T);
  const int64_t each = static_cast<int64_t>(kTeamLanes) * Pack<T>::kCount, packs = (n + each - 1) / each;
  // What 227 KB hold in float32 are 8 packs at most.
  constexpr int kMost = std::is_same_v<T, float> ? 8 : 12;
  if (packs > kMost || bytes + kStatic > shared_memory_limit())
    return f(std::integral_constant<int, 0>(), bytes);
  if (packs <= 1) return f(std::integral_constant<int, 1>(), bytes);
  if (packs <= 2) return f(std::integral_constant<int, 2>(), bytes);
  if (packs <= 4) return f(std::integral_constant<int, 4>(), bytes);
  if (packs <= 6) return f(std::integral_constant<int, 6>(), bytes);
  if (packs <= 8) return f(std::integral_constant<int, 8>(), bytes);
  f(std::integral_constant<int, kMost>(), bytes);
}

}  // namespace tenon::cuda
