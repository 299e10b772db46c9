#include "core/ops/sparse.h"

#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/sparse_arguments.h"
#include "cuda/kernels/sparse.h"

namespace tenon {
namespace {

// An operand [rows, N].
void check_dense(const char* op, const char* name, const Tensor& x, int64_t rows,
                 const SparsePattern& pattern) {
  TENON_CHECK(x.rank() == 2 && x.size(0) == rows, op, ": ", name, " expects [", rows,
              ", N] for a pattern of ", pattern.str(), ", got ", x.str());
  TENON_CHECK(is_floating(x.dtype()), op, ": ", name, " expects float32 or float64, got ", x.str());
  TENON_CHECK(x.device() == pattern.device(), op, ": pattern on ", pattern.device(), ", ", name, " ",
              x.str());
}

// The kernels of the card read rows; those of the host pack what they need.
Tensor laid_for(Device device, const Tensor& x) {
  return device.is_cuda() && x.strides()[1] != 1 ? x.contiguous() : x;
}

void run_spmm(SpmmPlan& plan, const Tensor& y, const Tensor& values, const Tensor& x, const Tensor& bias) {
  const Tensor dense = laid_for(y.device(), x), packed = values.contiguous();
  plan.rows_y = y.size(0), plan.rows_x = x.size(0), plan.n = x.size(1);
  plan.x_row = dense.strides()[0], plan.x_column = dense.strides()[1];
  TENON_DISPATCH(y.device(), spmm, plan, y.dtype(), y.raw(), packed.raw(), dense.raw(),
                 bias.defined() ? bias.raw() : nullptr);
}

}  // namespace

Tensor spmm(const SparsePattern& pattern, const Tensor& values, const Tensor& x, const Tensor& bias,
            Epilogue epilogue) {
  check_values("spmm", pattern, values);
  TENON_CHECK(x.defined(), "spmm: undefined x");
  check_same_dtype("spmm", values, x);
  check_same_device("spmm", values, x);
  check_dense("spmm", "x", x, pattern.columns(), pattern);
  const Tensor shift = checked_bias("spmm", pattern, x, bias);
  Tensor y = Tensor::empty({pattern.rows(), x.size(1)}, x.dtype(), x.device());
  if (y.is_empty()) return y;
  SpmmPlan plan;
  plan.w = lists_of(pattern.by_rows());
  plan.rows_out = static_cast<int>(pattern.block_rows());
  plan.relu = epilogue == Epilogue::relu;
  run_spmm(plan, y, values, x, shift);
  return y;
}

Tensor spmm_transposed(const SparsePattern& pattern, const Tensor& values, const Tensor& g) {
  check_values("spmm_transposed", pattern, values);
  TENON_CHECK(g.defined(), "spmm_transposed: undefined g");
  check_same_dtype("spmm_transposed", values, g);
  check_same_device("spmm_transposed", values, g);
  check_dense("spmm_transposed", "g", g, pattern.rows(), pattern);
  Tensor z = Tensor::empty({pattern.columns(), g.size(1)}, g.dtype(), g.device());
  if (z.is_empty()) return z;
  SpmmPlan plan;
  plan.w = lists_of(pattern.by_columns());
  plan.rows_in = static_cast<int>(pattern.block_rows());
  run_spmm(plan, z, values, g, {});
  return z;
}

Tensor spmspv(const SparsePattern& pattern, const Tensor& values, const Tensor& x, const Tensor& bias,
              Epilogue epilogue) {
  check_values("spmspv", pattern, values);
  TENON_CHECK(x.defined(), "spmspv: undefined x");
  check_same_dtype("spmspv", values, x);
  check_same_device("spmspv", values, x);
  TENON_CHECK(is_floating(x.dtype()), "spmspv: x expects float32 or float64, got ", x.str());
  TENON_CHECK(x.rank() == 2 && x.size(1) == pattern.columns(), "spmspv: x expects [B, ", pattern.columns(),
              "] for a pattern of ", pattern.str(), ", got ", x.str());
  TENON_CHECK(x.device() == pattern.device(), "spmspv: pattern on ", pattern.device(), ", x ", x.str());
  const Tensor shift = checked_bias("spmspv", pattern, x, bias);
  Tensor y = Tensor::empty({x.size(0), pattern.rows()}, x.dtype(), x.device());
  if (y.is_empty()) return y;
  const Tensor rows = x.contiguous(), packed = values.contiguous();
  const SparseIndex& index = x.device().is_cuda() ? pattern.by_rows() : pattern.by_columns();
  const SpmspvPlan plan{lists_of(index),   static_cast<int>(pattern.block_rows()),
                        x.size(0),         pattern.rows(),
                        pattern.columns(), epilogue == Epilogue::relu};
  TENON_DISPATCH(x.device(), spmspv, plan, x.dtype(), y.raw(), packed.raw(), rows.raw(),
                 shift.defined() ? shift.raw() : nullptr);
  return y;
}

Tensor sddmm(const SparsePattern& pattern, const Tensor& g, const Tensor& x) {
  TENON_CHECK(pattern.defined(), "sddmm: undefined pattern");
  TENON_CHECK(g.defined() && x.defined(), "sddmm: undefined tensor");
  check_same_dtype("sddmm", g, x);
  check_same_device("sddmm", g, x);
  check_dense("sddmm", "g", g, pattern.rows(), pattern);
  check_dense("sddmm", "x", x, pattern.columns(), pattern);
  TENON_CHECK(g.size(1) == x.size(1), "sddmm: g ", g.shape(), " and x ", x.shape(),
              " differ in their number of columns");
  Tensor values = Tensor::empty(pattern.values_shape(), g.dtype(), g.device());
  if (values.is_empty()) return values;
  if (g.size(1) == 0) return values.fill_(0);
  const Tensor left = g.strides()[1] == 1 ? g : g.contiguous();
  const Tensor right = x.strides()[1] == 1 ? x : x.contiguous();
  SddmmPlan plan;
  plan.w = lists_of(pattern.by_rows());
  plan.block_rows = static_cast<int>(pattern.block_rows());
  plan.rows_g = g.size(0), plan.n = g.size(1);
  plan.g_row = left.strides()[0], plan.x_row = right.strides()[0];
  TENON_DISPATCH(g.device(), sddmm, plan, g.dtype(), values.raw(), left.raw(), right.raw());
  return values;
}

}  // namespace tenon

TENON_FORWARD(spmm)
TENON_FORWARD(spmm_transposed)
TENON_FORWARD(spmspv)
TENON_FORWARD(sddmm)
