// Products of which both operands lie along k in memory and few rows are asked for: sums of products, without
// turning B round.
#pragma once

#include "core/cpu/blas.h"

namespace tenon::cpu {

/// C[m, n] = A[m, k] B[k, n] with a.column = b.row = 1 and C row-major, c_row apart. Each element of C is a
/// sum over the lanes of a vector, in an order that k alone fixes. Extents are at least 1. Runs on the
/// calling thread.
void multiply_dots(int64_t m, int64_t n, int64_t k, Matrix<const float> a, Matrix<const float> b, float* c,
                   int64_t c_row);
void multiply_dots(int64_t m, int64_t n, int64_t k, Matrix<const double> a, Matrix<const double> b, double* c,
                   int64_t c_row);

}  // namespace tenon::cpu
