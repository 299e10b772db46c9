// Sparsity regularisers over lists of tensors. Sums, what follows from them, and the gradients are made on the
// device, one launch each for all tensors of a list; nothing waits for the host. All sums run in float64, in an
// order that depends on the sizes of the tensors alone.
//
// Regularisers of single weights: a block of 256 threads has a piece of 2048 elements
// (cuda/kernels/list_table.h). abs_square_kernel sums each piece; a block an item joins its pieces, and writes
// the two factors of the item's gradient; a third kernel adds it.
//
// Regularisers of groups see a weight as [rows, columns, inner]. A block of 32 x 8 threads has a tile of 32
// rows and 128 columns, a thread 4 of each: its 16 places feed 4 sums of rows and 4 of columns in registers, so
// every weight is read once for both. The lanes of a warp join the rows, shared memory the columns; the sums of
// tiles are joined by a block an item, and added back by tiles again, which need no division to know their
// groups. With inner > 1 a thread reads the `inner` neighbours of its place in turn: full use of each line, by
// way of the first-level cache.
//
// Bound: memory. In float32 the sums read 4 bytes an element, and the gradient moves 12 (reads w and g, writes
// g): 16 bytes, or 1.4 us for the 266,200 weights of LeNet-300-100 at 3.0 TB/s, which is less than its three to
// four launches take. A sum costs two double-precision flops an element.
#include "core/ops/contract.h"
#include "cuda/kernels/block_sum.h"
#include "cuda/kernels/list_table.h"
#include "cuda/kernels/sparsity.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

// The weight of an item: b, or a where there is no gradient.
template <class T>
TENON_HD const T* weight_of(const ListItem& item) {
  return static_cast<const T*>(item.b == nullptr ? item.a : item.b);
}

unsigned grid(int64_t blocks) { return static_cast<unsigned>(blocks); }

// ---- single weights ---------------------------------------------------------------------------------

using PlainTable = ListTable<NoPayload>;

template <class T>
__global__ void __launch_bounds__(kListThreads) abs_square_kernel(PlainTable table, AbsSquareSums* partial) {
  TENON_SHARED(double, part, kListThreads);
  AbsSquareSums sums;
  for_each_in_piece(table, [&](const PlainTable::Entry& entry, int64_t i) {
    const double w = static_cast<double>(weight_of<T>(entry.item)[i]);
    sums.abs += w < 0 ? -w : w;
    sums.square += w * w;
  });
  sums.abs = block_sum(sums.abs, part);
  sums.square = block_sum(sums.square, part);
  if (threadIdx.x == 0) partial[table.first_block + blockIdx.x] = sums;
}

// What becomes of the sums of an item.
struct KeepSums {
  using Result = AbsSquareSums;
  TENON_HD AbsSquareSums operator()(const AbsSquareSums& sums) const { return sums; }
};
struct SignLinearOf {
  using Result = SignLinear;
  Regulariser regulariser;
  double lambda;
  TENON_HD SignLinear operator()(const AbsSquareSums& sums) const {
    return sign_linear_of(regulariser, sums, lambda);
  }
};

// A block an item: joins the sums of its pieces.
template <class Finish>
__global__ void __launch_bounds__(kListThreads)
    join_pieces_kernel(PlainTable table, const AbsSquareSums* partial, typename Finish::Result* results,
                       Finish finish) {
  TENON_SHARED(double, part, kListThreads);
  const PlainTable::Entry& entry = table.entries[blockIdx.x];
  const int64_t end = entry.first_block + (entry.item.n + kListPiece - 1) / kListPiece;
  AbsSquareSums sums;
  for (int64_t i = entry.first_block + threadIdx.x; i < end; i += kListThreads) {
    sums.abs += partial[i].abs;
    sums.square += partial[i].square;
  }
  sums.abs = block_sum(sums.abs, part);
  sums.square = block_sum(sums.square, part);
  if (threadIdx.x == 0) results[entry.index] = finish(sums);
}

template <class T>
__global__ void __launch_bounds__(kListThreads)
    add_sign_linear_kernel(PlainTable table, const SignLinear* coefficients) {
  for_each_in_piece(table, [&](const PlainTable::Entry& entry, int64_t i) {
    update::apply(update::AddSignLinear<T>(coefficients[entry.index]), update::Arrays<T>(entry.item, 0), i);
  });
}

