// The core of every kernel that is a product of matrices (matmul.cu, conv_product.h): a block computes a tile of
// C = A B; along k it goes in steps, for each of which a piece of A and a piece of B are brought into shared
// memory; each thread multiplies its rows by its columns and sums in registers.
//
// Several buffers for each piece: while one step is multiplied, the copies of the next three are under way, and a step
// has one barrier (multiply_pieces). The sum over k runs in order for each element of C.
//
// For one k, a thread of RegisterTile reads kRows + kColumns values of shared memory, four at a time, for kRows *
// kColumns multiply-adds. A multiprocessor's shared memory takes two cycles for a warp's load of four (see there), in
// which eight warps multiply and add once: 4 x 4 takes as long to read as to multiply, 8 x 8 (64 multiply-adds for 4 reads)
// half as long. The wide tiles need many blocks to fill a card, so small products take the 4 x 4 ones.
//
// matmul.cu counts the instructions. An H200 takes 3.34 ms for n = 4096 where 2.85 were predicted, but 86 us for n = 1024
// where 52 were: the predictions leave out what a product waits for, which weighs more in a short one.
#pragma once

#include <algorithm>
#include <type_traits>

#include "core/math.h"
#include "cuda/kernels/linear.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// A block's share: a kM x kN tile of C, kK along k in a step; a thread's share: kRows x kColumns (multiples of
/// 4) of the tile.
template <int kM_, int kN_, int kK_, int kRows_, int kColumns_, int kPad = 4>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kRows = kRows_, kColumns = kColumns_;
  static constexpr int kAcross = kN / kColumns;  // threads along a row of the tile
  static constexpr int kThreads = kM / kRows * kAcross;
  static constexpr int kBlocks =
      512 / kThreads;  // on a multiprocessor at once: leaves a thread 128 registers
  // Pieces lie as [k][row of A] and [k][column of B]. The padding spreads a column of them over the banks.
  static constexpr int kPitchA = kM + kPad, kPitchB = kN + kPad;
  static constexpr int kPieceA = kK * kPitchA, kPieceB = kK * kPitchB;
  // Buffers for each piece: four if they leave 8 of the 48 KB of a block to others, as those of float do.
  template <class T>
  static constexpr int kStages = 4 * (kPieceA + kPieceB) * sizeof(T) <= 40 * 1024 ? 4 : 2;
  static_assert(kRows % 4 == 0 && kColumns % 4 == 0 && kM % kRows == 0 && kN % kColumns == 0);
};

/// A thread's part of the tile of C. Its rows and columns come in fours of neighbours.
///
/// A warp's lanes lie 4 down and 8 across, so that a load of four rows is of 64 bytes in all and one of four columns of
/// 128. A card is said to take a load of 16 bytes a lane in two passes, half a warp each, if in both halves either all
/// lanes i and i ^ 1 want the same, or all i and i ^ 2; else in four. So lanes go down, then across: 0 and 1 share their columns,
/// 0 and 2 their rows.
template <class Tile, class T>
struct RegisterTile {
  static constexpr int kRows = Tile::kRows, kColumns = Tile::kColumns;
  static constexpr int kRowsTogether = 4, kColumnsTogether = 4;
  static constexpr int kDown = Tile::kM / kRows, kWarpsAcross = Tile::kAcross / 8;
  static_assert(kDown % 4 == 0 && Tile::kAcross % 8 == 0);
  T sum[kRows][kColumns] = {};

  /// Row of the tile that row i of the thread is; likewise columns.
  __device__ static int row(int thread, int i) {
    const int warp = thread / 32, lane = thread % 32;
    return i / 4 * (kDown * 4) + (warp / kWarpsAcross * 4 + lane / 16 * 2 + lane % 2) * 4 + i % 4;
  }
  __device__ static int column(int thread, int j) {
    const int warp = thread / 32, lane = thread % 32;
    return j / 4 * (Tile::kAcross * 4) + (warp % kWarpsAcross * 8 + lane / 2 % 8) * 4 + j % 4;
  }
  __device__ T value(int i, int j) const { return sum[i][j]; }
  __device__ void add_to_row(int i, T shift) {
    TENON_UNROLL
    for (int j = 0; j < kColumns; ++j) sum[i][j] += shift;
  }

  /// What a thread multiplies for one k.
  struct Fragments {
    using Four = Neighbours<T, 4>;
    Four a[kRows / 4], b[kColumns / 4];
    /// `a_row` and `b_row`: one k of the pieces, from the thread's first row and column on.
    __device__ Fragments(const T* a_row, const T* b_row) {
      TENON_UNROLL
      for (int i = 0; i < kRows / 4; ++i) a[i] = *reinterpret_cast<const Four*>(a_row + i * kDown * 4);
      TENON_UNROLL
      for (int j = 0; j < kColumns / 4; ++j)
        b[j] = *reinterpret_cast<const Four*>(b_row + j * Tile::kAcross * 4);
    }
  };

