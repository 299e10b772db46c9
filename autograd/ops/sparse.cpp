#include "autograd/ops/sparse.h"

#include "autograd/ops/conv.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/image.h"

namespace tenon {
namespace {

// The matrix [rows, columns] of some values, and the values of a matrix.
Variable scattered(const SparsePattern& w, const Variable& values) {
  const Tensor places = w.places().reshape({-1}).to(values.device());
  const Variable whole =
      scatter_add(reshape(values, {places.numel()}), 0, places, w.lists() * w.block_rows() * w.columns());
  return reshape(slice(whole, 0, 0, w.rows() * w.columns()), {w.rows(), w.columns()});
}
Variable gathered(const SparsePattern& w, const Variable& dense) {
  const Variable whole = pad(dense, {0, 0}, {w.lists() * w.block_rows() - w.rows(), 0});
  const Tensor places = w.places().reshape({-1}).to(dense.device());
  return reshape(gather(flatten(whole), 0, places), w.values_shape());
}

}  // namespace

// Y = W X + b          dW = sddmm(G, X), dX = W^T G, db = sum of the columns of G
Variable spmm(const SparsePattern& pattern, const Variable& values, const Variable& x, const Variable& bias,
              Epilogue epilogue) {
  // The rule of relu needs its input's sign, so a recorded product leaves relu to an op of its own.
  const bool recorded = Recorder::wanted(std::initializer_list<Variable>{values, x, bias});
  if (recorded && epilogue == Epilogue::relu) return relu(spmm(pattern, values, x, bias));
  return record("spmm", spmm(pattern, values.value(), x.value(), value_or_none(bias), epilogue),
                {values, x, bias},
                [pattern, w = Saved(values), x = Saved(x)](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, sddmm(pattern, g, x()));
                  if (out.needed(1)) out.set(1, spmm_transposed(pattern, w(), g));
                  if (out.needed(2)) out.set(2, sum(g, {1}));
                });
}

// Z = W^T G            dW = sddmm(G, H), dG = W H
Variable spmm_transposed(const SparsePattern& pattern, const Variable& values, const Variable& g) {
  return record("spmm_transposed", spmm_transposed(pattern, values.value(), g.value()), {values, g},
                [pattern, w = Saved(values), g = Saved(g)](const Variable& h, Gradients& out) {
                  if (out.needed(0)) out.set(0, sddmm(pattern, g(), h));
                  if (out.needed(1)) out.set(1, spmm(pattern, w(), h));
                });
}

// Y = X W^T + b, the zeros of X skipped        dW = sddmm(G^T, X^T), dX = (W^T G^T)^T, db = sum of the rows of G
Variable spmspv(const SparsePattern& pattern, const Variable& values, const Variable& x, const Variable& bias,
                Epilogue epilogue) {
  const bool recorded = Recorder::wanted(std::initializer_list<Variable>{values, x, bias});
  if (recorded && epilogue == Epilogue::relu) return relu(spmspv(pattern, values, x, bias));
  return record("spmspv", spmspv(pattern, values.value(), x.value(), value_or_none(bias), epilogue),
                {values, x, bias},
                [pattern, w = Saved(values), x = Saved(x)](const Variable& g, Gradients& out) {
                  const Variable turned = transpose(g, 0, 1);
                  if (out.needed(0)) out.set(0, sddmm(pattern, turned, transpose(x(), 0, 1)));
                  if (out.needed(1)) out.set(1, transpose(spmm_transposed(pattern, w(), turned), 0, 1));
                  if (out.needed(2)) out.set(2, sum(g, {0}));
                });
}

// V = G X^T on the pattern     dG = U X, dX = U^T G, with U the gradient of V as a sparse matrix
Variable sddmm(const SparsePattern& pattern, const Variable& g, const Variable& x) {
  return record("sddmm", sddmm(pattern, g.value(), x.value()), {g, x},
                [pattern, g = Saved(g), x = Saved(x)](const Variable& u, Gradients& out) {
                  if (out.needed(0)) out.set(0, spmm(pattern, u, x()));
                  if (out.needed(1)) out.set(1, spmm_transposed(pattern, u, g()));
                });
}

// y = w * x + b        dw = backward_weight(g, x) on the pattern, dx = backward_input(g, w), db = sum g
Variable sparse_conv(const SparsePattern& pattern, const Variable& values, const Variable& x,
                     const Dims& kernel, const Variable& bias, const ConvOptions& options,
                     Epilogue epilogue) {
  const bool recorded = Recorder::wanted(std::initializer_list<Variable>{values, x, bias});
  if (recorded && epilogue == Epilogue::relu)
    return relu(sparse_conv(pattern, values, x, kernel, bias, options));
  return record(
      "sparse_conv",
      sparse_conv(pattern, values.value(), x.value(), kernel, value_or_none(bias), options, epilogue),
      {values, x, bias},
      [pattern, w = Saved(values), x = Saved(x), kernel, options](const Variable& g, Gradients& out) {
        const Shape weight = image_shape(pattern.rows(), x().size(1), kernel);
        if (out.needed(0))
          out.set(0, gathered(pattern, reshape(conv_backward_weight(g, x(), kernel, options),
                                               {pattern.rows(), pattern.columns()})));
        if (out.needed(1))
          out.set(1, conv_backward_input(g, reshape(scattered(pattern, w()), weight),
                                         spatial_extents(x().shape()), options));
        if (out.needed(2)) out.set(2, sum_over_positions(g));
      });
}

}  // namespace tenon

TENON_BACKWARD(spmm)
TENON_BACKWARD(spmm_transposed)
TENON_BACKWARD(spmspv)
TENON_BACKWARD(sddmm)
TENON_BACKWARD(sparse_conv)
