// The kernel of all convolutions: a tile of the product that conv_gather.h describes. Sites of a block's n are worked
// out once, those of its k a step ahead of the copies, a thread a site; an element of the gathered piece then
// costs some ten instructions (its mask, its addresses, the copy, the loop), with more than 32 taps some fifteen.
#pragma once

#include "cuda/kernels/conv_gather.h"
#include "cuda/kernels/parts.h"
#include "cuda/kernels/tile.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/settings.h"

namespace tenon::cuda {

/// The copies of one block. `kSourceAlongK`: neighbours in k are neighbours in the source, so copies of it run
/// along k, else along n.
template <class Tile, class T, bool kSourceAlongK, class Gather, class Site>
struct ConvPieces {
  static constexpr int kOwn = kSourceAlongK || Tile::kN <= Tile::kThreads ? 1 : Tile::kN / Tile::kThreads;
  static_assert(Tile::kM * Tile::kK % Tile::kThreads == 0 && Tile::kN * Tile::kK % Tile::kThreads == 0);

  const Gather& gather;
  const T *a, *source;
  const Site* n_sites;  // shared, [kN]
  // Tables along k, of two times `kAhead`: one half is read while the other is filled.
  static constexpr int kAhead = Tile::template kStages<T> * Tile::kK, kTable = 2 * kAhead;
  static_assert(kAhead <= Tile::kThreads);
  Site* k_sites;   // shared, [kTable]
  int* a_offsets;  // shared, [kTable]
  int m, k_begin, k_end, thread;
  // Copies along n: the sites of this thread's columns. Those of four words would take too many registers.
  static constexpr bool kKeepsOwn = !kSourceAlongK && std::is_same_v<Site, MaskSite>;
  Site own[kOwn];

  // Works out number `index` of the block's part of k.
  __device__ void fill(int index) {
    const int k = k_begin + index;
    Site site = Site::nowhere();
    int a_offset = -1;
    if (k < k_end) site = gather.template k_site<Site>(k, a_offset);
    k_sites[index % kTable] = site;
    a_offsets[index % kTable] = a_offset;
  }
  // The first load from one half is under way: fills the other.
  __device__ void prepare(int step) {
    if (step * Tile::kK % kAhead == 0 && thread < kAhead) fill(step * Tile::kK + kAhead + thread);
  }

  __device__ void copy_gathered(T* to, const Site& n, const Site& k) const {
    copy_async(to, source + n.offset + k.offset, gather.inside(n, k));
  }

