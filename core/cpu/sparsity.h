// Kernels of sparsity regularisers over lists of tensors (core/ops/sparsity.h says what they are for). In
// every list `b` is the weight and `a` the gradient that is added to; sums read `a` where there is no `b`.
// Cut by size alone: the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "core/cpu/lists.h"

namespace tenon::cpu {

/// S1 = sum |w| and S2 = sum w^2 of one tensor.
struct AbsSquareSums {
  double abs = 0, square = 0;
};

/// What is added to one tensor's gradient: sign * sign(w) + linear * w.
struct SignLinear {
  double sign = 0, linear = 0;
};

/// A weight [rows, columns, kernel...] seen as groups; inner is the product of the kernel's extents.
struct GroupExtents {
  int64_t rows = 0, columns = 0, inner = 1;
};

/// sums[i] of the b of item i, in one pass, accumulated in float64.
void abs_sum_sq_sum(const ListLoop& loop, DType dtype, AbsSquareSums* sums);
/// a += coefficients[i].sign sign(b) + coefficients[i].linear b
void sign_linear_add(const ListLoop& loop, DType dtype, const SignLinear* coefficients);
/// a += scale (p + 1) p sign(b) / (p + |b|)^2
void transformed_l1_gradient_add(const ListLoop& loop, DType dtype, double scale, double p);

/// Sums of squares of every row and column of each b, in one pass: `sums` holds, item after item, rows then
/// columns.
void row_column_square_sums(const ListLoop& loop, DType dtype, const GroupExtents* extents, double* sums);
/// a += b (r + c + k): `factors` holds, item after item, an r for each row, then a c for each column;
/// constants[i] is k.
void group_scale_add(const ListLoop& loop, DType dtype, const GroupExtents* extents, const double* factors,
                     const double* constants);

}  // namespace tenon::cpu
