#include "papers/deephoyer/penalty.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/sparsity.h"

namespace tenon::deephoyer {
namespace {

constexpr double kTransformedL1 = 1;  // a of (a + 1)|w| / (a + |w|), as in the reference code

// All axes of a tensor but one.
Dims all_but(int64_t axis, int rank) {
  Dims axes;
  for (int i = 0; i < rank; ++i)
    if (i != axis) axes.push_back(i);
  return axes;
}

double total(const Tensor& x) { return sum(x.to(float64)).item(); }

}  // namespace

const char* name_of(PenaltyKind kind) {
  switch (kind) {
    case PenaltyKind::none:
      return "none";
    case PenaltyKind::hoyer_square:
      return "Hoyer-Square";
    case PenaltyKind::hoyer:
      return "Hoyer";
    case PenaltyKind::l1:
      return "L1";
    case PenaltyKind::transformed_l1:
      return "transformed L1";
    case PenaltyKind::group_hoyer_square:
      return "Group-HS";
    case PenaltyKind::group_lasso:
      return "group lasso";
  }
  fail("deephoyer: no such penalty");
}

bool is_structural(PenaltyKind kind) {
  return kind == PenaltyKind::group_hoyer_square || kind == PenaltyKind::group_lasso;
}

bool applies_to(PenaltyKind kind, const Tensor& parameter) {
  return kind != PenaltyKind::none && (!is_structural(kind) || parameter.rank() >= 2);
}

void add_gradient(const Penalty& penalty, const std::vector<Variable>& parameters) {
  std::vector<Tensor> weights, gradients;
  for (const Variable& p : parameters) {
    if (!applies_to(penalty.kind, p.value()) || !p.grad().defined()) continue;
    weights.push_back(p.value());
    gradients.push_back(p.grad().value());
  }
  switch (penalty.kind) {
    case PenaltyKind::none:
      return;
    case PenaltyKind::hoyer_square:
      return hoyer_square_gradient_add(weights, gradients, penalty.lambda);
    case PenaltyKind::hoyer:
      return hoyer_gradient_add(weights, gradients, penalty.lambda);
    case PenaltyKind::l1:
      return l1_gradient_add(weights, gradients, penalty.lambda);
    case PenaltyKind::transformed_l1:
      return transformed_l1_gradient_add(weights, gradients, penalty.lambda, kTransformedL1);
    case PenaltyKind::group_hoyer_square:
      return group_hoyer_square_gradient_add(weights, gradients, {penalty.lambda, penalty.lambda});
    case PenaltyKind::group_lasso:
      return group_lasso_gradient_add(weights, gradients, {penalty.lambda, penalty.lambda});
  }
}

double measure(PenaltyKind kind, const Tensor& w) {
  if (!applies_to(kind, w)) return 0;
  if (kind == PenaltyKind::transformed_l1) {
    const Tensor magnitude = abs(w.to(float64));
    return (kTransformedL1 + 1) * total(div(magnitude, affine(magnitude, 1, kTransformedL1)));
  }
  const std::vector<double> sums = abs_sum_sq_sum({&w, 1}).to_vector<double>();
  const double s1 = sums[0], s2 = sums[1];
  if (kind == PenaltyKind::l1) return s1;
  if (s2 == 0) return 0;
  if (kind == PenaltyKind::hoyer_square) return s1 * s1 / s2;
  if (kind == PenaltyKind::hoyer) return s1 / std::sqrt(s2);
  const auto [row_norms, column_norms] = row_column_norms(w);
  const double rows = total(row_norms), columns = total(column_norms);
  return kind == PenaltyKind::group_lasso ? rows + columns : (rows * rows + columns * columns) / s2;
}

double measure(PenaltyKind kind, const std::vector<Variable>& parameters) {
  double all = 0;
  for (const Variable& p : parameters) all += measure(kind, p.value());
  return all;
}

Variable measure_of(PenaltyKind kind, const Variable& w) {
  const Variable s1 = norm1(w), s2 = sum(square(w));
  switch (kind) {
    case PenaltyKind::hoyer_square:
      return square(s1) / s2;
    case PenaltyKind::hoyer:
      return s1 / sqrt(s2);
    case PenaltyKind::l1:
      return s1;
    case PenaltyKind::transformed_l1: {
      const Variable magnitude = abs(w);
      return sum(magnitude / (magnitude + kTransformedL1)) * (kTransformedL1 + 1);
    }
    default:
      break;
  }
  TENON_CHECK(is_structural(kind) && w.rank() >= 2, "deephoyer: ", name_of(kind),
              " is no measure of a tensor of shape ", w.shape());
  const Variable rows = sum(norm2(w, all_but(0, w.rank()))), columns = sum(norm2(w, all_but(1, w.rank())));
  return kind == PenaltyKind::group_lasso ? rows + columns : (square(rows) + square(columns)) / s2;
}

}  // namespace tenon::deephoyer
