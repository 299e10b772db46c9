// CPU kernel of the matmul family: batched C = A B on strided matrices.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/loop.h"

namespace tenon {

/// C[m, n] = A[m, k] B[k, n] for each item of `batch` (operand 0 = C, 1 = A, 2 = B). Strides count elements;
/// one stride of A and one of B is 1 (a transposed matrix is one whose row stride is 1), and C has unit
/// column stride.
struct MatmulPlan {
  int64_t m = 0, n = 0, k = 0;
  int64_t a_row = 0, a_column = 0;
  int64_t b_row = 0, b_column = 0;
  int64_t c_row = 0;
  Loop<3> batch;
};

namespace cpu {
void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b);
}  // namespace cpu
}  // namespace tenon
