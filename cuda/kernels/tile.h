// The core of every kernel that is a product of matrices (matmul.cu, conv_product.h): a block computes a tile of
// C = A B; along k it goes in steps, for each of which a piece of A and a piece of B are brought into shared
// memory; each thread multiplies its rows by its columns and sums in registers.
//
// Two buffers for each piece: while one step is multiplied, the copies of the next are under way. The sum over
// k runs in order for each element of C.
//
// Per step of one k, a thread reads kRows + kColumns values of shared memory, four at a time, for kRows *
// kColumns multiply-adds: 4 x 4 is bound by those reads, 8 x 8 (64 for 4 reads) by arithmetic.
#pragma once

#include "core/math.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// Four neighbours, read or written by one instruction.
template <class T>
struct alignas(16) Quad {
  T v[4];
};

/// A block's share: a kM x kN tile of C, kK along k in a step; a thread's share: kRows x kColumns (multiples of
/// 4) of the tile.
template <int kM_, int kN_, int kK_, int kRows_, int kColumns_>
struct Tile {
  static constexpr int kM = kM_, kN = kN_, kK = kK_, kRows = kRows_, kColumns = kColumns_;
  static constexpr int kAcross = kN / kColumns;  // threads along a row of the tile
  static constexpr int kThreads = kM / kRows * kAcross;
  // Pieces lie as [k][row of A] and [k][column of B]. The padding spreads a column of them over the banks, for
  // copies that run along k.
  static constexpr int kPitchA = kM + 4, kPitchB = kN + 4;
  static constexpr int kPieceA = kK * kPitchA, kPieceB = kK * kPitchB;
  static_assert(kRows % 4 == 0 && kColumns % 4 == 0 && kM % kRows == 0 && kN % kColumns == 0);
};

/// A thread's part of the tile of C. Its rows and columns come in fours of neighbours.
template <class Tile, class T>
struct RegisterTile {
  T sum[Tile::kRows][Tile::kColumns] = {};

  /// Row of the tile that row i of the thread is (i % 4 == 0: the first of four neighbours), likewise columns.
  __device__ static int row(int thread, int i) {
    return i / 4 * (Tile::kM / Tile::kRows * 4) + thread / Tile::kAcross * 4 + i % 4;
  }
  __device__ static int column(int thread, int j) {
    return j / 4 * (Tile::kAcross * 4) + thread % Tile::kAcross * 4 + j % 4;
  }

  __device__ void multiply_add(const T* a_piece, const T* b_piece, int thread) {
    for (int k = 0; k < Tile::kK; ++k) {
      Quad<T> a[Tile::kRows / 4], b[Tile::kColumns / 4];
      for (int i = 0; i < Tile::kRows; i += 4)
        a[i / 4] = *reinterpret_cast<const Quad<T>*>(a_piece + k * Tile::kPitchA + row(thread, i));
      for (int j = 0; j < Tile::kColumns; j += 4)
        b[j / 4] = *reinterpret_cast<const Quad<T>*>(b_piece + k * Tile::kPitchB + column(thread, j));
      for (int i = 0; i < Tile::kRows; ++i)
        for (int j = 0; j < Tile::kColumns; ++j)
          sum[i][j] = math::fma(a[i / 4].v[i % 4], b[j / 4].v[j % 4], sum[i][j]);
    }
  }
};

/// Sums the products of `steps` pieces. `pieces.load(step, a, b)` starts the copies of a step;
/// `pieces.prepare(step)` runs a barrier before them (for steps from 2 on) and may fill tables of its own that
/// they read, one for even and one for odd steps. All threads of the block call this, with the same `steps`.
template <class Tile, class T, class Sum, class Pieces>
__device__ void multiply_pieces(int steps, T* a_pieces, T* b_pieces, int thread, Pieces& pieces, Sum& sum) {
  if (steps == 0) return;
  pieces.load(0, a_pieces, b_pieces);
  commit_copies();
  for (int step = 0; step < steps; ++step) {
    const int now = step % 2, next = 1 - now;
    if (step + 1 < steps)
      pieces.load(step + 1, a_pieces + next * Tile::kPieceA, b_pieces + next * Tile::kPieceB);
    commit_copies();
    wait_for_copies<1>();
    __syncthreads();
    if (step + 2 < steps) pieces.prepare(step + 2);
    sum.multiply_add(a_pieces + now * Tile::kPieceA, b_pieces + now * Tile::kPieceB, thread);
    __syncthreads();  // before this buffer is filled again
  }
}

}  // namespace tenon::cuda