template <class Run>
void for_each_plain_table(const ListLoop& loop, Run&& run) {
  for_each_table<NoPayload>(
      loop, pieces_of, [](const ListItem&) { return NoPayload(); }, run);
}

// results[i] = finish(sums of item i)
template <class Finish>
void sum_items(const ListLoop& loop, DType dtype, typename Finish::Result* results, const Finish& finish) {
  int64_t pieces = 0;
  for (int64_t i = 0; i < loop.count; ++i) pieces += pieces_of(loop.items[i]);
  const Scratch partial(static_cast<size_t>(pieces) * sizeof(AbsSquareSums));
  visit_floating("abs_sum_sq_sum", dtype, [&](auto tag) {
    for_each_plain_table(loop, [&](const PlainTable& table, int64_t blocks) {
      if (blocks > 0)
        launch("abs_square_sums", abs_square_kernel<decltype(tag)>, {grid(blocks)}, {kListThreads}, 0, table,
               partial.as<AbsSquareSums>());
    });
  });
  for_each_plain_table(loop, [&](const PlainTable& table, int64_t) {
    launch("abs_square_join", join_pieces_kernel<Finish>, {grid(table.count)}, {kListThreads}, 0, table,
           partial.as<AbsSquareSums>(), results, finish);
  });
}

// ---- groups -----------------------------------------------------------------------------------------

constexpr int kLanes = 32, kWarps = 8;  // of a block: along columns, along rows
constexpr int kPerThread = 4;           // rows, and columns, of a thread
constexpr int64_t kTileRows = kWarps * kPerThread, kTileColumns = kLanes * kPerThread;

struct GroupPlace {
  GroupExtents extents;
  int64_t groups_at;   // where its rows, then its columns, begin in `groups`
  int64_t partial_at;  // where the sums of its tiles begin: [column tiles, rows], then [row tiles, columns]
};
using GroupTable = ListTable<GroupPlace>;

TENON_HD int64_t row_tiles(const GroupExtents& e) { return (e.rows + kTileRows - 1) / kTileRows; }
TENON_HD int64_t column_tiles(const GroupExtents& e) { return (e.columns + kTileColumns - 1) / kTileColumns; }

// The tile of the running block.
struct Tile {
  int64_t row, column;              // its numbers
  int64_t first_row, first_column;  // of the running thread; the next are kWarps rows, kLanes columns on
};
__device__ Tile tile_of(const GroupTable& table, const GroupTable::Entry& entry) {
  const int64_t number = table.first_block + blockIdx.x - entry.first_block;
  const int64_t across = column_tiles(entry.payload.extents);
  Tile tile{number / across, number % across, 0, 0};
  tile.first_row = tile.row * kTileRows + threadIdx.y;
  tile.first_column = tile.column * kTileColumns + threadIdx.x;
  return tile;
}

template <class T>
__device__ double square_sum(const T* x, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kLanes* kWarps) group_sums_kernel(GroupTable table, double* partial) {
  TENON_SHARED(double, column_part, kWarps* kTileColumns);
  const GroupTable::Entry& entry = table.entry_of(table.first_block + blockIdx.x);
  const GroupExtents& e = entry.payload.extents;
  const Tile tile = tile_of(table, entry);
  const T* w = weight_of<T>(entry.item);
  double row_sum[kPerThread] = {}, column_sum[kPerThread] = {};
  TENON_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    TENON_UNROLL
    for (int j = 0; j < kPerThread; ++j) {
      const int64_t row = tile.first_row + i * kWarps, column = tile.first_column + j * kLanes;
      const bool inside = row < e.rows && column < e.columns;
      const double sum = inside ? square_sum(w + (row * e.columns + column) * e.inner, e.inner) : 0;
      row_sum[i] += sum;
      column_sum[j] += sum;
    }
  }
  double* const to = partial + entry.payload.partial_at;
  TENON_UNROLL
  for (int i = 0; i < kPerThread; ++i) {
    for (int half = kLanes / 2; half > 0; half /= 2)
      row_sum[i] += __shfl_xor_sync(0xffffffffu, row_sum[i], half);
    const int64_t row = tile.first_row + i * kWarps;
    if (threadIdx.x == 0 && row < e.rows) to[tile.column * e.rows + row] = row_sum[i];
  }
  TENON_UNROLL
  for (int j = 0; j < kPerThread; ++j)
    column_part[threadIdx.y * kTileColumns + threadIdx.x + j * kLanes] = column_sum[j];
  __syncthreads();
  const int64_t in_tile = threadIdx.y * kLanes + threadIdx.x, column = tile.column * kTileColumns + in_tile;
  if (in_tile >= kTileColumns || column >= e.columns) return;
  double sum = 0;
  for (int i = 0; i < kWarps; ++i) sum += column_part[i * kTileColumns + in_tile];
  to[column_tiles(e) * e.rows + tile.row * e.columns + column] = sum;
}

