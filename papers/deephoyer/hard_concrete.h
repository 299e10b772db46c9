// The L0 baseline: C. Louizos, M. Welling, D. Kingma, "Learning Sparse Neural Networks through L0 Regularization", ICLR
// 2018. Every input of every layer of an MLP has a stochastic gate; what its test-time gate closes is removed.
#pragma once

#include <memory>
#include <vector>

#include "core/random.h"
#include "nn/linear.h"
#include "nn/module.h"

namespace tenon::deephoyer {

/// An MLP "fc1", "fc2", ... (as make_mlp's) with gates "gate1", ... on the layers' inputs. With beta = 2/3, (gamma, zeta) =
/// (-0.1, 1.1) and u uniform in (0, 1), drawn anew for each sample and gate in training:
///   s = sigmoid((log u - log(1 - u) + log_alpha) / beta),   gate = clamp(s (zeta - gamma) + gamma, 0, 1)
class HardConcreteMlp : public Module {
 public:
  HardConcreteMlp(const std::vector<int64_t>& widths, Generator& generator);

  Variable forward(const Variable& x) override;
  const char* kind() const override { return "HardConcreteMlp"; }
  /// Which random numbers the next forwards draw.
  void set_noise(Generator generator) { noise_ = generator; }

  /// Expected number of weights whose gate is open:  sum over gates of fan_out sigmoid(log_alpha - beta log(-gamma/zeta)).
  Variable expected_weights() const;
  /// clamp(sigmoid(log_alpha)(zeta - gamma) + gamma, 0, 1) of layer i: the gates at test time.
  Tensor open_gates(size_t layer) const;
  /// The weights with the test-time gates multiplied in, by the names of a plain MLP.
  State folded() const;

 private:
  Variable gate(size_t layer, int64_t samples);

  std::vector<std::shared_ptr<Linear>> layers_;
  std::vector<Variable> log_alpha_;
  Generator noise_;
};

}  // namespace tenon::deephoyer
