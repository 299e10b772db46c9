#include "nn/activation_mask.h"

#include <cmath>

#include "autograd/ops/dropout.h"
#include "autograd/ops/view.h"
#include "autograd/ops/winners.h"
#include "core/ops/dropout.h"
#include "core/ops/elementwise.h"
#include "core/ops/winners.h"
#include "nn/compress/mask.h"

namespace tenon {
namespace {

int64_t size_of_sample(const Variable& x) {
  Shape rest = x.shape();
  rest.erase(0);
  return rest.numel();
}

// The mask says what stays.
Variable keep(const Variable& x, const Tensor& mask) { return dropout_with_mask(x, mask, 0); }

Variable above(const Variable& x, double threshold) {
  const Tensor bound = Tensor::scalar(threshold, x.dtype(), x.device());
  return keep(x, greater(abs(x.value()), bound));
}

// The k largest of a noise that is 0 where x is.
Variable random_winners(const Variable& x, int64_t k, Generator& noise) {
  const Tensor draw = random_uniform(x.shape(), noise, 0.5, 1, x.dtype(), x.device());
  return keep(x, is_nonzero(winners(dropout_with_mask(draw, is_nonzero(x.value()), 0), k)));
}

}  // namespace

int64_t sample_count(const ActivationMaskOptions& options, int64_t size) {
  if (options.sampled >= 1 || size < options.exact_below) return 0;
  return std::max<int64_t>(1, std::llround(options.sampled * static_cast<double>(size)));
}

void ActivationMask::set(const ActivationMaskOptions& options) {
  TENON_CHECK(options.rate >= 0 && options.rate <= 1, "ActivationMask: expects a rate in [0, 1], got ",
              options.rate);
  TENON_CHECK(options.sampled > 0 && options.sampled <= 1,
              "ActivationMask: expects to sample a fraction in (0, 1], got ", options.sampled);
  TENON_CHECK(options.threshold >= 0, "ActivationMask: expects a threshold >= 0, got ", options.threshold);
  options_ = options;
}

void ActivationMask::remember(bool on) {
  remembers_ = on;
  remembered_ = {};
}

const Variable& ActivationMask::remembered() const {
  TENON_CHECK(remembered_.defined(), "ActivationMask: no forward was remembered");
  return remembered_;
}

Variable ActivationMask::forward(const Variable& x) {
  const Variable y = masked(x);
  if (remembers_) remembered_ = y;
  return y;
}

Variable ActivationMask::masked(const Variable& x) const {
  TENON_CHECK(x.rank() >= 2, "ActivationMask: expects [N, ...], got ", x.value().str());
  const int64_t size = size_of_sample(x), k = winner_count(options_.rate, size);
  switch (options_.rule) {
    case MaskRule::all:
      return x;
    case MaskRule::winners:
      return winners(x, k, sample_count(options_, size));
    case MaskRule::batch_winners:
      return reshape(winners(reshape(x, {1, x.numel()}), k * x.size(0)), x.shape());
    case MaskRule::threshold:
      return above(x, options_.threshold);
    case MaskRule::random:
      return random_winners(x, k, *noise_);
  }
  fail("ActivationMask: no such rule");
}

}  // namespace tenon