  // The values of the next k are read before those of this one are multiplied.
  __device__ void multiply_add(const T* a_piece, const T* b_piece, int thread) {
    a_piece += row(thread, 0);
    b_piece += column(thread, 0);
    Fragments next(a_piece, b_piece);
    TENON_UNROLL
    for (int k = 0; k < Tile::kK; ++k) {
      const Fragments now = next;
      if (k + 1 < Tile::kK)
        next = Fragments(a_piece + (k + 1) * Tile::kPitchA, b_piece + (k + 1) * Tile::kPitchB);
      TENON_UNROLL
      for (int i = 0; i < kRows; ++i) {
        TENON_UNROLL
        for (int j = 0; j < kColumns; ++j)
          sum[i][j] = math::fma(now.a[i / 4].v[i % 4], now.b[j / 4].v[j % 4], sum[i][j]);
      }
    }
  }
};

/// The same by the tensor cores, in TF32: a warp computes 16 or 32 rows by 64 columns in products of 16 x 8 x 8.
/// Wants a tile padded by 8, so that the 4 x 8 values of a fragment lie in 32 banks.
template <class Tile>
struct TensorCoreTile {
  static constexpr int kWarpM = Tile::kM < 32 ? Tile::kM : 32, kWarpN = 64;
  static constexpr int kRows = kWarpM / 8, kColumns = kWarpN / 4;
  static constexpr int kRowsTogether = 1, kColumnsTogether = 2;
  static_assert(Tile::kM / kWarpM * (Tile::kN / kWarpN) * 32 == Tile::kThreads && Tile::kK % 8 == 0);
  float sum[kWarpM / 16][kWarpN / 8][4] = {};

  __device__ static int row(int thread, int i) {
    return thread / 32 / (Tile::kN / kWarpN) * kWarpM + i / 2 * 16 + i % 2 * 8 + thread % 32 / 4;
  }
  __device__ static int column(int thread, int j) {
    return thread / 32 % (Tile::kN / kWarpN) * kWarpN + j / 2 * 8 + thread % 4 * 2 + j % 2;
  }
  __device__ float value(int i, int j) const { return sum[i / 2][j / 2][i % 2 * 2 + j % 2]; }
  __device__ void add_to_row(int i, float shift) {
    TENON_UNROLL
    for (int j = 0; j < kColumns; ++j) sum[i / 2][j / 2][i % 2 * 2 + j % 2] += shift;
  }

  __device__ void multiply_add(const float* a_piece, const float* b_piece, int thread) {
    const int first_row = row(thread, 0), in_group = thread % 4;
    const int first_column = column(thread, 0) - in_group * 2 + thread % 32 / 4;
    for (int k = in_group; k < Tile::kK; k += 8) {
      float b[kWarpN / 8][2];
      for (int j = 0; j < kWarpN / 8; ++j)
        for (int h = 0; h < 2; ++h)
          b[j][h] = to_tf32(b_piece[(k + h * 4) * Tile::kPitchB + first_column + j * 8]);
      for (int i = 0; i < kWarpM / 16; ++i) {
        float a[4];
        for (int h = 0; h < 4; ++h)
          a[h] = to_tf32(a_piece[(k + h / 2 * 4) * Tile::kPitchA + first_row + i * 16 + h % 2 * 8]);
        for (int j = 0; j < kWarpN / 8; ++j) mma_m16n8k8(sum[i][j], a, b[j]);
      }
    }
  }
};

/// Sums the products of `steps` pieces, which pass through `kStages` buffers. `pieces.load(step, a, b)` starts the
/// copies of a step, and steps come in order. `pieces.prepare(step)` follows it, but for steps before kStages - 1; it
/// may overwrite what loads of earlier steps have read, and what it writes may be read from load(step + 1) on. All
/// threads of the block call this, with the same `steps`.
///
/// Why one barrier a step is enough: behind the barrier of step s, every thread has waited for its own copies of s, so all
/// of s has landed; and every thread has multiplied step s - 1, so that the buffer of s - 1 may be filled again, with
/// step s + kStages - 1. The same holds for tables that the loads read: all have done the loads of the step before.
template <class Tile, class T, class Sum, class Pieces>
__device__ void multiply_pieces(int steps, T* a_pieces, T* b_pieces, int thread, Pieces& pieces, Sum& sum) {
  constexpr int kStages = Tile::template kStages<T>;
  TENON_ROLLED for (int step = 0; step < kStages - 1; ++step) {
    if (step < steps) pieces.load(step, a_pieces + step * Tile::kPieceA, b_pieces + step * Tile::kPieceB);
    commit_copies();  // one group a step, be it empty: the waits count them
  }
  TENON_ROLLED for (int step = 0; step < steps; ++step) {
    wait_for_copies<kStages - 2>();
    __syncthreads();
    const int now = step % kStages, ahead = step + kStages - 1, free = ahead % kStages;
    if (ahead < steps) {
      pieces.load(ahead, a_pieces + free * Tile::kPieceA, b_pieces + free * Tile::kPieceB);
      pieces.prepare(ahead);
    }
    commit_copies();
    sum.multiply_add(a_pieces + now * Tile::kPieceA, b_pieces + now * Tile::kPieceB, thread);
  }
}

