// Runs one (arm, seed) pair: grows, trains, and looks at the test images once, at the end.
#pragma once

#include <memory>
#include <ostream>

#include "papers/autogrow/recipes.h"
#include "papers/experiment/training.h"

namespace tenon::autogrow {

/// What is shared by all pairs of a run.
struct Plan {
  const experiment::ImageProblem* problem = nullptr;
  experiment::RunFolder* folder = nullptr;
  Schedule schedule;
  std::ostream* out = nullptr;    ///< progress
  Device device = Device::cpu();  ///< where networks are trained
  bool memory = false;            ///< print what holds the memory at the peak of a step
};

/// The data of a scale: Fashion-MNIST and MNIST as means over 2 x 2 pixels framed to 16 x 16 (at paper scale 28 x 28 framed to
/// 32 x 32), in [0, 1]; CIFAR-10 likewise at 16 x 16 (32 x 32), normalised by the authors' figures, shifted by up to 2 (4).
/// All but MNIST are mirrored. Throws Error as load_images.
experiment::ImageProblem load_problem(const experiment::Options& options, const Schedule& schedule);

NetworkOptions network_options(const Plan& plan, Family family);
/// K, J and tau of an arm that grows, tau in points of the validation images.
PolicyOptions policy_options(const Plan& plan, const Recipe& recipe);

/// Depths as a result keeps them.
Depths depths_from(const Json& json);

/// Trains the pair, or goes on with it, and returns what it measured (also in result.json): `depths`, those of the network;
/// `epochs` in all; `macs`, multiply-accumulates of the whole training, three times those of the forwards; `final`
/// accuracies. Of grown ones also `growing_epochs`, `limited`, `best` (validation, while it grew), `events` and, one a block,
/// `growths`. A finished pair is only read. Throws Interrupted, and Error if the arm that it is like was not run.
Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed);

}  // namespace tenon::autogrow
