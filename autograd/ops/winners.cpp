#include "autograd/ops/winners.h"

#include "autograd/ops/dropout.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/elementwise.h"
#include "core/ops/winners.h"

namespace tenon {

// y = x where it wins, else 0          dx = g where y is not 0: winners never are
Variable winners(const Variable& x, int64_t k, int64_t samples) {
  return record("winners", winners(x.value(), k, samples), {x},
                [](const Variable& g, Gradients& out) {
                  const Tensor y = out.output().value();
                  const Tensor mask = not_equal(y, Tensor::scalar(0, y.dtype(), y.device()));
                  out.set(0, dropout_with_mask(g, mask, 0));
                },
                {.outputs = true});
}

}  // namespace tenon

TENON_BACKWARD(winners)
