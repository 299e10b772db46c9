#include "nn/ema.h"

#include "core/ops/lists.h"

namespace tenon {

Ema::Ema(Module& module, double decay) : parameters_(module.named_parameters()), decay_(decay) {
  TENON_CHECK(decay >= 0 && decay <= 1, "Ema: decay expects a number in [0, 1], got ", decay);
  for (const NamedVariable& p : parameters_) averages_.push_back(p.variable.value().clone());
}

void Ema::update() {
  TENON_CHECK(!swapped_, "Ema: update: averages and parameters are exchanged");
  values_.clear();
  for (const NamedVariable& p : parameters_) values_.push_back(p.variable.value());
  lists_lerp(averages_, values_, 1 - decay_);
  values_.clear();
}

void Ema::swap() {
  NoGrad no_grad;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor value = parameters_[i].variable.value();
    parameters_[i].variable.set_value(averages_[i]);
    averages_[i] = value;
  }
  swapped_ = !swapped_;
}

State Ema::state() const {
  TENON_CHECK(!swapped_, "Ema: state: averages and parameters are exchanged");
  State out;
  for (size_t i = 0; i < parameters_.size(); ++i) out.emplace(parameters_[i].name, averages_[i]);
  return out;
}

void Ema::load_state(const State& state) { copy_state("Ema", state, this->state()); }

}  // namespace tenon
