#include "core/ops/sparsity.h"

#include <cmath>
#include <vector>

#include "core/cpu/sparsity.h"
#include "core/ops/contract.h"
#include "core/ops/list_call.h"

namespace tenon {
namespace {

// Adds sign(w) and w with factors that depend on the sums of each tensor.
template <class F>
void add_sign_linear(const char* op, TensorList weights, TensorList gradients, bool needs_sums, F&& factors) {
  ListCall call(op, gradients);
  call.read(weights, gradients);
  if (!call.writes(gradients)) return;
  std::vector<cpu::AbsSquareSums> sums(weights.size());
  if (needs_sums) cpu::abs_sum_sq_sum(call.loop(), call.dtype(), sums.data());
  std::vector<cpu::SignLinear> coefficients;
  for (const cpu::AbsSquareSums& s : sums) coefficients.push_back(factors(s.abs, s.square));
  cpu::sign_linear_add(call.loop(), call.dtype(), coefficients.data());
}

cpu::GroupExtents extents_of(const char* op, const Tensor& w) {
  TENON_CHECK(w.rank() >= 2, op, ": expects weights [N, C, ...], got ", w.str());
  cpu::GroupExtents e{w.shape()[0], w.shape()[1], 1};
  for (int axis = 2; axis < w.rank(); ++axis) e.inner *= w.shape()[axis];
  return e;
}

// What each row, each column and the whole of one tensor is scaled by, from the norms of its groups (0 for
// norm 0).
struct GroupFactors {
  double row_scale = 0, column_scale = 0;  // divided by the norm of the group
  double constant = 0;
};
struct GroupSums {
  double rows = 0, columns = 0, square = 0;  // R_rows, R_columns, S2
};

template <class F>
void add_group_gradient(const char* op, TensorList weights, TensorList gradients, F&& factors_of) {
  std::vector<cpu::GroupExtents> extents;
  size_t total = 0;
  for (const Tensor& g : gradients) {
    TENON_CHECK(g.defined(), op, ": undefined tensor as entry ", extents.size());
    TENON_CHECK(g.is_contiguous(), op, ": expects row-major gradients, got shape ", g.shape(),
                " with strides ", g.strides(), " as entry ", extents.size());
    extents.push_back(extents_of(op, g));
    total += static_cast<size_t>(extents.back().rows + extents.back().columns);
  }
  ListCall call(op, gradients);
  call.read(weights, gradients);
  if (!call.writes(gradients)) return;
  std::vector<double> groups(total), constants;
  cpu::row_column_square_sums(call.loop(), call.dtype(), extents.data(), groups.data());
  double* group = groups.data();
  for (const cpu::GroupExtents& e : extents) {
    GroupSums sums;
    for (int64_t i = 0; i < e.rows; ++i) sums.square += group[i];
    for (int64_t i = 0; i < e.rows; ++i) sums.rows += group[i] = std::sqrt(group[i]);
    for (int64_t i = e.rows; i < e.rows + e.columns; ++i) sums.columns += group[i] = std::sqrt(group[i]);
    const GroupFactors f = sums.square > 0 ? factors_of(sums) : GroupFactors{};
    for (int64_t i = 0; i < e.rows + e.columns; ++i)
      group[i] = group[i] > 0 ? (i < e.rows ? f.row_scale : f.column_scale) / group[i] : 0;
    constants.push_back(f.constant);
    group += e.rows + e.columns;
  }
  cpu::group_scale_add(call.loop(), call.dtype(), extents.data(), groups.data(), constants.data());
}

}  // namespace

Tensor abs_sum_sq_sum(TensorList weights) {
  ListCall call("abs_sum_sq_sum", weights, ListCall::Access::reads);
  std::vector<cpu::AbsSquareSums> sums(weights.size());
  if (!call.empty()) cpu::abs_sum_sq_sum(call.loop(), call.dtype(), sums.data());
  std::vector<double> values;
  for (const cpu::AbsSquareSums& s : sums) values.insert(values.end(), {s.abs, s.square});
  return Tensor::from(values, {static_cast<int64_t>(weights.size()), 2});
}

void hoyer_square_gradient_add(TensorList weights, TensorList gradients, double lambda) {
  add_sign_linear("hoyer_square_gradient_add", weights, gradients, true, [lambda](double s1, double s2) {
    const double ratio = s2 > 0 ? s1 / s2 : 0;
    return cpu::SignLinear{2 * lambda * ratio, -2 * lambda * ratio * ratio};
  });
}

void hoyer_gradient_add(TensorList weights, TensorList gradients, double lambda) {
  add_sign_linear("hoyer_gradient_add", weights, gradients, true, [lambda](double s1, double s2) {
    const double norm = std::sqrt(s2);
    return s2 > 0 ? cpu::SignLinear{lambda / norm, -lambda * s1 / (s2 * norm)} : cpu::SignLinear{};
  });
}

void l1_gradient_add(TensorList weights, TensorList gradients, double lambda) {
  add_sign_linear("l1_gradient_add", weights, gradients, false, [lambda](double, double) {
    return cpu::SignLinear{lambda, 0};
  });
}

void transformed_l1_gradient_add(TensorList weights, TensorList gradients, double lambda, double a) {
  TENON_CHECK(a > 0, "transformed_l1_gradient_add: expects a > 0, got ", a);
  ListCall call("transformed_l1_gradient_add", gradients);
  call.read(weights, gradients);
  if (call.writes(gradients)) cpu::transformed_l1_gradient_add(call.loop(), call.dtype(), lambda, a);
}

std::pair<Tensor, Tensor> row_column_norms(const Tensor& weight) {
  TENON_CHECK(weight.defined(), "row_column_norms: undefined tensor");
  const Tensor w = weight.contiguous();
  const cpu::GroupExtents e = extents_of("row_column_norms", w);
  ListCall call("row_column_norms", {&w, 1}, ListCall::Access::reads);
  std::vector<double> sums(static_cast<size_t>(e.rows + e.columns), 0.0);
  if (!call.empty()) cpu::row_column_square_sums(call.loop(), call.dtype(), &e, sums.data());
  for (double& s : sums) s = std::sqrt(s);
  const auto border = sums.begin() + e.rows;
  return {Tensor::from(std::vector<double>(sums.begin(), border)).to(w.dtype()),
          Tensor::from(std::vector<double>(border, sums.end())).to(w.dtype())};
}

void group_hoyer_square_gradient_add(TensorList weights, TensorList gradients, GroupStrength strength) {
  add_group_gradient("group_hoyer_square_gradient_add", weights, gradients, [strength](const GroupSums& s) {
    return GroupFactors{2 * strength.rows * s.rows / s.square, 2 * strength.columns * s.columns / s.square,
                        -2 * (strength.rows * s.rows * s.rows + strength.columns * s.columns * s.columns) /
                            (s.square * s.square)};
  });
}

void group_lasso_gradient_add(TensorList weights, TensorList gradients, GroupStrength strength) {
  add_group_gradient("group_lasso_gradient_add", weights, gradients, [strength](const GroupSums&) {
    return GroupFactors{strength.rows, strength.columns, 0};
  });
}

}  // namespace tenon

TENON_FORWARD(abs_sum_sq_sum)
TENON_FORWARD(hoyer_square_gradient_add)
TENON_FORWARD(hoyer_gradient_add)
TENON_FORWARD(l1_gradient_add)
TENON_FORWARD(transformed_l1_gradient_add)
TENON_FORWARD(row_column_norms)
TENON_FORWARD(group_hoyer_square_gradient_add)
TENON_FORWARD(group_lasso_gradient_add)
