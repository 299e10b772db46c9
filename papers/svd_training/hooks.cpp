#include "papers/svd_training/hooks.h"

#include <algorithm>
#include <cmath>

#include "core/ops/linalg.h"
#include "core/ops/sparsity.h"
#include "papers/svd_training/pruning.h"

namespace tenon::svd_training {

FactorHooks::FactorHooks(Module& net, const Recipe& recipe, Sparsifier sparsifier)
    : layers_(svd_layers(net)),
      recipe_(recipe),
      sparsifier_(sparsifier),
      largest_gradients_(layers_.size(), 0) {}

void FactorHooks::attach(experiment::Stage& stage) {
  stage.begin_epoch = [this](int64_t) { svds_before_ = svd_count(); };
  stage.after_backward = [this](int64_t) { after_backward(); };
  if (recipe_.retracted) stage.after_step = [this](int64_t) { retract(layers_); };
  stage.epoch_facts = [this] { return epoch_facts(); };
  stage.hook_state = [this] { return State{{"largest_gradients", Tensor::from(largest_gradients_)}}; };
  stage.load_hook_state = [this](const State& state) {
    largest_gradients_ = state.at("largest_gradients").to_vector<double>();
  };
}

void FactorHooks::after_backward() {
  std::vector<Tensor> gradients;
  for (const auto& [name, layer] : layers_) gradients.push_back(layer->u.grad().value());
  const std::vector<double> sums = abs_sum_sq_sum(gradients).to_vector<double>();
  for (size_t i = 0; i < layers_.size(); ++i)
    largest_gradients_[i] = std::max(largest_gradients_[i], std::sqrt(sums[2 * i + 1]));
  add_orthogonality_gradient(layers_, recipe_.lambda_o);
  add_sparsity_gradient(sparsifier_, layers_, recipe_.lambda_s);
}

Json FactorHooks::epoch_facts() const {
  const auto [least, most] = std::minmax_element(largest_gradients_.begin(), largest_gradients_.end());
  const OrthogonalityError error = orthogonality_error(layers_);
  return Json::object({{"orthogonality", orthogonality(layers_)},
                       {"sparsity", sparsity(sparsifier_, layers_)},
                       {"rank_90", total_rank(layers_, 0.1)},
                       {"rank_99", total_rank(layers_, 0.01)},
                       {"rank_999", total_rank(layers_, 0.001)},
                       {"orthogonality_rms", error.mean_rms},
                       {"orthogonality_worst", error.worst},
                       {"gradient_ratio", *least > 0 ? *most / *least : 0},
                       {"svd_calls", svd_count() - svds_before_}});
}

}  // namespace tenon::svd_training
