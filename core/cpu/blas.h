// The one door to OpenBLAS: row-major products on strided matrices, single-threaded. Callers cut the work.
#pragma once

#include <cstdint>

namespace tenon::cpu {

/// A matrix in memory. One of the two steps is 1 (row-major if `column` is), or its axis has extent 1.
template <class T>
struct Matrix {
  T* at;
  int64_t row, column;
};

/// C[m, n] = A[m, k] B[k, n] + keep * C. Extents fit an int; none is 0. With keep = 0, C may hold anything.
void multiply(int64_t m, int64_t n, int64_t k, Matrix<const float> a, Matrix<const float> b, float keep,
              Matrix<float> c);
void multiply(int64_t m, int64_t n, int64_t k, Matrix<const double> a, Matrix<const double> b, double keep,
              Matrix<double> c);

}  // namespace tenon::cpu
