// Kernels of sparsity regularisers over lists of tensors (core/ops/sparsity.h says what they are for), and
// their formulas, which both devices share. In every list `b` is the weight and `a` the gradient that is added
// to; sums read `a` where there is no `b`.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/cpu/list_updates.h"

namespace tenon {

/// S1 = sum |w| and S2 = sum w^2 of one tensor.
struct AbsSquareSums {
  double abs = 0, square = 0;
};

/// What is added to one tensor's gradient: sign * sign(w) + linear * w.
struct SignLinear {
  double sign = 0, linear = 0;
};

/// Regularisers whose gradient has that form.
enum class Regulariser { l1, hoyer, hoyer_square };
constexpr bool needs_sums(Regulariser r) { return r != Regulariser::l1; }

/// l1:            sign(w)
/// hoyer:         sign(w) / sqrt(S2) - w S1 / S2^(3/2)
/// hoyer_square:  2 S1/S2 (sign(w) - w S1/S2)
/// all times lambda; nothing for a weight of zeros.
TENON_HD inline SignLinear sign_linear_of(Regulariser r, const AbsSquareSums& s, double lambda) {
  if (r == Regulariser::l1) return {lambda, 0};
  if (!(s.square > 0)) return {};
  if (r == Regulariser::hoyer) {
    const double norm = std::sqrt(s.square);
    return {lambda / norm, -lambda * s.abs / (s.square * norm)};
  }
  const double ratio = s.abs / s.square;
  return {2 * lambda * ratio, -2 * lambda * ratio * ratio};
}

namespace update {

template <class T>
struct AddSignLinear : Update<T, true, 0, 3> {
  T sign, linear;
  AddSignLinear() = default;
  TENON_HD explicit AddSignLinear(const SignLinear& s)
      : sign(static_cast<T>(s.sign)), linear(static_cast<T>(s.linear)) {}
  TENON_HD void operator()(Element<T>& e) const { e.a += sign * (T(e.b > 0) - T(e.b < 0)) + linear * e.b; }
};

/// a += scale p (p + 1) sign(b) / (p + |b|)^2
template <class T>
struct AddTransformedL1 : Update<T, true, 0, 3> {
  T numerator, shift;
  AddTransformedL1() = default;
  AddTransformedL1(double scale, double p)
      : numerator(static_cast<T>(scale * p * (p + 1))), shift(static_cast<T>(p)) {}
  TENON_HD void operator()(Element<T>& e) const {
    const T d = shift + (e.b < 0 ? -e.b : e.b);
    e.a += numerator * (T(e.b > 0) - T(e.b < 0)) / (d * d);
  }
};

}  // namespace update

/// A weight [rows, columns, kernel...] seen as groups; inner is the product of the kernel's extents.
struct GroupExtents {
  int64_t rows = 0, columns = 0, inner = 1;
};

/// Regularisers of the norms r_g of rows and of columns: sum_g r_g, or (sum_g r_g)^2 / S2.
enum class GroupRegulariser { lasso, hoyer_square };

/// R = sum_g r_g over rows and over columns, and S2.
struct GroupSums {
  double rows = 0, columns = 0, square = 0;
};

/// What is added to the gradient of a weight w in a row and a column: w (row / r_row + column / r_column +
/// constant), where a group of norm 0 has no part.
struct GroupFactors {
  double row = 0, column = 0, constant = 0;
};

/// lasso:         w (l_r / r_row + l_c / r_column)
/// hoyer_square:  w (2 l_r R_r / (S2 r_row) + 2 l_c R_c / (S2 r_column) - 2 (l_r R_r^2 + l_c R_c^2) / S2^2)
TENON_HD inline GroupFactors group_factors_of(GroupRegulariser r, const GroupSums& s, double row_strength,
                                              double column_strength) {
  if (!(s.square > 0)) return {};
  if (r == GroupRegulariser::lasso) return {row_strength, column_strength, 0};
  return {2 * row_strength * s.rows / s.square, 2 * column_strength * s.columns / s.square,
          -2 * (row_strength * s.rows * s.rows + column_strength * s.columns * s.columns) /
              (s.square * s.square)};
}

// Cut by size alone: the same bits for any number of threads.
namespace cpu {

/// sums[i] of the b of item i, in one pass, accumulated in float64.
void abs_sum_sq_sum(const ListLoop& loop, DType dtype, AbsSquareSums* sums);
/// a += lambda d regulariser(b) / db
void regulariser_gradient_add(const ListLoop& loop, DType dtype, Regulariser regulariser, double lambda);
void transformed_l1_gradient_add(const ListLoop& loop, DType dtype, double scale, double p);

/// Sums of squares of every row and column of each b, in one pass: `sums` holds, item after item, rows then
/// columns.
void row_column_square_sums(const ListLoop& loop, DType dtype, const GroupExtents* extents, double* sums);
/// a += d (row_strength regulariser(rows of b) + column_strength regulariser(columns of b)) / db
void group_gradient_add(const ListLoop& loop, DType dtype, const GroupExtents* extents,
                        GroupRegulariser regulariser, double row_strength, double column_strength);

}  // namespace cpu
}  // namespace tenon
