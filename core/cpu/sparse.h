// The sparse products: what the kernels of both devices share, and the CPU kernels.
//
// A sparse matrix comes as lists of blocks (core/sparse.h). Read row by row, a list gives `rows_out` = R rows
// of Y and an entry reads one row of X; read column by column, for the transposed product, a list gives one
// row of Y and an entry reads `rows_in` = R rows of X. One of the two is 1, so an entry has R values, and one
// kernel does both.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/dtype.h"
#include "core/library_plan.h"

namespace tenon {

/// Lists of entries, as SparseIndex.
struct SparseLists {
  int64_t lists = 0, entries = 0;
  const int32_t* offsets = nullptr;    ///< [lists + 1]
  const int32_t* indices = nullptr;    ///< [entries]
  const int32_t* positions = nullptr;  ///< [entries], or null: entry p has the values p * R ..
  const int32_t* order = nullptr;      ///< [lists]: by falling length
  LibraryPlan* library = nullptr;      ///< for the host
};

/// Y[rows_y, n] = epilogue(bias + W X[rows_x, n]). Y is dense row-major; X has any strides (in elements).
struct SpmmPlan {
  SparseLists w;
  int rows_out = 1, rows_in = 1;
  int64_t rows_y = 0, rows_x = 0, n = 0;
  int64_t x_row = 0, x_column = 0;
  bool relu = false;
};

/// Y[b, m] = epilogue(bias[m] + sum over k with X[b, k] != 0 of W[m, k] X[b, k]): X [batch, columns], Y [batch, rows], both
/// row-major. The host reads W column by column, the device row by row.
struct SpmspvPlan {
  SparseLists w;
  int block_rows = 1;
  int64_t batch = 0, rows = 0, columns = 0;
  bool relu = false;
};

/// values[p * R + r] = sum_n G[list * R + r, n] X[index, n], 0 for rows beyond rows_g. Rows of G and X have
/// unit column stride.
struct SddmmPlan {
  SparseLists w;  ///< read row by row
  int block_rows = 1;
  int64_t rows_g = 0, n = 0;
  int64_t g_row = 0, x_row = 0;
};

namespace cpu {
/// `bias` [rows_y] may be null. Nothing is empty but the lists.
void spmm(const SpmmPlan& plan, DType dtype, void* y, const void* values, const void* x, const void* bias);
void spmspv(const SpmspvPlan& plan, DType dtype, void* y, const void* values, const void* x,
            const void* bias);
void sddmm(const SddmmPlan& plan, DType dtype, void* values, const void* g, const void* x);
}  // namespace cpu

/// Calls `f(R)` with the height of a block as a constant.
template <class F>
void visit_block_rows(int rows, F&& f) {
  switch (rows) {
    case 1:
      return f(std::integral_constant<int, 1>());
    case 4:
      return f(std::integral_constant<int, 4>());
    case 8:
      return f(std::integral_constant<int, 8>());
    case 16:
      return f(std::integral_constant<int, 16>());
    default:
      fail("sparse: no kernel for blocks of ", rows, " rows");
  }
}

/// Calls `f(rows_out, rows_in)` of a plan as constants.
template <class F>
void visit_blocks(const SpmmPlan& plan, F&& f) {
  constexpr std::integral_constant<int, 1> one;
  if (plan.rows_in == 1) return visit_block_rows(plan.rows_out, [&](auto rows) { f(rows, one); });
  visit_block_rows(plan.rows_in, [&](auto rows) { f(one, rows); });
}

}  // namespace tenon
