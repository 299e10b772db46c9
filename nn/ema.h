// Exponential moving average of a module's parameters.
#pragma once

#include "nn/module.h"

namespace tenon {

/// Keeps average <- decay * average + (1 - decay) * parameter for every parameter. Buffers are not averaged:
/// the module's own stay in use.
class Ema {
 public:
  /// Starts from the parameters as they are. The module must outlive this object. 0 <= decay <= 1.
  Ema(Module& module, double decay);

  /// One step of the average; to be called after the optimiser's.
  void update();
  /// Exchanges averages and parameters: once to evaluate with the averages, once more to go on training.
  /// While they are exchanged, update and state throw.
  void swap();

  /// The averages by parameter name; handles on this object's memory.
  State state() const;
  /// Throws Error, before anything is changed, if names, shapes or dtypes differ from the module's
  /// parameters.
  void load_state(const State& state);

 private:
  std::vector<NamedVariable> parameters_;
  std::vector<Tensor> averages_;
  std::vector<Tensor> values_;  // kept from call to call, to allocate nothing
  double decay_;
  bool swapped_ = false;
};

}  // namespace tenon