  __device__ void load(int step, T* a_piece, T* b_piece) const {
    const int table = step * Tile::kK % kTable;
    TENON_ROLLED for (int item = thread; item < Tile::kM * Tile::kK; item += Tile::kThreads) {
      const int row = gather.a_along_k ? item / Tile::kK : item % Tile::kM;
      const int k = gather.a_along_k ? item % Tile::kK : item / Tile::kM;
      const int offset = a_offsets[table + k];
      copy_async(a_piece + k * Tile::kPitchA + row, a + int64_t{m + row} * gather.a_step + offset,
                 offset >= 0 && m + row < gather.m);
    }
    if constexpr (kSourceAlongK) {
      const int k = thread % Tile::kK;
      const Site k_site = k_sites[table + k];
      for (int n = thread / Tile::kK; n < Tile::kN; n += Tile::kThreads / Tile::kK)
        copy_gathered(b_piece + k * Tile::kPitchB + n, n_sites[n], k_site);
    } else if constexpr (kKeepsOwn) {
      constexpr int kSteps = kOwn == 1 ? Tile::kThreads / Tile::kN : 1;
      const int n = thread % Tile::kN;
      TENON_ROLLED for (int k = kOwn == 1 ? thread / Tile::kN : 0; k < Tile::kK; k += kSteps) {
        const Site k_site = k_sites[table + k];
        for (int j = 0; j < kOwn; ++j)
          copy_gathered(b_piece + k * Tile::kPitchB + n + j * Tile::kThreads, own[j], k_site);
      }
    } else {
      TENON_ROLLED for (int item = thread; item < Tile::kN * Tile::kK; item += Tile::kThreads) {
        const int k = item / Tile::kN, n = item % Tile::kN;
        copy_gathered(b_piece + k * Tile::kPitchB + n, n_sites[n], k_sites[table + k]);
      }
    }
  }
};

/// Writes a thread's part of the tile, finished, neighbours in C together where they lie so and are aligned. All loops
/// over sums are unrolled: a sum whose number is known only at run time cannot lie in a register, here or in the product.
template <class Sum, class T>
__device__ void store_tile(const Sum& sum, T* c, const int* c_offsets, int m, int m_end, int c_step,
                           int thread, const ConvFinish<T>& finish) {
  constexpr int kColumns = Sum::kColumnsTogether, kRows = Sum::kRowsTogether;
  using Columns = Neighbours<T, kColumns>;
  using Rows = Neighbours<T, kRows>;
  if (c_step == 1 && kRows > 1) {  // channels inside
    TENON_UNROLL
    for (int i = 0; i < Sum::kRows; i += kRows) {
      TENON_UNROLL
      for (int j = 0; j < Sum::kColumns; ++j) {
        const int row = m + Sum::row(thread, i), offset = c_offsets[Sum::column(thread, j)];
        if (offset < 0) continue;
        T* const at = c + row + offset;
        Rows rows;
        TENON_UNROLL
        for (int q = 0; q < kRows; ++q)
          if (row + q < m_end) rows.v[q] = finish.value(sum.value(i + q, j), row + q + offset);
        if (row + kRows <= m_end && reinterpret_cast<uintptr_t>(at) % alignof(Rows) == 0) {
          *reinterpret_cast<Rows*>(at) = rows;
          continue;
        }
        TENON_UNROLL
        for (int q = 0; q < kRows; ++q)
          if (row + q < m_end) at[q] = rows.v[q];
      }
    }
    return;
  }
  TENON_UNROLL
  for (int j = 0; j < Sum::kColumns; j += kColumns) {
    int offset[kColumns];
    bool together = true;
    TENON_UNROLL
    for (int q = 0; q < kColumns; ++q) {
      offset[q] = c_offsets[Sum::column(thread, j + q)];
      together = together && offset[q] == offset[0] + q && offset[0] >= 0;
    }
    TENON_UNROLL
    for (int i = 0; i < Sum::kRows; ++i) {
      const int row = m + Sum::row(thread, i);
      if (row >= m_end) continue;
      T* const at = c + int64_t{row} * c_step;
      Columns columns;
      TENON_UNROLL
      for (int q = 0; q < kColumns; ++q)
        if (offset[q] >= 0)
          columns.v[q] = finish.value(sum.value(i, j + q), int64_t{row} * c_step + offset[q]);
      if (together && reinterpret_cast<uintptr_t>(at + offset[0]) % alignof(Columns) == 0) {
        *reinterpret_cast<Columns*>(at + offset[0]) = columns;
        continue;
      }
      TENON_UNROLL
      for (int q = 0; q < kColumns; ++q)
        if (offset[q] >= 0) at[offset[q]] = columns.v[q];
    }
  }
}

/// One part of k, one group, one tile of C. The bias is added to the rows, in the first part; residual and relu are for
/// sums of a single part.
template <class Tile, class Sum, class T, bool kSourceAlongK, class Gather, class Site>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    conv_product_kernel(Gather gather, T* c, const T* __restrict__ a, const T* __restrict__ source,
                        ConvFinish<T> finish) {
  using Pieces = ConvPieces<Tile, T, kSourceAlongK, Gather, Site>;
  TENON_SHARED(T, a_pieces, Tile::template kStages<T> * Tile::kPieceA);
  TENON_SHARED(T, b_pieces, Tile::template kStages<T> * Tile::kPieceB);
  TENON_SHARED(Site, n_sites, Tile::kN);
  TENON_SHARED(int, c_offsets, Tile::kN);
  TENON_SHARED(Site, k_sites, Pieces::kTable);
  TENON_SHARED(int, a_offsets, Pieces::kTable);
  const int thread = static_cast<int>(threadIdx.x);
  const int n_first = static_cast<int>(blockIdx.x) * Tile::kN, m = static_cast<int>(blockIdx.y) * Tile::kM;
  const int group = static_cast<int>(blockIdx.z) % gather.groups;
  const int part = static_cast<int>(blockIdx.z) / gather.groups;
  const int k_begin = part * gather.k_per_part;
  const int k_end = gather.k - k_begin < gather.k_per_part ? gather.k : k_begin + gather.k_per_part;

  Pieces pieces{gather,
                a + group * gather.a_group,
                source + group * gather.source_group,
                n_sites,
                k_sites,
                a_offsets,
                m,
                k_begin,
                k_end,
                thread,
                {}};
  for (int i = thread; i < Tile::kN; i += Tile::kThreads) {
    Site site = Site::nowhere();
    int c_offset = -1;
    if (i < gather.n - n_first) site = gather.template n_site<Site>(n_first + i, c_offset);
    n_sites[i] = site;
    c_offsets[i] = c_offset;
  }
  for (int i = thread; i < Pieces::kTable; i += Tile::kThreads) pieces.fill(i);
  __syncthreads();
  if constexpr (Pieces::kKeepsOwn)
    for (int j = 0; j < Pieces::kOwn; ++j) pieces.own[j] = n_sites[(thread + j * Tile::kThreads) % Tile::kN];

  Sum sum;
  multiply_pieces<Tile>((k_end - k_begin + Tile::kK - 1) / Tile::kK, a_pieces, b_pieces, thread, pieces, sum);
  if (finish.bias != nullptr && part == 0) {
    TENON_UNROLL
    for (int i = 0; i < Sum::kRows; ++i) {
      const int row = m + Sum::row(thread, i);
      if (row < gather.m) sum.add_to_row(i, finish.bias[group * gather.m + row]);
    }
  }
  if (finish.residual != nullptr) finish.residual += group * gather.c_group;
  store_tile(sum, c + group * gather.c_group + part * gather.c_part, c_offsets, m, gather.m, gather.c_step,
             thread, finish);
}

/// c[i] = finished c[i], which has its bias: for sums that could not be finished where they were made.
template <class T>
__global__ void finish_sums_kernel(T* c, int64_t count, ConvFinish<T> finish) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < count) c[i] = finish.value(c[i], i);
}

