#include "papers/deephoyer/hard_concrete.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"

namespace tenon::deephoyer {
namespace {

constexpr double kBeta = 2.0 / 3, kGamma = -0.1, kZeta = 1.1;
constexpr double kFirstLogAlpha = 2.2;  // gates open with a probability of about 0.9 at the start

}  // namespace

HardConcreteMlp::HardConcreteMlp(const std::vector<int64_t>& widths, Generator& generator) {
  for (size_t i = 1; i < widths.size(); ++i) {
    layers_.push_back(add_module(concat("fc", i),
                                 std::make_shared<Linear>(widths[i - 1], widths[i], Bias::yes, generator)));
    log_alpha_.push_back(add_parameter(concat("gate", i), Tensor::full({widths[i - 1]}, kFirstLogAlpha)));
  }
}

Variable HardConcreteMlp::gate(size_t layer, int64_t samples) {
  const Variable& log_alpha = log_alpha_[layer];
  if (!is_training()) return Variable(open_gates(layer));
  const Tensor u = random_uniform({samples, log_alpha.numel()}, noise_, 1e-6, 1 - 1e-6, log_alpha.dtype(),
                                  log_alpha.value().device());
  const Variable logistic(sub(log(u), log(affine(u, -1, 1))));
  return clamp(sigmoid((logistic + log_alpha) / kBeta) * (kZeta - kGamma) + kGamma, 0, 1);
}

Variable HardConcreteMlp::forward(const Variable& x) {
  Variable h = flatten(x, 1);
  for (size_t i = 0; i < layers_.size(); ++i) {
    h = layers_[i]->forward(h * gate(i, h.size(0)));
    if (i + 1 < layers_.size()) h = relu(h);
  }
  return h;
}

Variable HardConcreteMlp::expected_weights() const {
  Variable total;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Variable open = sum(sigmoid(log_alpha_[i] - kBeta * std::log(-kGamma / kZeta)));
    const Variable part = open * static_cast<double>(layers_[i]->out_features());
    total = total.defined() ? total + part : part;
  }
  return total;
}

Tensor HardConcreteMlp::open_gates(size_t layer) const {
  return clamp(affine(sigmoid(log_alpha_[layer].value()), kZeta - kGamma, kGamma), 0, 1);
}

State HardConcreteMlp::folded() const {
  State out;
  for (size_t i = 0; i < layers_.size(); ++i) {
    out[concat("fc", i + 1, ".weight")] = mul(layers_[i]->weight.value(), open_gates(i));
    out[concat("fc", i + 1, ".bias")] = layers_[i]->bias.value().clone();
  }
  return out;
}

}  // namespace tenon::deephoyer
