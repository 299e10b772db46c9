// What every paper that trains on images has in common of an (arm, seed) pair while it runs. A paper's own class derives from
// Pair and says which stages each of its methods has; its Plan has the members of this one:
//
//   const ImageProblem* problem;  RunFolder* folder;  std::ostream* out (progress);  Device device;  bool memory
#pragma once

#include "papers/experiment/training.h"

namespace tenon::experiment {

template <class Plan, class Recipe>
class Pair {
 public:
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

 protected:
  /// `total_epochs` of all its stages, for the progress line.
  Pair(const Plan& plan, const Recipe& recipe, ArmRun& arm, int64_t total_epochs)
      : plan_(plan),
        recipe_(recipe),
        arm_(arm),
        runner_(*plan.problem, arm, total_epochs, *plan.out, plan.memory) {}

  Json accuracies(Module& net) const { return experiment::accuracies(net, *plan_.problem); }

  const Plan& plan_;
  const Recipe& recipe_;
  ArmRun& arm_;
  StageRunner runner_;
  Json result_ = Json::object();  ///< what is kept of it
};

/// What a pair comes to, also in its result.json: a finished one is only read. PairOfPaper(plan, recipe, arm) has `Json run()`.
template <class PairOfPaper, class Plan, class Recipe>
Json run_pair(const Plan& plan, const Recipe& recipe, int64_t seed) {
  ArmRun arm = plan.folder->arm(recipe.arm, seed);
  return arm.once([&] { return PairOfPaper(plan, recipe, arm).run(); });
}

}  // namespace tenon::experiment
