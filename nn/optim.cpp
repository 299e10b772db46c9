#include "nn/optim.h"

#include <set>

#include "core/memory_trace.h"
#include "core/ops/lists.h"

namespace tenon {

void Optimizer::Lists::clear() {
  parameters.clear();
  gradients.clear();
  for (auto& list : states) list.clear();
  step_counts.clear();
}

void Optimizer::add_group(std::vector<NamedVariable> parameters, double lr, double weight_decay) {
  std::set<std::string> names;
  std::set<const VariableState*> known;
  for (const ParameterGroup& group : groups_)
    for (const NamedVariable& p : group.parameters)
      names.insert(p.name), known.insert(p.variable.state().get());
  for (const NamedVariable& p : parameters) {
    TENON_CHECK(p.variable.is_leaf(), "Optimizer: parameter '", p.name, "' expects a leaf");
    TENON_CHECK(names.insert(p.name).second, "Optimizer: two parameters are named '", p.name, "'");
    TENON_CHECK(known.insert(p.variable.state().get()).second, "Optimizer: parameter '", p.name,
                "' is there already, under another name");
  }
  entries_.emplace_back(parameters.size());
  groups_.push_back({std::move(parameters), lr, weight_decay});
}

void Optimizer::set_lr(double lr) {
  for (ParameterGroup& group : groups_) group.lr = lr;
}

void Optimizer::zero_grad() {
  for (const ParameterGroup& group : groups_)
    for (const NamedVariable& p : group.parameters) p.variable.zero_grad();
}

void Optimizer::step() {
  NoGrad no_grad;
  const MemoryLabel label("optimiser");
  lists_.states.resize(slots_.size());
  for (size_t g = 0; g < groups_.size(); ++g) {
    const ParameterGroup& group = groups_[g];
    lists_.clear();  // of a step that threw
    for (size_t i = 0; i < group.parameters.size(); ++i) {
      const Variable& variable = group.parameters[i].variable;
      if (!variable.grad().defined()) continue;
      const Tensor& value = variable.value();
      Entry& entry = entries_[g][i];
      while (entry.states.size() < slots_.size()) {
        entry.states.push_back(Tensor::empty_like(value));
        entry.states.back().fill_(0);
      }
      lists_.parameters.push_back(value);
      lists_.gradients.push_back(variable.grad().value());
      for (size_t s = 0; s < slots_.size(); ++s) lists_.states[s].push_back(entry.states[s]);
      lists_.step_counts.push_back(entry.step_count + 1);
    }
    if (!lists_.parameters.empty()) update(group, lists_);
    for (size_t i = 0; i < group.parameters.size(); ++i)
      if (group.parameters[i].variable.grad().defined()) ++entries_[g][i].step_count;
    lists_.clear();
  }
}

// ---- state ------------------------------------------------------------------------------------------

State Optimizer::state() const {
  State out;
  std::vector<double> rates, decays;
  for (size_t g = 0; g < groups_.size(); ++g) {
    rates.push_back(groups_[g].lr);
    decays.push_back(groups_[g].weight_decay);
    for (size_t i = 0; i < groups_[g].parameters.size(); ++i) {
      const Entry& entry = entries_[g][i];
      if (entry.step_count == 0) continue;
      const std::string& name = groups_[g].parameters[i].name;
      for (size_t s = 0; s < slots_.size(); ++s) out.emplace(slots_[s] + "." + name, entry.states[s]);
      out.emplace("step_count." + name, Tensor::from<int64_t>({entry.step_count}, {}));
    }
  }
  out.emplace("lr", Tensor::from(rates));
  out.emplace("weight_decay", Tensor::from(decays));
  return out;
}

std::string Optimizer::find_misfits(const State& state) const {
  std::string wrong;
  std::set<std::string> known;
  auto expect = [&](const std::string& name, DType dtype, const Shape& shape) {
    known.insert(name);
    auto found = state.find(name);
    if (found == state.end()) {
      wrong += concat("; missing '", name, "'");
    } else if (found->second.shape() != shape || found->second.dtype() != dtype) {
      wrong += concat("; '", name, "' expects ", dtype, " ", shape, ", got ", found->second.str());
    }
  };
  const Shape per_group{static_cast<int64_t>(groups_.size())};
  expect("lr", float64, per_group);
  expect("weight_decay", float64, per_group);
  for (const ParameterGroup& group : groups_)
    for (const NamedVariable& p : group.parameters) {
      if (!state.contains("step_count." + p.name)) continue;  // never updated
      expect("step_count." + p.name, int64, {});
      for (const std::string& slot : slots_)
        expect(slot + "." + p.name, p.variable.dtype(), p.variable.shape());
    }
  for (const auto& [name, tensor] : state)
    if (!known.contains(name)) wrong += concat("; unexpected '", name, "'");
  return wrong;
}

void Optimizer::load_state(const State& state) {
  std::string wrong = find_misfits(state);
  TENON_CHECK(wrong.empty(), "Optimizer: load_state: the state does not fit", wrong);
  const std::vector<double> rates = state.at("lr").to_vector<double>();
  const std::vector<double> decays = state.at("weight_decay").to_vector<double>();
  for (size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].lr = rates[g];
    groups_[g].weight_decay = decays[g];
    for (size_t i = 0; i < groups_[g].parameters.size(); ++i) {
      const NamedVariable& p = groups_[g].parameters[i];
      Entry entry;
      if (auto count = state.find("step_count." + p.name); count != state.end()) {
        entry.step_count = count->second.to_vector<int64_t>()[0];
        for (const std::string& slot : slots_) {
          entry.states.push_back(Tensor::empty_like(p.variable.value()));
          entry.states.back().copy_(state.at(slot + "." + p.name));
        }
      }
      entries_[g][i] = std::move(entry);
    }
  }
}

