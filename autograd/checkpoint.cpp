#include "autograd/checkpoint.h"

#include <utility>

#include "autograd/tape.h"

namespace tenon {
namespace {

thread_local bool running_again = false;

// Generators and where they stand.
using Positions = std::vector<std::pair<Generator*, Generator>>;

Positions positions_of(const std::vector<Generator*>& generators) {
  Positions positions;
  for (Generator* generator : generators) positions.emplace_back(generator, *generator);
  return positions;
}

// Generators are set back for the second run of a segment, which is recorded.
class SecondRun {
 public:
  explicit SecondRun(const Positions& start) : again_before_(running_again) {
    for (const auto& [generator, position] : start) {
      before_.emplace_back(generator, *generator);
      *generator = position;
    }
    running_again = true;
  }
  ~SecondRun() {
    for (const auto& [generator, position] : before_) *generator = position;
    running_again = again_before_;
  }
  SecondRun(const SecondRun&) = delete;
  SecondRun& operator=(const SecondRun&) = delete;

 private:
  Positions before_;
  bool again_before_;
  RecordingScope recording_{true};
};

// The same numbers at a place of its own on the tape, so that an input given twice has two gradients.
Variable handle(const Variable& x) {
  return record("checkpoint", x.value(), {x}, [](const Variable& g, Gradients& out) { out.set(0, g); });
}

// What backward needs to run a segment again.
struct Rerun {
  VariableFunction segment;
  std::vector<Saved> inputs;
  std::vector<Saved> outside;  // what else the segment used that has a gradient
  std::vector<Shape> shapes;   // of the outputs
  Positions start;

  void operator()(std::span<const Variable> grads, Gradients& out) const {
    const bool create_graph = recording();
    std::vector<Variable> places, outputs, output_grads;
    {
      SecondRun scope(start);
      std::vector<Variable> given;
      for (const Saved& input : inputs) given.push_back(input().requires_grad() ? handle(input()) : input());
      places = given;
      for (const Saved& variable : outside) places.push_back(variable());
      std::vector<Variable> all = segment(given);
      TENON_CHECK(all.size() == shapes.size(), "checkpoint: the segment gave ", shapes.size(),
                  " outputs, and ", all.size(), " when it ran again");
      for (size_t i = 0; i < all.size(); ++i) {
        TENON_CHECK(all[i].shape() == shapes[i], "checkpoint: output ", i, " of the segment had shape ",
                    shapes[i], ", and ", all[i].shape(), " when it ran again");
        if (!grads[i].defined() || !all[i].requires_grad()) continue;
        outputs.push_back(all[i]);
        output_grads.push_back(grads[i]);
      }
    }
    std::vector<Variable> result =
        gradients(outputs, places, output_grads, {.create_graph = create_graph, .stop_at_inputs = true});
    for (size_t i = 0; i < result.size(); ++i) out.set(static_cast<int>(i), result[i]);
  }
};

}  // namespace

std::vector<Variable> checkpoint(const VariableFunction& segment, const std::vector<Variable>& inputs,
                                 const std::vector<Generator*>& generators) {
  if (!recording()) return segment(inputs);
  Rerun rerun{segment, {}, {}, {}, positions_of(generators)};
  std::vector<Variable> all = inputs, plain;
  for (const Variable& input : inputs) {
    rerun.inputs.emplace_back(input);
    plain.push_back(input.detach());
  }
  std::vector<Tensor> outputs;
  {
    NoGrad no_grad;
    UnrecordedInputs outside;
    for (const Variable& output : segment(plain)) outputs.push_back(output.value());
    for (const Variable& variable : outside.variables()) {
      rerun.outside.emplace_back(variable);
      all.push_back(variable);
    }
  }
  for (const Tensor& output : outputs) rerun.shapes.push_back(output.shape());
  return record_many("checkpoint", outputs, all, std::move(rerun));
}

bool recomputing() { return running_again; }

}  // namespace tenon
