// Linear algebra on batches of matrices [..., m, n], over the last two axes; float32 or float64.
//
// All throw Error on undefined tensors, on rank < 2 and on integer dtypes; and, naming the first matrix at fault, if a
// decomposition meets a NaN or an infinity, or does not converge. On a device they wait for the result to know.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace tenon {

/// A = u diag(s) v^T; X is Tensor or Variable.
template <class X>
struct SvdOf {
  X u, s, v;
};
/// A = vectors diag(values) vectors^T.
template <class X>
struct EighOf {
  X values, vectors;
};
/// A = q r.
template <class X>
struct QrOf {
  X q, r;
};
using Svd = SvdOf<Tensor>;
using Eigh = EighOf<Tensor>;
using Qr = QrOf<Tensor>;

/// Thin singular value decomposition: u [..., m, k], s [..., k] descending, v [..., n, k], k = min(m, n). u and v have
/// orthonormal columns whatever the rank. The sign of a triple is free; the first component of its column of u that
/// reaches half of the largest magnitude is positive, so that results do not depend on the way they were found.
/// |s - exact| <= 5e-6 s_1 in float32. One-sided Jacobi: small matrices of a batch in the lanes of SIMD, larger ones after
/// the eigenvectors of A^T A (core/cpu/svd.cpp); a block a matrix on the device (cuda/kernels/svd.cu).
Svd svd(const Tensor& a);
/// The same for matrices of mixed shapes, which are gathered by shape: all layers of a network in one call. Equal
/// dtypes and devices.
std::vector<Svd> svd(const std::vector<Tensor>& matrices);
/// How many matrices this process has decomposed by svd: what a training loop that claims to need none is held to.
int64_t svd_count();
/// The first `rank` triples. Throws unless 0 <= rank <= k.
Svd truncated(const Svd& full, int64_t rank);
/// Smallest rank whose dropped squares are at most `share` of all: sum_{i >= rank} s_i^2 <= share sum s_i^2, for one
/// matrix: s [k]. Throws if share is not in [0, 1].
int64_t rank_for_energy(const Tensor& s, double share);

/// Eigenvalues [..., n], ascending, and eigenvectors [..., n, n], a column each, of the symmetric part (A + A^T) / 2.
/// Signs of the vectors as for the columns of u in svd. Throws if not square.
Eigh eigh(const Tensor& a);

/// Thin QR: q [..., m, n] with orthonormal columns, r [..., n, n] upper triangular, its diagonal not negative, which
/// makes both unique for full rank. Throws if m < n.
Qr qr(const Tensor& a);

/// L [..., n, n], lower triangular with positive diagonal, L L^T = (A + A^T) / 2. Throws if not square, or not positive
/// definite.
Tensor cholesky(const Tensor& a);

struct TriangularOptions {
  bool upper = false;       ///< A is upper triangular, else lower; the other triangle is not read
  bool transposed = false;  ///< solve A^T X = B
};
/// X with A X = B: a [..., n, n], b [..., n, k]; leading axes broadcast. A zero on the diagonal gives infinities. Throws on
/// extents that do not fit, mixed dtypes or devices.
Tensor solve_triangular(const Tensor& a, const Tensor& b, TriangularOptions options = {});

/// The orthogonal factor U V^T of tall matrices of full rank, m >= n: the nearest matrix with orthonormal columns.
/// Newton-Schulz, X <- X (3 - X^T X) / 2 from A / |A| (Higham, Functions of Matrices, 8.3): products alone. Throws if 60
/// steps do not do, that is for condition numbers beyond some 1e9 (or a singular A).
Tensor polar(const Tensor& a);

}  // namespace tenon
