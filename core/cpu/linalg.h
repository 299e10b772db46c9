// CPU kernels of the linalg family: decompositions of batches of small dense matrices. What both devices share
// of their contract stands here; every result is row-major without gaps, one matrix after the other.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tenon {

/// A batch of matrices in memory, of any strides (elements): matrix b begins b * step elements from the first.
struct MatrixBatch {
  int64_t count = 0, rows = 0, columns = 0;
  int64_t step = 0, row = 0, column = 0;
};

/// What became of a matrix. A kernel writes one for each; the op turns the first that is not `ok` into an Error.
enum class LinalgStatus : int32_t { ok = 0, not_finite = 1, not_converged = 2, not_positive_definite = 3 };

/// A = U diag(s) V^T of tall matrices, rows >= columns >= 1. The sign of each triple is free: it is chosen so
/// that the first component of u (of v if `sign_by_v`) that reaches half of the largest magnitude is positive.
struct SvdPlan {
  MatrixBatch a;
  bool sign_by_v = false;
};

/// op(A) X = B with A triangular: what is above (or below) its diagonal is not read.
struct TriangularPlan {
  int64_t count = 0, n = 0, columns = 0;  ///< of X and B
  bool upper = false;                     ///< A is upper triangular, else lower
  bool transposed = false;                ///< op(A) = A^T
};

namespace cpu {

/// u: [count, rows, columns]; s: [count, columns], descending; v: [count, columns, columns].
void svd(const SvdPlan& plan, DType dtype, const void* a, void* u, void* s, void* v, LinalgStatus* status);
/// (A + A^T) / 2 = V diag(w) V^T. w: [count, n], ascending; v: [count, n, n]; signs as those of v in svd.
void eigh(const MatrixBatch& a, DType dtype, const void* in, void* w, void* v, LinalgStatus* status);
/// A = Q R, rows >= columns, the diagonal of R not negative. q: [count, rows, columns]; r: [count, columns, columns].
void qr(const MatrixBatch& a, DType dtype, const void* in, void* q, void* r, LinalgStatus* status);
/// (A + A^T) / 2 = L L^T, zeros above the diagonal. l: [count, n, n].
void cholesky(const MatrixBatch& a, DType dtype, const void* in, void* l, LinalgStatus* status);
/// x: [count, n, columns] holds B and receives X; a: [count, n, n]. A zero on the diagonal gives infinities.
void solve_triangular(const TriangularPlan& plan, DType dtype, const void* a, void* x);

}  // namespace cpu
}  // namespace tenon
