// The kernel of the convolutions that conv_window.h does not take: a tile of the product that conv_gather.h describes. Sites of a block's n are worked
// out once; those of its k a warp or two at a time, a thread a site, four steps and more ahead of the copies. An element
// of the gathered piece then costs four or five instructions (its site, its address, its mask, the copy), with more than
// 32 taps some ten; one of the weight's three.
#pragma once

#include "cuda/kernels/conv_gather.h"
#include "cuda/kernels/parts.h"
#include "cuda/kernels/tile.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/settings.h"

namespace tenon::cuda {

/// The copies of one thread. `kSourceAlongK`: neighbours in k are neighbours in the source, so copies of it run
/// along k, else along n. What does not change from step to step is worked out once, and loops are unrolled, so that an
/// element costs its site, its address, its mask and the copy.
template <class Tile, class T, bool kSourceAlongK, class Gather, class Site>
struct ConvPieces {
  static constexpr int kThreads = Tile::kThreads, kM = Tile::kM, kN = Tile::kN, kK = Tile::kK;
  static constexpr int kPitchA = Tile::kPitchA, kPitchB = Tile::kPitchB;
  static constexpr int kCopiesA = kM * kK / kThreads;
  static_assert(kCopiesA * kThreads == kM * kK && kN * kK % kThreads == 0);
  static_assert(kThreads % kM == 0 && kThreads % kK == 0 && (kThreads % kN == 0 || kN % kThreads == 0));
  // Tables along k, of two times `kAhead`: one half is read while the other is filled.
  static constexpr int kAhead = Tile::template kStages<T> * kK, kTable = 2 * kAhead;
  static_assert(kAhead <= kThreads);
  // Copies along n: a thread's columns are `kOwn`, kThreads apart, and its k are kBetween apart. Their sites are
  // kept, but for those of four words, which would take too many registers.
  static constexpr int kOwn = !kSourceAlongK && kN > kThreads ? kN / kThreads : 1;
  static constexpr int kBetween = kSourceAlongK || kN > kThreads ? 1 : kThreads / kN;
  static constexpr bool kKeepsOwn = !kSourceAlongK && std::is_same_v<Site, MaskSite>;

  const Gather& gather;
  const T *a, *source;
  const Site* n_sites;  // shared, [kN]
  Site* k_sites;        // shared, [kTable]
  int* a_offsets;       // shared, [kTable]
  int k_begin, k_end, thread;
  int a_row, a_k, rows_left;  // of the thread's first element of A's piece; rows of A from it on
  Site own[kOwn];

  __device__ ConvPieces(const Gather& gather_, const T* a_, const T* source_, const Site* n_sites_,
                        Site* k_sites_, int* a_offsets_, int m, int k_begin_, int k_end_, int thread_)
      : gather(gather_),
        source(source_),
        n_sites(n_sites_),
        k_sites(k_sites_),
        a_offsets(a_offsets_),
        k_begin(k_begin_),
        k_end(k_end_),
        thread(thread_) {
    a_row = gather.a_along_k ? thread / kK : thread % kM;
    a_k = gather.a_along_k ? thread % kK : thread / kM;
    a = a_ + int64_t{m + a_row} * gather.a_step;
    rows_left = gather.m - m - a_row;
  }

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
    if (step * kK % kAhead == 0 && thread < kAhead) fill(step * kK + kAhead + thread);
  }

  // Once n_sites are there.
  __device__ void keep_own() {
    if constexpr (kKeepsOwn)
      for (int j = 0; j < kOwn; ++j) own[j] = n_sites[thread % kN + j * kThreads];
  }

  template <bool kAlongK>
  __device__ void load_a(T* piece, const int* offsets) const {
    constexpr int kStep = kThreads / (kAlongK ? kK : kM);
    const T* const from = opaque(a);
    int offset[kCopiesA];
    TENON_UNROLL
    for (int q = 0; q < (kAlongK ? 1 : kCopiesA); ++q) offset[q] = offsets[q * kStep];
    TENON_UNROLL
    for (int q = 0; q < kCopiesA; ++q) {
      const int row = kAlongK ? q * kStep : 0, at = offset[kAlongK ? 0 : q];
      copy_async(piece + (kAlongK ? row : q * kStep * kPitchA), from + int64_t{row} * gather.a_step + at,
                 at >= 0 && row < rows_left);
    }
  }

  // Copies what `site` meets at kCopies others, each kSitesApart behind the last, to places kApart behind another.
  template <int kCopies, int kSitesApart, int kApart>
  __device__ void gather_with(const Site& site, T* to, const Site* others) const {
    constexpr int kTogether = std::min<int>(kCopies, 32 / sizeof(Site));  // sites read before their copies
    const T* const from = opaque(source + site.offset);
    TENON_UNROLL
    for (int first = 0; first < kCopies; first += kTogether) {
      Site other[kTogether];
      TENON_UNROLL
      for (int q = 0; q < kTogether; ++q) other[q] = others[(first + q) * kSitesApart];
      TENON_UNROLL
      for (int q = 0; q < kTogether; ++q)
        copy_async(to + (first + q) * kApart, from + other[q].offset, gather.inside(site, other[q]));
    }
  }

  __device__ void load(int step, T* a_piece, T* b_piece) const {
    const int table = step * kK % kTable;
    if (gather.a_along_k) {
      load_a<true>(a_piece + a_k * kPitchA + a_row, a_offsets + table + a_k);
    } else {
      load_a<false>(a_piece + a_k * kPitchA + a_row, a_offsets + table + a_k);
    }
    if constexpr (kSourceAlongK) {
      constexpr int kApart = kThreads / kK;
      const int k = thread % kK, n = thread / kK;
      gather_with<kN / kApart, kApart, kApart>(k_sites[table + k], b_piece + k * kPitchB + n, n_sites + n);
    } else {
      const int k = thread / kN, n = thread % kN;  // k is 0 if columns are more than threads
      for (int j = 0; j < kOwn; ++j) {
        const int column = n + j * kThreads;
        const Site site = kKeepsOwn ? own[j] : n_sites[column];
        gather_with<kK / kBetween, kBetween, kBetween * kPitchB>(site, b_piece + k * kPitchB + column,
                                                                 k_sites + table + k);
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

  Pieces pieces(gather, a + group * gather.a_group, source + group * gather.source_group, n_sites, k_sites,
                a_offsets, m, k_begin, k_end, thread);
  for (int i = thread; i < Tile::kN; i += Tile::kThreads) {
    Site site = Site::nowhere();
    int c_offset = -1;
    if (i < gather.n - n_first) site = gather.template n_site<Site>(n_first + i, c_offset);
    n_sites[i] = site;
    c_offsets[i] = c_offset;
  }
  for (int i = thread; i < Pieces::kTable; i += Tile::kThreads) pieces.fill(i);
  __syncthreads();
  pieces.keep_own();

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
  const int64_t least = c_count > 0 ? 512 : std::max(gather.k, 1);  // of k in a part
  const ProductSizes sizes{gather.m, gather.n, gather.k, gather.groups, least};
  with_tile<T>(sizes, settings().tf32, [&](auto tile, auto type) {
    using Shape = decltype(tile);
    using Sum = typename decltype(type)::type;
    int64_t parts = sizes.parts<Shape>();
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
