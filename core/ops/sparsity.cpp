#include "core/ops/sparsity.h"

#include <vector>

#include "core/cpu/sparsity.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/list_call.h"
#include "cuda/kernels/sparsity.h"

namespace tenon {
namespace {

void add_gradient(const char* op, TensorList weights, TensorList gradients, Regulariser regulariser,
                  double lambda) {
  ListCall call(op, gradients);
  call.read(weights, gradients);
  if (!call.writes(gradients)) return;
  TENON_DISPATCH(call.device(), regulariser_gradient_add, call.loop(), call.dtype(), regulariser, lambda);
}

GroupExtents extents_of(const char* op, const Tensor& w) {
  TENON_CHECK(w.rank() >= 2, op, ": expects weights [N, C, ...], got ", w.str());
  GroupExtents e{w.shape()[0], w.shape()[1], 1};
  for (int axis = 2; axis < w.rank(); ++axis) e.inner *= w.shape()[axis];
  return e;
}

void add_group_gradient(const char* op, TensorList weights, TensorList gradients,
                        GroupRegulariser regulariser, GroupStrength strength) {
  std::vector<GroupExtents> extents;
  for (const Tensor& g : gradients) {
    TENON_CHECK(g.defined(), op, ": undefined tensor as entry ", extents.size());
    TENON_CHECK(g.is_contiguous(), op, ": expects row-major gradients, got shape ", g.shape(),
                " with strides ", g.strides(), " as entry ", extents.size());
    extents.push_back(extents_of(op, g));
  }
  ListCall call(op, gradients);
  call.read(weights, gradients);
  if (!call.writes(gradients)) return;
  TENON_DISPATCH(call.device(), group_gradient_add, call.loop(), call.dtype(), extents.data(), regulariser,
                 strength.rows, strength.columns);
}

}  // namespace

Tensor abs_sum_sq_sum(TensorList weights) {
  ListCall call("abs_sum_sq_sum", weights, ListCall::Access::reads);
  Tensor sums = Tensor::zeros({static_cast<int64_t>(weights.size()), 2}, float64, call.device());
  static_assert(sizeof(AbsSquareSums) == 2 * sizeof(double));
  if (!call.empty())
    TENON_DISPATCH(call.device(), abs_sum_sq_sum, call.loop(), call.dtype(),
                   static_cast<AbsSquareSums*>(sums.raw()));
  return sums;
}

void hoyer_square_gradient_add(TensorList weights, TensorList gradients, double lambda) {
  add_gradient("hoyer_square_gradient_add", weights, gradients, Regulariser::hoyer_square, lambda);
}

void hoyer_gradient_add(TensorList weights, TensorList gradients, double lambda) {
  add_gradient("hoyer_gradient_add", weights, gradients, Regulariser::hoyer, lambda);
}

void l1_gradient_add(TensorList weights, TensorList gradients, double lambda) {
  add_gradient("l1_gradient_add", weights, gradients, Regulariser::l1, lambda);
}

void transformed_l1_gradient_add(TensorList weights, TensorList gradients, double lambda, double a) {
  TENON_CHECK(a > 0, "transformed_l1_gradient_add: expects a > 0, got ", a);
  ListCall call("transformed_l1_gradient_add", gradients);
  call.read(weights, gradients);
  if (call.writes(gradients))
    TENON_DISPATCH(call.device(), transformed_l1_gradient_add, call.loop(), call.dtype(), lambda, a);
}

std::pair<Tensor, Tensor> row_column_norms(const Tensor& weight) {
  TENON_CHECK(weight.defined(), "row_column_norms: undefined tensor");
  const Tensor w = weight.contiguous();
  const GroupExtents e = extents_of("row_column_norms", w);
  ListCall call("row_column_norms", {&w, 1}, ListCall::Access::reads);
  const Tensor sums = Tensor::zeros({e.rows + e.columns}, float64, w.device());
  if (!call.empty())
    TENON_DISPATCH(w.device(), row_column_square_sums, call.loop(), call.dtype(), &e,
                   static_cast<double*>(sums.raw()));
  const Tensor norms = sqrt(sums).to(w.dtype());
  return {norms.narrow(0, 0, e.rows), norms.narrow(0, e.rows, e.columns)};
}

void group_hoyer_square_gradient_add(TensorList weights, TensorList gradients, GroupStrength strength) {
  add_group_gradient("group_hoyer_square_gradient_add", weights, gradients, GroupRegulariser::hoyer_square,
                     strength);
}

void group_lasso_gradient_add(TensorList weights, TensorList gradients, GroupStrength strength) {
  add_group_gradient("group_lasso_gradient_add", weights, gradients, GroupRegulariser::lasso, strength);
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
