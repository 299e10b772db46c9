// Activation pruning: a mask that is made anew for every input keeps a few activations, and the next layer multiplies
// with those alone.
#pragma once

#include <string>

#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// Which activations stay.
enum class MaskRule {
  all,            ///< the identity
  winners,        ///< of each sample those of the largest magnitude (core/ops/winners.h)
  batch_winners,  ///< of a whole batch those of the largest magnitude: samples compete with each other
  threshold,      ///< those with |a| above a fixed number
  random,  ///< of each sample as many as `winners`, drawn among those that are not 0, in evaluation too
};

struct ActivationMaskOptions {
  MaskRule rule = MaskRule::all;
  double rate = 1;       ///< winner rate: the fraction of a sample's activations that stay; in [0, 1]
  double threshold = 0;  ///< of MaskRule::threshold
  /// Of `winners`: the fraction of a sample's activations that the threshold is estimated from, 1 for all of them. Samples
  /// of less than `exact_below` activations are looked at in full, whatever it says.
  double sampled = 1;
  int64_t exact_below = 1000;
};

/// [N, ...] to the same shape. Behind an activation function (and behind the pooling, where there is one). The mask is a
/// constant of its forward: what stays receives its gradient, what does not receives none. Has no parameters.
class ActivationMask : public Module {
 public:
  /// `noise`, which must outlive the module, is what `random` draws from.
  explicit ActivationMask(Generator& noise = default_generator()) : noise_(&noise) {}

  /// Throws Error if a fraction lies outside [0, 1], or a threshold below 0.
  void set(const ActivationMaskOptions& options);
  const ActivationMaskOptions& options() const { return options_; }

  /// Keeps the result of the last forward, for a penalty on it; `false` drops it.
  void remember(bool on);
  /// Throws Error if there is none.
  const Variable& remembered() const;

  Variable forward(const Variable& x) override;
  const char* kind() const override { return "ActivationMask"; }
  Shape walk(const Shape& input, LayerUses&) const override { return input; }

 private:
  Variable masked(const Variable& x) const;

  Generator* noise_;
  ActivationMaskOptions options_;
  bool remembers_ = false;
  Variable remembered_;
};

/// How many of `size` activations the threshold is estimated from under these options: 0 means all, without an estimate.
int64_t sample_count(const ActivationMaskOptions& options, int64_t size);

}  // namespace tenon