void Optimizer::inherit(const Optimizer& other) {
  TENON_CHECK(slots_ == other.slots_, "Optimizer: inherit: the optimisers keep different state");
  State common;
  const State theirs = other.state(), rates = state();
  for (const char* name : {"lr", "weight_decay"}) common.emplace(name, rates.at(name));
  for (const ParameterGroup& group : groups_)
    for (const NamedVariable& p : group.parameters) {
      if (!theirs.contains("step_count." + p.name)) continue;
      common.emplace("step_count." + p.name, theirs.at("step_count." + p.name));
      for (const std::string& slot : slots_)
        common.emplace(slot + "." + p.name, theirs.at(slot + "." + p.name));
    }
  load_state(common);
}

// ---- the optimisers ---------------------------------------------------------------------------------

SGD::SGD(std::vector<NamedVariable> parameters, SgdOptions options)
    : Optimizer(options.momentum != 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}),
      options_(options) {
  add_group(std::move(parameters), options.lr, options.weight_decay);
}

void SGD::update(const ParameterGroup& group, const Lists& lists) {
  SgdStep step;
  step.lr = group.lr;
  step.weight_decay = group.weight_decay;
  step.momentum = options_.momentum;
  step.dampening = options_.dampening;
  step.nesterov = options_.nesterov;
  sgd_step(lists.parameters, lists.gradients,
           options_.momentum != 0 ? TensorList(lists.states[0]) : TensorList(), lists.step_counts, step);
}

namespace {
std::vector<std::string> rmsprop_slots(const RmspropOptions& options) {
  std::vector<std::string> slots{"mean_square"};
  if (options.momentum != 0) slots.push_back("momentum");
  if (options.centred) slots.push_back("mean");
  return slots;
}
}  // namespace

RMSprop::RMSprop(std::vector<NamedVariable> parameters, RmspropOptions options)
    : Optimizer(rmsprop_slots(options)), options_(options) {
  add_group(std::move(parameters), options.lr, options.weight_decay);
}

void RMSprop::update(const ParameterGroup& group, const Lists& lists) {
  RmspropStep step;
  step.lr = group.lr;
  step.weight_decay = group.weight_decay;
  step.alpha = options_.alpha;
  step.eps = options_.eps;
  step.momentum = options_.momentum;
  step.centred = options_.centred;
  TensorList momentum, means;
  if (options_.momentum != 0) momentum = lists.states[1];
  if (options_.centred) means = lists.states.back();
  rmsprop_step(lists.parameters, lists.gradients, lists.states[0], momentum, means, step);
}

Adadelta::Adadelta(std::vector<NamedVariable> parameters, AdadeltaOptions options)
    : Optimizer({"mean_square", "mean_square_update"}), options_(options) {
  add_group(std::move(parameters), options.lr, options.weight_decay);
}

void Adadelta::update(const ParameterGroup& group, const Lists& lists) {
  AdadeltaStep step;
  step.lr = group.lr;
  step.weight_decay = group.weight_decay;
  step.rho = options_.rho;
  step.eps = options_.eps;
  adadelta_step(lists.parameters, lists.gradients, lists.states[0], lists.states[1], step);
}

namespace {
std::vector<std::string> adam_slots(bool amsgrad) {
  std::vector<std::string> slots{"first_moment", "second_moment"};
  if (amsgrad) slots.push_back("largest_second_moment");
  return slots;
}
}  // namespace

Adam::Adam(std::vector<NamedVariable> parameters, AdamOptions options, bool decoupled)
    : Optimizer(adam_slots(options.amsgrad)), options_(options), decoupled_(decoupled) {
  add_group(std::move(parameters), options.lr, options.weight_decay);
}

void Adam::update(const ParameterGroup& group, const Lists& lists) {
  AdamStep step;
  step.lr = group.lr;
  step.weight_decay = group.weight_decay;
  step.beta1 = options_.beta1;
  step.beta2 = options_.beta2;
  step.eps = options_.eps;
  step.decoupled = decoupled_;
  adam_step(lists.parameters, lists.gradients, lists.states[0], lists.states[1],
            options_.amsgrad ? TensorList(lists.states[2]) : TensorList(), lists.step_counts, step);
}

}  // namespace tenon