// ---- which tile, by sizes alone -----------------------------------------------------------------------

constexpr int64_t kMultiprocessors = 132;                       // of a large card
constexpr int64_t kThreadsWanted = kMultiprocessors * 2 * 256;  // two blocks of 256 for each

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class Tile>
int64_t tiles_of(int64_t m, int64_t n) {
  return divide_up(m, Tile::kM) * divide_up(n, Tile::kN);
}

/// Into how many parts the sum over k is cut, so that `tiles` of `threads` fill a card; parts of `least` or more.
inline int64_t parts_of(int64_t tiles, int64_t threads, int64_t k, int64_t least) {
  return std::clamp<int64_t>(kThreadsWanted / (tiles * threads), 1, std::max<int64_t>(k / least, 1));
}

/// An m x n x k product that is computed `others` times side by side; k may be cut into parts of `least`.
struct ProductSizes {
  int64_t m, n, k, others, least;

  /// As many as there is room for, or fewer if then no multiprocessor has a block more than others.
  template <class Tile>
  int64_t parts() const {
    const int64_t tiles = std::max<int64_t>(tiles_of<Tile>(m, n) * others, 1);
    const int64_t most = parts_of(tiles, Tile::kThreads, k, least);
    const int64_t even = tiles * most / kMultiprocessors * kMultiprocessors / tiles;
    return even > 0 && cost<Tile>(even) < cost<Tile>(most) ? even : most;
  }

  /// What the busiest multiprocessor does with this tile, counted in multiply-adds of a thread. For one k a thread has
  /// kRows kColumns of them, and (kRows + kColumns) / 4 loads that take the time of eight each (two passes, 128 bytes a
  /// cycle, for a warp, whose multiply-adds take a quarter of a cycle). Parts are written and read again: 8 bytes of
  /// memory for an element, the time of some 60.
  template <class Tile>
  int64_t cost(int64_t cut) const {
    constexpr int64_t kForOneK =
        Tile::kThreads * (Tile::kRows * Tile::kColumns + 2 * (Tile::kRows + Tile::kColumns));
    const int64_t blocks = tiles_of<Tile>(m, n) * others * cut;
    const int64_t join = cut == 1 ? 0 : 60 * m * n * others * cut / kMultiprocessors;
    return divide_up(blocks, kMultiprocessors) * divide_up(k, cut) * kForOneK + join;
  }

  /// Is the wide tile at least as good as the narrow one?
  template <class Wide, class Narrow>
  bool prefer() const {
    return cost<Wide>(parts<Wide>()) <= cost<Narrow>(parts<Narrow>());
  }
};

/// Calls f(tile, sum) with the types of the tile for a product, and of a thread's part of it.
template <class T, class F>
void with_tile(const ProductSizes& p, bool tf32, F&& f) {
  const auto call = [&](auto tile) { f(tile, std::type_identity<RegisterTile<decltype(tile), T>>()); };
  using Square = Tile<64, 64, 16, 4, 4>;
  using Rows32 = Tile<32, 64, 16, 4, 4>;
  using Rows16 = Tile<16, 64, 16, 4, 4>;
  if constexpr (std::is_same_v<T, float>) {
    const auto tensor = [&](auto tile) { f(tile, std::type_identity<TensorCoreTile<decltype(tile)>>()); };
    if (tf32 && p.m <= 16) return tensor(Tile<16, 256, 8, 4, 8, 8>());
    if (tf32 && p.m <= 32) return tensor(Tile<32, 256, 8, 8, 8, 8>());
    if (tf32 && p.m <= 64) return tensor(Tile<64, 128, 8, 8, 8, 8>());
    if (tf32) return tensor(Tile<128, 128, 8, 8, 8, 8>());
    using Wide128 = Tile<128, 128, 8, 8, 8>;
    using Wide64 = Tile<64, 128, 8, 8, 8>;
    using Wide32 = Tile<32, 256, 8, 8, 8>;
    using Wide16 = Tile<16, 256, 8, 4, 8>;
    if (p.m <= 16) return p.prefer<Wide16, Rows16>() ? call(Wide16()) : call(Rows16());
    if (p.m <= 32) return p.prefer<Wide32, Rows32>() ? call(Wide32()) : call(Rows32());
    if (p.m > 64 && p.prefer<Wide128, Wide64>() && p.prefer<Wide128, Square>()) return call(Wide128());
    return p.prefer<Wide64, Square>() ? call(Wide64()) : call(Square());
  }
  if (p.m <= 16) return call(Rows16());
  if (p.m <= 32) return call(Rows32());
  call(Square());
}

}  // namespace tenon::cuda
