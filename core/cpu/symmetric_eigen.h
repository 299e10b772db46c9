// Eigenvalues and eigenvectors of one symmetric matrix, in float64: the CPU kernel of eigh, and what the SVD of larger
// matrices starts from.
#pragma once

#include <cstdint>

namespace tenon::cpu {

/// Doubles in a row of a matrix of n columns, as symmetric_eigen wants it: whole SIMD vectors.
int64_t symmetric_eigen_pitch(int64_t n);

/// A = V diag(values) V^T, ascending. `a` is [n, pitch], 64-byte aligned, symmetric, of norm about 1, and is
/// overwritten; vectors: [n, n],
/// an eigenvector a row. False if the iteration does not converge, which finite numbers have not been seen to do.
bool symmetric_eigen(int64_t n, double* a, double* values, double* vectors);

}  // namespace tenon::cpu
