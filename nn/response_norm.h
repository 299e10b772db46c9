// Local response normalisation across channels (Krizhevsky et al., "ImageNet classification with deep convolutional
// neural networks", 2012, section 3.3).
#pragma once

#include "nn/module.h"

namespace tenon {

struct ResponseNormOptions {
  int64_t radius = 4;  ///< channels on either side that count
  double bias = 1, alpha = 0.001 / 9, beta = 0.75;
};

/// y[c] = x[c] / (bias + alpha sum of x[j]^2 over |j - c| <= radius)^beta for x [N, C, *]. Zeros stay 0. No parameters.
class LocalResponseNorm : public Module {
 public:
  /// Throws Error if channels < 1 or radius < 0.
  explicit LocalResponseNorm(int64_t channels, const ResponseNormOptions& options = {});
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "LocalResponseNorm"; }
  Shape walk(const Shape& input, LayerUses&) const override { return input; }

 private:
  ResponseNormOptions options_;
  Tensor band_;  // [C, C]: 1 where channels are near each other, so that a product sums the squares
};

}  // namespace tenon
