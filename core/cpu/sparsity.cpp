// Bytes bound all of these: a sum reads 4 bytes an element in float32, an update reads 8 and writes 4.
// LeNet-300-100 has 266,610 elements, so both passes together move 4.3 MB a step, where Adam alone moves 7.5
// MB.
#include "core/cpu/sparsity.h"

#include <cmath>

#include "core/cpu/list_walk.h"
#include "core/pool.h"

namespace tenon::cpu {
namespace {

// The weight of an item: b, or a where there is no gradient.
template <class T>
const T* weight_of(const ListItem& item, int64_t first) {
  return static_cast<const T*>(item.b == nullptr ? item.a : item.b) + first;
}

// 32 lanes: with fewer, g++ 12 leaves the loop scalar.
constexpr int kLanes = 32;

// S1 and S2 of n elements, in lanes that become SIMD.
template <class T>
AbsSquareSums sums_of(const T* x, int64_t n) {
  double abs_lane[kLanes] = {}, square_lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) {
      const double v = static_cast<double>(x[i + l]);
      abs_lane[l] += std::fabs(v);
      square_lane[l] += v * v;
    }
  for (int l = 0; i < n; ++i, ++l) {
    const double v = static_cast<double>(x[i]);
    abs_lane[l] += std::fabs(v);
    square_lane[l] += v * v;
  }
  AbsSquareSums sums;
  for (int l = 0; l < kLanes; ++l) {
    sums.abs += abs_lane[l];
    sums.square += square_lane[l];
  }
  return sums;
}

// Some whole rows of one item: the unit of work of the group kernels.
struct RowBlock {
  int64_t item, first, last;
  int64_t sums_at;     // where the rows of the item begin in `sums`
  int64_t partial_at;  // where the block's own column sums begin
};

PoolVector<RowBlock> cut_into_row_blocks(const ListLoop& loop, const GroupExtents* extents, int64_t grain) {
  PoolVector<RowBlock> blocks;
  int64_t sums_at = 0, partial_at = 0;
  for (int64_t i = 0; i < loop.count; ++i) {
    const GroupExtents& e = extents[i];
    const int64_t rows = std::max<int64_t>(1, grain / std::max<int64_t>(1, e.columns * e.inner));
    for (int64_t row = 0; row < e.rows; row += rows) {
      blocks.push_back({i, row, std::min(e.rows, row + rows), sums_at, partial_at});
      partial_at += e.columns;
    }
    sums_at += e.rows + e.columns;
  }
  return blocks;
}

// Of loops over the blocks, which move so many bytes.
Grain grain_of_blocks(const PoolVector<RowBlock>& blocks, int64_t bytes) {
  return grain_for_bytes(bytes / std::max<int64_t>(1, static_cast<int64_t>(blocks.size())));
}

template <class T>
void block_square_sums(const T* w, const RowBlock& block, const GroupExtents& e, double* row_sums,
                       double* column_sums) {
  for (int64_t row = block.first; row < block.last; ++row) {
    const T* x = w + row * e.columns * e.inner;
    row_sums[row] = sums_of(x, e.columns * e.inner).square;
    if (e.inner == 1) {
      for (int64_t c = 0; c < e.columns; ++c)
        column_sums[c] += static_cast<double>(x[c]) * static_cast<double>(x[c]);
    } else {
      for (int64_t c = 0; c < e.columns; ++c) column_sums[c] += sums_of(x + c * e.inner, e.inner).square;
    }
  }
}

template <class T>
void block_scale_add(T* g, const T* w, const RowBlock& block, const GroupExtents& e,
                     const double* row_factors, const double* column_factors, double constant) {
  for (int64_t row = block.first; row < block.last; ++row) {
    const int64_t start = row * e.columns * e.inner;
    const T fixed = static_cast<T>(row_factors[row] + constant);
    for (int64_t c = 0; c < e.columns; ++c) {
      const T factor = fixed + static_cast<T>(column_factors[c]);
      const int64_t at = start + c * e.inner;
      for (int64_t k = at; k < at + e.inner; ++k) g[k] += w[k] * factor;
    }
  }
}

// The same for inner = 1, where the columns are the SIMD axis.
template <class T>
void block_scale_add_flat(T* g, const T* w, const RowBlock& block, const GroupExtents& e,
                          const double* row_factors, const double* column_factors, double constant) {
  for (int64_t row = block.first; row < block.last; ++row) {
    T* to = g + row * e.columns;
    const T* from = w + row * e.columns;
    const T fixed = static_cast<T>(row_factors[row] + constant);
#pragma GCC ivdep
    for (int64_t c = 0; c < e.columns; ++c) to[c] += from[c] * (fixed + static_cast<T>(column_factors[c]));
  }
}

}  // namespace

void abs_sum_sq_sum(const ListLoop& loop, DType dtype, AbsSquareSums* sums) {
  for (int64_t i = 0; i < loop.count; ++i) sums[i] = {};
  visit_floating("abs_sum_sq_sum", dtype, [&](auto tag) {
    using T = decltype(tag);
    // A chunk may cover the end of one tensor and the start of others, so it keeps its pieces apart; they are
    // joined in the order of the chunks.
    struct Piece {
      int64_t item;
      AbsSquareSums sums;
    };
    const Grain grain = grain_for_bytes(sizeof(T));
    PoolVector<PoolVector<Piece>> chunks(static_cast<size_t>((loop.total + grain.items - 1) / grain.items));
    parallel_for(loop.total, grain, [&](int64_t begin, int64_t end) {
      walk_chunk(loop, begin, end, [&](const ListItem& item, int64_t first, int64_t n) {
        chunks[static_cast<size_t>(begin / grain.items)].push_back(
            {&item - loop.items, sums_of(weight_of<T>(item, first), n)});
      });
    });
    for (const PoolVector<Piece>& chunk : chunks)
      for (const Piece& piece : chunk) {
        sums[piece.item].abs += piece.sums.abs;
        sums[piece.item].square += piece.sums.square;
      }
  });
}

