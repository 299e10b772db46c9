#include "autograd/ops/sparse.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"

namespace tenon {
namespace {

Tensor value_or_none(const Variable& x) { return x.defined() ? x.value() : Tensor(); }

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

// V = G X^T on the pattern     dG = U X, dX = U^T G, with U the gradient of V as a sparse matrix
Variable sddmm(const SparsePattern& pattern, const Variable& g, const Variable& x) {
  return record("sddmm", sddmm(pattern, g.value(), x.value()), {g, x},
                [pattern, g = Saved(g), x = Saved(x)](const Variable& u, Gradients& out) {
                  if (out.needed(0)) out.set(0, spmm(pattern, u, x()));
                  if (out.needed(1)) out.set(1, spmm_transposed(pattern, u, g()));
                });
}

}  // namespace tenon

TENON_BACKWARD(spmm)
TENON_BACKWARD(spmm_transposed)
TENON_BACKWARD(sddmm)