template <class T>
void finish_sums(T* c, int64_t count, const ConvFinish<T>& finish) {
  if (finish.residual == nullptr && !finish.relu) return;
  constexpr unsigned kBlock = 256;
  launch("conv_finish", finish_sums_kernel<T>, {static_cast<unsigned>(divide_up(count, kBlock))}, {kBlock}, 0,
         c, count, finish);
}

/// Computes the product in a tile that suits its sizes, k cut into parts where the tiles alone would not fill a
/// card (`c_count` elements of C, or 0 not to cut: then C is not written whole). `name` is the kernel's.
template <class T, class Gather>
void run_product(const char* name, Gather gather, bool source_along_k, int64_t c_count, T* c, const T* a,
                 const T* source, const ConvFinish<T>& finish = {}) {
  constexpr int64_t kLeast = 512;  // of k in a part
  const int64_t most = c_count > 0 ? std::max<int64_t>(gather.k / kLeast, 1) : 1;
  with_tile<T>(gather.m, gather.n, gather.groups * most, settings().tf32, [&](auto tile, auto type) {
    using Shape = decltype(tile);
    using Sum = typename decltype(type)::type;
    const int64_t tiles = tiles_of<Shape>(gather.m, gather.n) * gather.groups;
    int64_t parts = c_count > 0 ? parts_of(tiles, Shape::kThreads, gather.k, kLeast) : 1;
    gather.k_per_part =
        static_cast<int>(std::max<int64_t>(divide_up(divide_up(gather.k, parts), Shape::kK), 1) * Shape::kK);
    parts = std::max<int64_t>(divide_up(gather.k, gather.k_per_part), 1);
    gather.c_part = c_count;
    const Dim3 grid{static_cast<unsigned>(divide_up(gather.n, Shape::kN)),
                    static_cast<unsigned>(divide_up(gather.m, Shape::kM)),
                    static_cast<unsigned>(gather.groups * parts)};
    TENON_CHECK(grid.y <= 65535 && gather.groups * parts <= 65535, name, ": ", gather.m, " rows in ",
                gather.groups, " groups are too many for one launch");
    const auto kernel = gather.all_taps <= kMaskedTaps
                            ? (source_along_k ? conv_product_kernel<Shape, Sum, T, true, Gather, MaskSite>
                                              : conv_product_kernel<Shape, Sum, T, false, Gather, MaskSite>)
                            : (source_along_k ? conv_product_kernel<Shape, Sum, T, true, Gather, PlaceSite>
                                              : conv_product_kernel<Shape, Sum, T, false, Gather, PlaceSite>);
    if (parts == 1) return launch(name, kernel, grid, {Shape::kThreads}, 0, gather, c, a, source, finish);
    const Scratch partial(static_cast<size_t>(parts * c_count) * sizeof(T));
    launch(name, kernel, grid, {Shape::kThreads}, 0, gather, partial.as<T>(), a, source,
           ConvFinish<T>{finish.bias});
    join_parts(c, partial.as<T>(), c_count, parts);
    finish_sums(c, c_count, finish);
  });
}

}  // namespace tenon::cuda
