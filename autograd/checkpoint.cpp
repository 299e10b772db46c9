#include "autograd/checkpoint.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/tape.h"

namespace tenon {
namespace {

// Puts generators to given states for a scope, then back to where they stood.
class GeneratorScope {
 public:
  GeneratorScope(const std::vector<Generator*>& generators, const std::vector<Generator>& states)
      : generators_(generators) {
    for (size_t i = 0; i < generators.size(); ++i) {
      before_.push_back(*generators[i]);
      *generators[i] = states[i];
    }
  }
  ~GeneratorScope() {
    for (size_t i = 0; i < generators_.size(); ++i) *generators_[i] = before_[i];
  }
  GeneratorScope(const GeneratorScope&) = delete;
  GeneratorScope& operator=(const GeneratorScope&) = delete;

 private:
  const std::vector<Generator*>& generators_;
  std::vector<Generator> before_;
};

}  // namespace

std::vector<Variable> checkpoint(const VariableFunction& segment, const std::vector<Variable>& inputs,
                                 const SegmentUses& uses) {
  std::vector<Generator> states;
  for (const Generator* generator : uses.generators) states.push_back(*generator);
  std::vector<Tensor> outputs;
  {
    NoGrad no_grad;
    for (const Variable& output : segment(inputs)) outputs.push_back(output.value());
  }
  std::vector<Variable> wanted = inputs;
  wanted.insert(wanted.end(), uses.parameters.begin(), uses.parameters.end());
  std::vector<Saved> saved;
  saved.reserve(inputs.size());
  for (const Variable& input : inputs) saved.emplace_back(input);

  auto rule = [segment, saved, uses, states](std::span<const Variable> grads, Gradients& out) {
    // The second run starts from leaves of its own, so that the walk back through it ends there.
    std::vector<Variable> leaves;
    for (size_t i = 0; i < saved.size(); ++i)
      leaves.emplace_back(saved[i]().value(), out.needed(static_cast<int>(i)));
    RecordingScope scope(true);
    std::vector<Variable> again;
    {
      GeneratorScope generators(uses.generators, states);
      again = segment(leaves);
    }
    std::vector<Variable> roots, seeds;
    for (size_t i = 0; i < again.size(); ++i)
      if (grads[i].defined() && again[i].requires_grad()) {
        roots.push_back(again[i]);
        seeds.push_back(grads[i]);
      }
    if (roots.empty()) return;
    std::vector<Variable> targets = leaves;
    targets.insert(targets.end(), uses.parameters.begin(), uses.parameters.end());
    std::vector<Variable> results = gradients(roots, targets, seeds);
    for (size_t i = 0; i < results.size(); ++i)
      if (results[i].defined()) out.set(static_cast<int>(i), results[i]);
  };
  return record_many("checkpoint", std::move(outputs), wanted, std::move(rule),
                     {.once_reason = "its segment is run again without the history of its inputs"});
}

}  // namespace tenon
