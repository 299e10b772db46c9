// Runs one (arm, seed) pair: its stages, its cuts, and its accuracies.
#pragma once

#include <memory>
#include <ostream>

#include "nn/compress/channels.h"
#include "nn/compress/mask.h"
#include "nn/sequential.h"
#include "papers/deephoyer/recipes.h"
#include "papers/experiment/images.h"
#include "papers/experiment/run_folder.h"
#include "papers/experiment/training.h"

namespace tenon::deephoyer {

/// The fully connected net 784-h-h/3-10 whose MACs are nearest to `fraction` of LeNet-300-100's.
std::shared_ptr<Sequential> make_small_network(double fraction, int64_t seed);
/// The network of one point of an arm, with fresh weights: what its file is loaded into.
std::shared_ptr<Sequential> make_point_network(const Recipe& recipe, double point, int64_t seed);

/// Threshold of one tensor: the larger of a multiple of its standard deviation and a fixed value.
struct CutRule {
  double std_multiple = 0;
  double fixed = 0;
  double threshold(const Tensor& w) const;
};

/// Masks of all parameters, biases too: 0 where |w| < threshold, each tensor with its own.
Masks cut(const Module& net, const CutRule& rule);
/// Masks of the weights and scales, biases and shifts left out, by one threshold for all: 0 where |w| < threshold. Of a filter
/// in `groups` without a weight that stays, also the scale and the shift of its batch norm go, so that it emits 0.
Masks cut_weights(const Module& net, double threshold, const std::vector<ChannelGroup>& groups);
/// The masks of a point of an arm under a penalty: by cut or by cut_weights, as the network's code has it.
Masks cut_at(Sequential& net, const Recipe& recipe, double point);
/// The rule of one std multiple for all tensors that leaves `density` of the weights (rank >= 2).
CutRule cut_to_density(const Module& net, double density);
/// As many live entries in each weight as `like` has, at random places; biases stay whole.
Masks random_masks(const Module& net, const Masks& like, int64_t seed);

/// What is shared by all pairs of a run.
struct Plan {
  const experiment::ImageProblem* problem = nullptr;
  experiment::RunFolder* folder = nullptr;
  experiment::Scale scale = experiment::Scale::kScaled;
  std::ostream* out = nullptr;    ///< progress
  Device device = Device::cpu();  ///< where networks are trained; what they left is measured on the host
  bool memory = false;            ///< print what holds the memory at the peak of a step
};

/// Trains the pair, or goes on with it, and returns its accuracies (also in result.json): `before` (after the
/// stage under the penalty) and for every point `cut` and `final`, each on validation and test data. A
/// finished pair is only read. Throws Interrupted, and Error if the dense arm that it starts from was not
/// run.
Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed);

}  // namespace tenon::deephoyer
