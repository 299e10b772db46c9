#include "autograd/ops/dropout.h"

#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/dropout.h"

namespace tenon {
namespace {

// y = mask ? x / (1 - p) : 0           dx = mask ? g / (1 - p) : 0
Variable record_dropout(const char* op, const Dropped& dropped, const Variable& x, double p) {
  return record(op, dropped.y, {x}, [mask = Saved(dropped.mask), p](const Variable& g, Gradients& out) {
    out.set(0, dropout_with_mask(g, mask().value(), p));
  });
}

}  // namespace

Variable dropout(const Variable& x, double p, Generator& generator) {
  return record_dropout("dropout", dropout(x.value(), p, generator), x, p);
}

Variable dropout_channels(const Variable& x, double p, Generator& generator) {
  return record_dropout("dropout_channels", dropout_channels(x.value(), p, generator), x, p);
}

Variable dropout_with_mask(const Variable& x, const Tensor& mask, double p) {
  return record_dropout("dropout_with_mask", {dropout_with_mask(x.value(), mask, p), mask}, x, p);
}

}  // namespace tenon

TENON_BACKWARD(dropout)
TENON_BACKWARD(dropout_channels)
TENON_BACKWARD(dropout_with_mask)
