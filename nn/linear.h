// Linear: the fully connected layer, and the function that it applies.
#pragma once

#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// x W^T + b along the last axis: x [..., in], weight [out, in], bias [out] or undefined; returns [..., out].
/// One node on the tape. Throws Error if the shapes do not fit.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {});

/// Fully connected layer. Parameters: `weight` [out, in] and `bias` [out], both U[-b, b) with b = 1 /
/// sqrt(in) (PyTorch's default).
class Linear : public Module {
 public:
  Linear(int64_t in, int64_t out, Bias with_bias = Bias::yes, Generator& generator = default_generator());

  Variable forward(const Variable& x) override { return linear(x, weight, bias); }
  const char* kind() const override { return "Linear"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  int64_t in_features() const { return weight.size(1); }
  int64_t out_features() const { return weight.size(0); }

  Variable weight;
  Variable bias;  ///< undefined if the layer has none
};

}  // namespace tenon
