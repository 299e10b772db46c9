// Dropout layers: active in training mode, the identity in evaluation mode.
#pragma once

#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// Each element becomes 0 with probability p, the others are scaled by 1 / (1 - p).
class Dropout : public Module {
 public:
  /// 0 <= p <= 1. The generator, which must outlive the layer, is part of what a checkpoint has to hold.
  explicit Dropout(double p = 0.5, Generator& generator = default_generator());
  double p() const { return p_; }
  /// Between two forwards. 0 <= p <= 1.
  void set_p(double p);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "Dropout"; }
  Shape walk(const Shape& input, LayerUses&) const override { return input; }

 private:
  double p_;
  Generator* generator_;
};

/// Whole channels of [N, C, *] become 0 with probability p.
class ChannelDropout : public Module {
 public:
  /// As Dropout.
  explicit ChannelDropout(double p = 0.5, Generator& generator = default_generator());
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "ChannelDropout"; }
  Shape walk(const Shape& input, LayerUses&) const override { return input; }

 private:
  double p_;
  Generator* generator_;
};

}  // namespace tenon
