#include "autograd/ops/matmul.h"

#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/matmul.h"

namespace tenon {

// C = A B              dA = G B^T, dB = A^T G     (summed over batch axes that were broadcast)
Variable matmul(const Variable& a, const Variable& b) {
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, sum_to(matmul(g, transpose(b(), -2, -1)), a().shape()));
                  if (out.needed(1)) out.set(1, sum_to(matmul(transpose(a(), -2, -1), g), b().shape()));
                });
}

}  // namespace tenon

TENON_BACKWARD(matmul)
