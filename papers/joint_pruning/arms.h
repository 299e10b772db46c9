// Runs one (arm, seed) pair: its stages, and what is measured on the networks that they leave.
#pragma once

#include <ostream>

#include "papers/experiment/training.h"
#include "papers/joint_pruning/counting.h"
#include "papers/joint_pruning/method.h"
#include "papers/joint_pruning/problem.h"
#include "papers/joint_pruning/recipes.h"

namespace tenon::joint_pruning {

/// What is shared by all pairs of a run.
struct Plan {
  const experiment::ImageProblem* problem = nullptr;
  experiment::RunFolder* folder = nullptr;
  experiment::Scale scale = experiment::Scale::kScaled;
  std::ostream* out = nullptr;  ///< progress
  Device device = Device::cpu();
  bool memory = false;  ///< print what holds the memory at the peak of a step
};

/// Trains the pair, or goes on with it, and returns its facts (also in result.json): accuracies on validation and test
/// images, counts on 1,000 training images, and curves on validation images. A finished pair is only read. Throws
/// Interrupted, and Error if an arm that it starts from was not run.
Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed);

/// The network that a finished pair left, its masks set as they were.
MaskedNet final_net(experiment::RunFolder& folder, const Recipe& recipe, int64_t seed);
/// The weights of one stage of a finished pair ("dense", "round-3", "stage-b").
void load_stage(experiment::RunFolder& folder, const Recipe& recipe, int64_t seed, const std::string& stage,
                Module& net);

/// A count as JSON, and back.
Json to_json(const NetCount& count);
NetCount count_from(const Json& json);

}  // namespace tenon::joint_pruning
