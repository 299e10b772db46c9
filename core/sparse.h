// Sparse matrices: which elements of a matrix may differ from 0 (the pattern), and what they are (a Tensor of
// values). The two are apart because training changes values and never the pattern: values are what is
// differentiated, moved and saved; a pattern is immutable and shared by all its copies.
//
//   CsrMatrix w = CsrMatrix::from_dense(dense);     // one element an entry
//   Tensor y = spmm(w, x);                          // core/ops/sparse.h
#pragma once

#include <memory>

#include "core/library_plan.h"
#include "core/tensor.h"

namespace tenon {

/// The entries of a matrix list by list: row by row, or column by column for the transposed matrix.
struct SparseIndex {
  Tensor offsets;    ///< int32 [lists + 1]: list i owns the entries offsets[i] .. offsets[i + 1] - 1
  Tensor indices;    ///< int32 [entries]: the place of each entry along the other axis, ascending in a list
  Tensor positions;  ///< int32 [entries]: where its value stands; undefined if values stand in this order
  Tensor order;      ///< int32 [lists]: the lists by falling length, equal ones by number
  std::shared_ptr<LibraryPlan> library = std::make_shared<LibraryPlan>();  ///< of the device
};

/// Pattern of a matrix [rows, columns] in compressed sparse rows, its entries being blocks of `block_rows`
/// rows by one column. With blocks of one row it is the common CSR. Where block_rows does not divide `rows`,
/// the last blocks reach beyond the matrix; their values there are ignored.
class SparsePattern {
 public:
  /// An empty handle.
  SparsePattern() = default;
  /// `row_offsets` [ceil(rows / block_rows) + 1] and `column_indices` [entries], int32 or int64, on one
  /// device; the indices of a row ascend strictly. Throws Error unless all of this holds, block_rows is 1, 4,
  /// 8 or 16, and rows, columns and entries are below 2^31.
  SparsePattern(int64_t rows, int64_t columns, const Tensor& row_offsets, const Tensor& column_indices,
                int64_t block_rows = 1);
  /// The smallest pattern that holds every element of `mask` [rows, columns] that is not 0. Any dtype.
  static SparsePattern from_mask(const Tensor& mask, int64_t block_rows = 1);

  bool defined() const { return state_ != nullptr; }
  int64_t rows() const;
  int64_t columns() const;
  int64_t block_rows() const;
  /// Number of blocks.
  int64_t entries() const;
  /// Rows of blocks: ceil(rows / block_rows).
  int64_t lists() const;
  Device device() const;
  /// Of the values: [entries], or [entries, block_rows] for taller blocks.
  Shape values_shape() const;

  /// The blocks row by row.
  const SparseIndex& by_rows() const;
  /// The blocks column by column; each index is the number of a row of blocks. Made when first asked for.
  const SparseIndex& by_columns() const;

  /// This pattern if it is there already, else a copy.
  SparsePattern to(Device device) const;

  /// The elements of `dense` [rows, columns] that stand in the pattern, as values; 0 where a block reaches
  /// beyond the matrix. On the device of `dense`.
  Tensor gather(const Tensor& dense) const;
  /// The matrix [rows, columns] with these values, 0 elsewhere. On the device of `values`.
  Tensor scatter(const Tensor& values) const;

  /// Where each value stands in the row-major matrix of whole blocks [lists * block_rows, columns]: int64, of
  /// values_shape(), on the host.
  Tensor places() const;

  /// "4x1 blocks, 120 in 300 x 784", for messages.
  std::string str() const;

 private:
  struct State;
  const State& state(const char* what) const;
  std::shared_ptr<State> state_;
};

/// A pattern and its values [entries] or [entries, block_rows]; float32 or float64, on the pattern's device.
struct SparseMatrix {
  SparsePattern pattern;
  Tensor values;

  int64_t rows() const { return pattern.rows(); }
  int64_t columns() const { return pattern.columns(); }
  Tensor to_dense() const { return pattern.scatter(values); }
};

/// A matrix of single elements in compressed sparse rows.
struct CsrMatrix : SparseMatrix {
  CsrMatrix() = default;
  /// Throws Error unless the pattern has blocks of one row and the values are [entries] on its device.
  CsrMatrix(SparsePattern matrix_pattern, Tensor matrix_values);
  /// The elements of `dense` [rows, columns] that are not 0 (a NaN is not 0).
  static CsrMatrix from_dense(const Tensor& dense);
  /// The elements of `dense` where `mask`, of its shape, is not 0.
  static CsrMatrix from_mask(const Tensor& dense, const Tensor& mask);
  CsrMatrix to(Device device) const { return {pattern.to(device), values.to(device)}; }
};

/// A matrix of blocks of 4, 8 or 16 rows by one column. A product reads each row of its dense operand once a
/// block and uses it for every row of the block.
struct BlockSparseMatrix : SparseMatrix {
  BlockSparseMatrix() = default;
  /// Throws Error unless the pattern has blocks of 4, 8 or 16 rows and the values are [entries, block_rows]
  /// on its device.
  BlockSparseMatrix(SparsePattern matrix_pattern, Tensor matrix_values);
  /// The blocks of `dense` [rows, columns] that hold an element other than 0.
  static BlockSparseMatrix from_dense(const Tensor& dense, int64_t block_rows);
  /// The blocks where `mask`, of the shape of `dense`, has an element other than 0.
  static BlockSparseMatrix from_mask(const Tensor& dense, const Tensor& mask, int64_t block_rows);
  BlockSparseMatrix to(Device device) const { return {pattern.to(device), values.to(device)}; }
};

}  // namespace tenon
