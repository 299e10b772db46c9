#include "core/ops/dropout.h"

#include "core/cpu/dropout.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/iteration.h"
#include "cuda/kernels/dropout.h"

namespace tenon {
namespace {

void check(const char* op, const Tensor& x, double p) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
  TENON_CHECK(p >= 0 && p <= 1, op, ": expects p in [0, 1], got ", p);
}

Dropped drop(const Tensor& x, const Shape& mask_shape, double p, Generator& generator) {
  Tensor mask = random_bernoulli(mask_shape, generator, 1 - p, x.device());
  return {dropout_with_mask(x, mask, p), mask};
}

}  // namespace

Dropped dropout(const Tensor& x, double p, Generator& generator) {
  check("dropout", x, p);
  return drop(x, x.shape(), p, generator);
}

Dropped dropout_channels(const Tensor& x, double p, Generator& generator) {
  const char* op = "dropout_channels";
  check(op, x, p);
  TENON_CHECK(x.rank() >= 2, op, ": expects [N, C, *], got ", x.str());
  Shape shape = x.shape();
  for (int i = 2; i < shape.rank(); ++i) shape[i] = 1;
  return drop(x, shape, p, generator);
}

Tensor dropout_with_mask(const Tensor& x, const Tensor& mask, double p) {
  const char* op = "dropout_with_mask";
  check(op, x, p);
  TENON_CHECK(mask.defined() && mask.dtype() == uint8, op, ": expects a uint8 mask, got ",
              mask.defined() ? mask.str() : std::string("an undefined tensor"));
  check_same_device(op, x, mask);
  Tensor whole = broadcast_to(op, mask, x.shape());
  Tensor y = Tensor::empty_like(x);
  if (y.is_empty()) return y;
  // Nothing is kept for p = 1, so the scale does not matter; it must only be finite.
  TENON_DISPATCH(x.device(), dropout_with_mask, make_loop<3>({&y, &x, &whole}), x.dtype(), y.raw(), x.raw(),
                 static_cast<const uint8_t*>(whole.raw()), p < 1 ? 1 / (1 - p) : 0);
  return y;
}

}  // namespace tenon

TENON_FORWARD(dropout)
TENON_FORWARD(dropout_channels)
TENON_FORWARD(dropout_with_mask)