// A block an item: joins the sums of its tiles.
__global__ void __launch_bounds__(kListThreads)
    join_tiles_kernel(GroupTable table, const double* partial, double* groups) {
  const GroupPlace& place = table.entries[blockIdx.x].payload;
  const GroupExtents& e = place.extents;
  const double* const row_parts = partial + place.partial_at;
  const double* const column_parts = row_parts + column_tiles(e) * e.rows;
  for (int64_t g = threadIdx.x; g < e.rows + e.columns; g += kListThreads) {
    const bool is_row = g < e.rows;
    const int64_t tiles = is_row ? column_tiles(e) : row_tiles(e);
    double sum = 0;
    for (int64_t t = 0; t < tiles; ++t)
      sum += is_row ? row_parts[t * e.rows + g] : column_parts[t * e.columns + g - e.rows];
    groups[place.groups_at + g] = sum;
  }
}

// A block an item: turns the square sums of its groups into what the group adds to the factor of its weights.
__global__ void __launch_bounds__(kListThreads)
    group_factors_kernel(GroupTable table, double* groups, double* constants, GroupRegulariser regulariser,
                         double row_strength, double column_strength) {
  TENON_SHARED(double, part, kListThreads);
  const GroupTable::Entry& entry = table.entries[blockIdx.x];
  const GroupExtents& e = entry.payload.extents;
  double* const group = groups + entry.payload.groups_at;
  GroupSums sums;
  for (int64_t g = threadIdx.x; g < e.rows + e.columns; g += kListThreads) {
    if (g < e.rows) sums.square += group[g];
    (g < e.rows ? sums.rows : sums.columns) += std::sqrt(group[g]);
  }
  sums = {block_sum(sums.rows, part), block_sum(sums.columns, part), block_sum(sums.square, part)};
  const GroupFactors f = group_factors_of(regulariser, sums, row_strength, column_strength);
  for (int64_t g = threadIdx.x; g < e.rows + e.columns; g += kListThreads)
    group[g] = group[g] > 0 ? (g < e.rows ? f.row : f.column) / std::sqrt(group[g]) : 0;
  if (threadIdx.x == 0) constants[entry.index] = f.constant;
}

template <class T>
__global__ void __launch_bounds__(kLanes* kWarps)
    group_add_kernel(GroupTable table, const double* groups, const double* constants) {
  const GroupTable::Entry& entry = table.entry_of(table.first_block + blockIdx.x);
  const GroupExtents& e = entry.payload.extents;
  const Tile tile = tile_of(table, entry);
  const double* const row_factor = groups + entry.payload.groups_at;
  const double* const column_factor = row_factor + e.rows;
  T* const gradient = static_cast<T*>(entry.item.a);
  const T* const w = weight_of<T>(entry.item);
  for (int i = 0; i < kPerThread; ++i)
    for (int j = 0; j < kPerThread; ++j) {
      const int64_t row = tile.first_row + i * kWarps, column = tile.first_column + j * kLanes;
      if (row >= e.rows || column >= e.columns) continue;
      const T factor =
          static_cast<T>(row_factor[row] + constants[entry.index]) + static_cast<T>(column_factor[column]);
      const int64_t at = (row * e.columns + column) * e.inner;
      for (int64_t k = at; k < at + e.inner; ++k) gradient[k] += w[k] * factor;
    }
}

template <class Run>
void for_each_group_table(const ListLoop& loop, const GroupExtents* extents, Run&& run) {
  int64_t groups_at = 0, partial_at = 0;
  for_each_table<GroupPlace>(
      loop,
      [&](const ListItem& item) {
        const GroupExtents& e = extents[&item - loop.items];
        return row_tiles(e) * column_tiles(e);
      },
      [&](const ListItem& item) {
        const GroupExtents& e = extents[&item - loop.items];
        const GroupPlace place{e, groups_at, partial_at};
        groups_at += e.rows + e.columns;
        partial_at += column_tiles(e) * e.rows + row_tiles(e) * e.columns;
        return place;
      },
      run);
}

}  // namespace

