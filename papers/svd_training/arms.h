// The course of each arm: the network that it starts from, its stages, and what is pruned in between.
#pragma once

#include <memory>
#include <ostream>

#include "nn/sequential.h"
#include "papers/experiment/run_folder.h"
#include "papers/svd_training/recipes.h"

namespace tenon::svd_training {

/// What a run trains on and where it keeps it.
struct Plan {
  const Study* study = nullptr;
  Task task;
  const experiment::ImageProblem* problem = nullptr;
  experiment::RunFolder* folder = nullptr;
  std::ostream* out = nullptr;  ///< progress
  bool from_checkpoint =
      false;                  ///< stage 1 starts from the SVD of the trained dense network, not of a new one
  bool standardised = false;  ///< factors are computed anew between the stages (standardise)
  Device device = Device::cpu();
  bool memory = false;
};

/// Trains the pair, or goes on with it, and returns what result.json holds: `before` (after stage 2, or the only stage), of
/// factored networks `curve` (at every energy of curve_energies, not finetuned), and for every point `raw`, `estimated` (the
/// statistics of batch norm anew) and `final`, each accuracy on validation and test images. A finished pair is only read.
/// Throws Interrupted, and Error if the arm that it starts from was not run.
Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed);

/// A new network of the task, a function of the seed.
std::shared_ptr<Sequential> make_dense(const Plan& plan, int64_t seed);
/// The network of a recipe, factored if its method factors, with the ranks and weights that `stage` of a finished pair left.
std::shared_ptr<Sequential> load_stage(const Plan& plan, const Recipe& recipe, int64_t seed,
                                       const std::string& stage);
/// The name of the last stage before pruning: "stage1", "stage2", "dense".
std::string last_stage(const Recipe& recipe);
/// Epochs that the network of a point has behind it, those of the arms that it starts from included; without points, those
/// of the arm.
int64_t total_epochs(const Plan& plan, const Recipe& recipe);

/// Training images for estimate_statistics: the first 2,000 of the training set, not augmented but normalised.
Tensor statistics_images(const experiment::ImageProblem& problem);

}  // namespace tenon::svd_training
