#include "autograd/ops/winners.h"

#include "autograd/ops/dropout.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/winners.h"

namespace tenon {

// y = mask x           dx = mask g, the mask being a constant of this forward
Variable winners(const Variable& x, int64_t k, int64_t samples) {
  const Winners kept = winners(x.value(), k, samples);
  return record("winners", kept.y, {x}, [mask = kept.mask](const Variable& g, Gradients& out) {
    out.set(0, dropout_with_mask(g, mask, 0));
  });
}

}  // namespace tenon

TENON_BACKWARD(winners)
