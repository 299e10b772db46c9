// An (arm, seed) pair while it runs, as every paper that trains on images has it. A paper derives a class of its own, which says
// what stages each method has. Of the paper's Plan, what a run shares, these members are used: `problem` (const
// ImageProblem*), `folder` (RunFolder*), `out` (std::ostream*, for progress) and `memory` (bool); of its Recipe `arm`.
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

/// Runs PairOfPaper(plan, recipe, arm).run() and keeps the Json that it returns as the pair's result.json. A finished pair is
/// only read.
template <class PairOfPaper, class Plan, class Recipe>
Json run_pair(const Plan& plan, const Recipe& recipe, int64_t seed) {
  ArmRun arm = plan.folder->arm(recipe.arm, seed);
  return arm.once([&] { return PairOfPaper(plan, recipe, arm).run(); });
}

}  // namespace tenon::experiment
