// Sparsity regularisers over lists of weights: their sums, and their gradients added in place to the
// gradients of the loss. Each weight w is regularised on its own; a list is one parallel loop, however many
// tensors it has.
//
// Sources: H. Yang, W. Wen, H. Li, "DeepHoyer", ICLR 2020 (Hoyer, Hoyer-Square, Group-HS); S. Zhang, J. Xin,
// 2018 (transformed L1); M. Yuan, Y. Lin, 2006 (group lasso, here without weights for the sizes of groups).
//
// All throw Error on undefined tensors, on lists of unequal length, on shapes that differ within an entry, on
// mixed dtypes or devices, and on dtypes other than float32 and float64. What is written to must be dense
// (row-major for the group forms); the other list may lie in any order. None is differentiable: compositions
// of norm1, norm2 and square over Variables are.
#pragma once

#include <utility>

#include "core/ops/lists.h"
#include "core/tensor.h"

namespace tenon {

/// S1 = sum |w| and S2 = sum w^2 of every entry, in one pass: float64 [entries, 2] on the device of the weights.
Tensor abs_sum_sq_sum(TensorList weights);

/// g_i += lambda dHS/dw_i with HS(w) = S1^2 / S2:   dHS/dw = 2 S1/S2 (sign(w) - w S1/S2).
/// sign(0) = 0; a weight of zeros adds nothing.
void hoyer_square_gradient_add(TensorList weights, TensorList gradients, double lambda);
/// Likewise with H(w) = S1 / sqrt(S2):   dH/dw = sign(w) / sqrt(S2) - w S1 / S2^(3/2).
void hoyer_gradient_add(TensorList weights, TensorList gradients, double lambda);
/// g_i += lambda sign(w_i)
void l1_gradient_add(TensorList weights, TensorList gradients, double lambda);
/// Gradient of lambda sum (a + 1) |w| / (a + |w|):   a (a + 1) sign(w) / (a + |w|)^2. Throws unless a > 0.
void transformed_l1_gradient_add(TensorList weights, TensorList gradients, double lambda, double a = 1);

/// Euclidean norms of the rows w[n, :, ...] and of the columns w[:, c, ...] of a weight [N, C, kernel...]:
/// ([N], [C]), in one pass. Throws for rank < 2.
std::pair<Tensor, Tensor> row_column_norms(const Tensor& weight);

/// Strengths on rows (filters, output neurons) and on columns (channels, input neurons).
struct GroupStrength {
  double rows = 0, columns = 0;
};

/// Gradient of strength.rows G_rows(w) + strength.columns G_columns(w), with G = (sum_g r_g)^2 / S2 over the
/// norms r_g of the groups and R = sum_g r_g:
///   w ( 2 l_r R_r / (S2 r_row) + 2 l_c R_c / (S2 r_column) - 2 (l_r R_r^2 + l_c R_c^2) / S2^2 )
/// A group of norm 0 adds nothing. Entries have rank >= 2.
void group_hoyer_square_gradient_add(TensorList weights, TensorList gradients, GroupStrength strength);
/// Gradient of strength.rows R_rows + strength.columns R_columns:   w (l_r / r_row + l_c / r_column).
void group_lasso_gradient_add(TensorList weights, TensorList gradients, GroupStrength strength);

}  // namespace tenon
