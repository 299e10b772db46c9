// Eigenvalues and eigenvectors of one symmetric tridiagonal matrix, in float64.
#pragma once

#include <cstdint>

namespace tenon::cpu {

/// T = Z^T diag(values) Z, n >= 1. `values` holds the diagonal of T and receives the eigenvalues, ascending; `below` holds
/// the n - 1 numbers below the diagonal and is overwritten; vectors: [n, n], an eigenvector a row. T's norm is about 1.
/// False if an iteration does not converge, which finite numbers have not been seen to do.
bool tridiagonal_eigen(int64_t n, double* values, double* below, double* vectors);

}  // namespace tenon::cpu