void regulariser_gradient_add(const ListLoop& loop, DType dtype, Regulariser regulariser, double lambda) {
  PoolVector<AbsSquareSums> sums(static_cast<size_t>(loop.count));
  if (needs_sums(regulariser)) abs_sum_sq_sum(loop, dtype, sums.data());
  visit_floating("regulariser_gradient_add", dtype, [&](auto tag) {
    update_list(loop, [&](const ListItem& item) {
      const AbsSquareSums& s = sums[static_cast<size_t>(&item - loop.items)];
      return update::AddSignLinear<decltype(tag)>(sign_linear_of(regulariser, s, lambda));
    });
  });
}

void transformed_l1_gradient_add(const ListLoop& loop, DType dtype, double scale, double p) {
  update::visit<update::AddTransformedL1>(
      dtype, [&](auto make) { update_list(loop, make); }, scale, p);
}

void row_column_square_sums(const ListLoop& loop, DType dtype, const GroupExtents* extents, double* sums) {
  visit_floating("row_column_square_sums", dtype, [&](auto tag) {
    using T = decltype(tag);
    const PoolVector<RowBlock> blocks = cut_into_row_blocks(loop, extents, grain_for_bytes(sizeof(T)).items);
    int64_t partials = 0;
    for (const RowBlock& block : blocks) partials = block.partial_at + extents[block.item].columns;
    PoolVector<double> columns(static_cast<size_t>(partials), 0.0);
    parallel_for(static_cast<int64_t>(blocks.size()),
                 grain_of_blocks(blocks, loop.total * int64_t{sizeof(T)}), [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const RowBlock& block = blocks[static_cast<size_t>(i)];
                     block_square_sums(weight_of<T>(loop.items[block.item], 0), block, extents[block.item],
                                       sums + block.sums_at, columns.data() + block.partial_at);
                   }
                 });
    int64_t at = 0;
    for (int64_t i = 0; i < loop.count; ++i) {
      for (int64_t c = 0; c < extents[i].columns; ++c) sums[at + extents[i].rows + c] = 0;
      at += extents[i].rows + extents[i].columns;
    }
    for (const RowBlock& block : blocks) {
      const GroupExtents& e = extents[block.item];
      for (int64_t c = 0; c < e.columns; ++c)
        sums[block.sums_at + e.rows + c] += columns[static_cast<size_t>(block.partial_at + c)];
    }
  });
}

namespace {

// Turns the square sums of each item's groups into what the group adds to the factor of its weights; returns
// the constants of the items.
PoolVector<double> factors_from_sums(const ListLoop& loop, const GroupExtents* extents,
                                     GroupRegulariser regulariser, double row_strength,
                                     double column_strength, double* group) {
  PoolVector<double> constants;
  for (int64_t item = 0; item < loop.count; ++item) {
    const GroupExtents& e = extents[item];
    const int64_t groups = e.rows + e.columns;
    GroupSums sums;
    for (int64_t i = 0; i < e.rows; ++i) sums.square += group[i];
    for (int64_t i = 0; i < groups; ++i)
      (i < e.rows ? sums.rows : sums.columns) += group[i] = std::sqrt(group[i]);
    const GroupFactors f = group_factors_of(regulariser, sums, row_strength, column_strength);
    for (int64_t i = 0; i < groups; ++i)
      group[i] = group[i] > 0 ? (i < e.rows ? f.row : f.column) / group[i] : 0;
    constants.push_back(f.constant);
    group += groups;
  }
  return constants;
}

}  // namespace

void group_gradient_add(const ListLoop& loop, DType dtype, const GroupExtents* extents,
                        GroupRegulariser regulariser, double row_strength, double column_strength) {
  int64_t groups = 0;
  for (int64_t i = 0; i < loop.count; ++i) groups += extents[i].rows + extents[i].columns;
  PoolVector<double> factors(static_cast<size_t>(groups));
  row_column_square_sums(loop, dtype, extents, factors.data());
  const PoolVector<double> constants =
      factors_from_sums(loop, extents, regulariser, row_strength, column_strength, factors.data());
  visit_floating("group_gradient_add", dtype, [&](auto tag) {
    using T = decltype(tag);
    const PoolVector<RowBlock> blocks =
        cut_into_row_blocks(loop, extents, grain_for_bytes(3 * int64_t{sizeof(T)}).items);
    parallel_for(static_cast<int64_t>(blocks.size()),
                 grain_of_blocks(blocks, 3 * loop.total * int64_t{sizeof(T)}),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const RowBlock& block = blocks[static_cast<size_t>(i)];
                     const ListItem& item = loop.items[block.item];
                     const GroupExtents& e = extents[block.item];
                     const double* rows = factors.data() + block.sums_at;
                     auto add = e.inner == 1 ? block_scale_add_flat<T> : block_scale_add<T>;
                     add(static_cast<T*>(item.a), static_cast<const T*>(item.b), block, e, rows,
                         rows + e.rows, constants[static_cast<size_t>(block.item)]);
                   }
                 });
  });
}

}  // namespace tenon::cpu
