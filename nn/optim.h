// Optimisers. They change parameters in place, all of a group in one fused pass (core/ops/lists.h, where the
// formulas stand), skip parameters without a gradient, and keep their state as tensors with names, for
// checkpoints. In order of increasing complexity: SGD, RMSProp, Adadelta, Adam, AdamW.
#pragma once

#include "core/steps.h"
#include "nn/module.h"

namespace tenon {

/// Parameters that share a learning rate and a weight decay.
struct ParameterGroup {
  std::vector<NamedVariable> parameters;
  double lr = 0;
  double weight_decay = 0;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update of every parameter that has a gradient. If a group's update throws, it and those behind it are left as
  /// they were.
  void step();
  /// Drops the gradients.
  void zero_grad();

  /// Adds parameters with a learning rate and a weight decay of their own. Names and parameters must be new.
  void add_group(std::vector<NamedVariable> parameters, double lr, double weight_decay);
  /// Rates and decays may be changed at any time, as schedules do.
  std::vector<ParameterGroup>& groups() { return groups_; }
  const std::vector<ParameterGroup>& groups() const { return groups_; }
  /// Sets the learning rate of every group.
  void set_lr(double lr);

  /// "<what>.<parameter>" for each state tensor of each parameter updated so far, "step_count.<parameter>"
  /// (int64, rank 0), and "lr", "weight_decay" (float64, one element a group). Handles on the optimiser's own
  /// memory.
  State state() const;
  /// Takes over a state. Throws Error, before anything is changed, naming what is unknown, missing or of
  /// another shape.
  void load_state(const State& state);
  /// Takes over what `other` keeps for the parameters that both have by name: the network has grown, and this is the new
  /// optimiser. All others begin as if never updated; rates and decays stay. Throws Error, before anything is changed, if a
  /// parameter has another shape or dtype there, or if the optimisers keep different things.
  void inherit(const Optimizer& other);

 protected:
  /// `slots` names the state tensors that each parameter has, in the order of `states` in update.
  explicit Optimizer(std::vector<std::string> slots) : slots_(std::move(slots)) {}

  /// The parameters of one group that have a gradient, and what belongs to each.
  struct Lists {
    std::vector<Tensor> parameters, gradients;
    std::vector<std::vector<Tensor>> states;  ///< states[slot][i]
    std::vector<int64_t> step_counts;
    void clear();
  };
  virtual void update(const ParameterGroup& group, const Lists& lists) = 0;

 private:
  struct Entry {
    std::vector<Tensor> states;  ///< empty before the first update
    int64_t step_count = 0;
  };
  std::string find_misfits(const State& state) const;

  std::vector<std::string> slots_;
  std::vector<ParameterGroup> groups_;
  std::vector<std::vector<Entry>> entries_;  ///< entries_[group][parameter]
  Lists lists_;                              ///< kept from step to step: a step allocates nothing
};

struct SgdOptions {
  double lr = 0.01;
  double momentum = 0, dampening = 0;
  double weight_decay = 0;  ///< coupled: added to the gradient
  bool nesterov = false;
};

/// Stochastic gradient descent with momentum (core/steps.h: SgdStep).
class SGD : public Optimizer {
 public:
  SGD(std::vector<NamedVariable> parameters, SgdOptions options);

 protected:
  void update(const ParameterGroup& group, const Lists& lists) override;

 private:
  SgdOptions options_;
};

struct RmspropOptions {
  double lr = 0.01, alpha = 0.99, eps = 1e-8;
  double weight_decay = 0;  ///< coupled
  double momentum = 0;
  bool centred = false;
};

/// RMSProp (core/steps.h: RmspropStep).
class RMSprop : public Optimizer {
 public:
  RMSprop(std::vector<NamedVariable> parameters, RmspropOptions options);

 protected:
  void update(const ParameterGroup& group, const Lists& lists) override;

 private:
  RmspropOptions options_;
};

struct AdadeltaOptions {
  double lr = 1, rho = 0.9, eps = 1e-6;
  double weight_decay = 0;  ///< coupled
};

/// Adadelta (core/steps.h: AdadeltaStep).
class Adadelta : public Optimizer {
 public:
  Adadelta(std::vector<NamedVariable> parameters, AdadeltaOptions options);

 protected:
  void update(const ParameterGroup& group, const Lists& lists) override;

 private:
  AdadeltaOptions options_;
};

struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;  ///< Adam: coupled, added to the gradient; AdamW: decoupled
  bool amsgrad = false;
};

/// Adam, with AMSGrad on request (core/steps.h: AdamStep).
class Adam : public Optimizer {
 public:
  Adam(std::vector<NamedVariable> parameters, AdamOptions options)
      : Adam(std::move(parameters), options, false) {}

 protected:
  Adam(std::vector<NamedVariable> parameters, AdamOptions options, bool decoupled);
  void update(const ParameterGroup& group, const Lists& lists) override;

 private:
  AdamOptions options_;
  bool decoupled_;
};

/// Adam with decoupled weight decay.
class AdamW : public Adam {
 public:
  AdamW(std::vector<NamedVariable> parameters, AdamOptions options)
      : Adam(std::move(parameters), options, true) {}
};

}  // namespace tenon