void abs_sum_sq_sum(const ListLoop& loop, DType dtype, AbsSquareSums* sums) {
  sum_items(loop, dtype, sums, KeepSums());
}

void regulariser_gradient_add(const ListLoop& loop, DType dtype, Regulariser regulariser, double lambda) {
  visit_floating("regulariser_gradient_add", dtype, [&](auto tag) {
    using T = decltype(tag);
    if (!needs_sums(regulariser)) {
      const update::AddSignLinear<T> same_for_all(sign_linear_of(regulariser, {}, lambda));
      return update_list("add_sign_linear", loop, [=](const ListItem&) { return same_for_all; });
    }
    const Scratch coefficients(static_cast<size_t>(loop.count) * sizeof(SignLinear));
    sum_items(loop, dtype, coefficients.as<SignLinear>(), SignLinearOf{regulariser, lambda});
    for_each_plain_table(loop, [&](const PlainTable& table, int64_t blocks) {
      if (blocks > 0)
        launch("add_sign_linear", add_sign_linear_kernel<T>, {grid(blocks)}, {kListThreads}, 0, table,
               coefficients.as<SignLinear>());
    });
  });
}

void transformed_l1_gradient_add(const ListLoop& loop, DType dtype, double scale, double p) {
  update::visit<update::AddTransformedL1>(
      dtype, [&](auto make) { update_list("add_transformed_l1", loop, make); }, scale, p);
}

void row_column_square_sums(const ListLoop& loop, DType dtype, const GroupExtents* extents, double* sums) {
  int64_t partials = 1;
  for (int64_t i = 0; i < loop.count; ++i)
    partials += column_tiles(extents[i]) * extents[i].rows + row_tiles(extents[i]) * extents[i].columns;
  const Scratch partial(static_cast<size_t>(partials) * sizeof(double));
  visit_floating("row_column_square_sums", dtype, [&](auto tag) {
    for_each_group_table(loop, extents, [&](const GroupTable& table, int64_t blocks) {
      if (blocks > 0)
        launch("group_sums", group_sums_kernel<decltype(tag)>, {grid(blocks)}, {kLanes, kWarps}, 0, table,
               partial.as<double>());
      launch("group_sums_join", join_tiles_kernel, {grid(table.count)}, {kListThreads}, 0, table,
             partial.as<double>(), sums);
    });
  });
}

void group_gradient_add(const ListLoop& loop, DType dtype, const GroupExtents* extents,
                        GroupRegulariser regulariser, double row_strength, double column_strength) {
  int64_t total = 1;
  for (int64_t i = 0; i < loop.count; ++i) total += extents[i].rows + extents[i].columns;
  const Scratch groups(static_cast<size_t>(total) * sizeof(double));
  const Scratch constants(static_cast<size_t>(loop.count) * sizeof(double));
  row_column_square_sums(loop, dtype, extents, groups.as<double>());
  visit_floating("group_gradient_add", dtype, [&](auto tag) {
    for_each_group_table(loop, extents, [&](const GroupTable& table, int64_t blocks) {
      launch("group_factors", group_factors_kernel, {grid(table.count)}, {kListThreads}, 0, table,
             groups.as<double>(), constants.as<double>(), regulariser, row_strength, column_strength);
      if (blocks > 0)
        launch("group_add", group_add_kernel<decltype(tag)>, {grid(blocks)}, {kLanes, kWarps}, 0, table,
               groups.as<double>(), constants.as<double>());
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(abs_sum_sq_sum)
TENON_CUDA_ENTRY(hoyer_square_gradient_add)
TENON_CUDA_ENTRY(hoyer_gradient_add)
TENON_CUDA_ENTRY(l1_gradient_add)
TENON_CUDA_ENTRY(transformed_l1_gradient_add)
TENON_CUDA_ENTRY(row_column_norms)
TENON_CUDA_ENTRY(group_hoyer_square_gradient_add)
TENON_CUDA_ENTRY(group_lasso_gradient_add)
