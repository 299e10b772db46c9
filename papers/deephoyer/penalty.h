// The regularisers that the paper compares, each in two forms: its gradient added in place to the gradients
// of the loss (what training uses, core/ops/sparsity.h), and a function of a Variable (what gradcheck and
// second derivatives use). H. Yang, W. Wen, H. Li, "DeepHoyer: Learning Sparser Neural Network with
// Differentiable Scale-Invariant Sparsity Measures", ICLR 2020.
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace tenon::deephoyer {

enum class PenaltyKind { none, hoyer_square, hoyer, l1, transformed_l1, group_hoyer_square, group_lasso };

/// "Hoyer-Square", "L1", ...
const char* name_of(PenaltyKind kind);
/// Structural penalties act on rows and columns of weights of rank >= 2, the others on every parameter
/// (biases too, as the reference code for MNIST does).
bool is_structural(PenaltyKind kind);

/// lambda times the sum over parameter tensors, each on its own, of the measure.
struct Penalty {
  PenaltyKind kind = PenaltyKind::none;
  double lambda = 0;
};

/// Is this parameter regularised?
bool applies_to(PenaltyKind kind, const Tensor& parameter);

/// Adds d(penalty)/d(parameter) to the gradient of every parameter that the penalty applies to and that has
/// one.
void add_gradient(const Penalty& penalty, const std::vector<Variable>& parameters);

/// The unweighted measure of one tensor: S1^2/S2, S1/sqrt(S2), sum |w|, sum 2|w|/(1+|w|), (R_rows^2 +
/// R_columns^2)/S2, R_rows + R_columns. 0 for a tensor of zeros. Float64.
double measure(PenaltyKind kind, const Tensor& parameter);
/// The same summed over the parameters that the penalty applies to.
double measure(PenaltyKind kind, const std::vector<Variable>& parameters);

/// The measure as a differentiable function, composed of ops; rank >= 2 for structural kinds, not all zeros.
Variable measure_of(PenaltyKind kind, const Variable& parameter);

}  // namespace tenon::deephoyer
