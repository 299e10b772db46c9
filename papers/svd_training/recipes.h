// What is trained: the arms of the two programs, their schedules, and what is pruned.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nn/compress/filters.h"
#include "papers/experiment/images.h"
#include "papers/experiment/options.h"
#include "papers/svd_training/regularisers.h"

namespace tenon::svd_training {

enum class Network { resnet_8, resnet_20, lenet_300_100 };

enum class Method {
  dense,       ///< the network as it is, for as many epochs as stages 1 and 2 have together
  full_rank,   ///< stage 1: the factored network with the orthogonality penalty alone
  sparsified,  ///< stage 2 from a full_rank arm, pruned at each point, and stage 3
  post_hoc,    ///< the SVD of a trained dense network, cut at each point, and stage 3
  fixed_rank,  ///< ranks that another arm found, trained from scratch as long as that arm
  filters,     ///< filters of a trained dense network cut to match MACs, and stage 3
};

/// How a dense network is decomposed after training.
enum class PostHoc {
  energy,   ///< rank a layer by the energy that is dropped, of the weight alone
  uniform,  ///< the same fraction of every layer's rank
  data,     ///< `energy` of the responses on training images (Zhang et al., 2016), channel scheme alone
};

enum class OptimizerKind { adam, sgd };

/// One arm. Its `points` are what is pruned: e, the share of energy that is dropped, layer by layer; for `uniform` the
/// fraction of the ranks that stays, for `filters` the fraction of the filters that stays.
struct Recipe {
  std::string arm;    ///< "channel-hoyer-0.1"
  std::string label;  ///< in tables: "Hoyer"
  Method method = Method::sparsified;
  LowRankScheme scheme = LowRankScheme::channel;
  Sparsifier sparsifier = Sparsifier::none;
  double lambda_s = 0, lambda_o = 1;
  bool retracted = false;  ///< u and v go back to orthonormal columns after every step, by QR
  OptimizerKind optimizer = OptimizerKind::adam;
  PostHoc post_hoc = PostHoc::energy;
  FilterNorm filters = FilterNorm::l1;
  std::string
      start;  ///< the arm whose network it starts from (fixed_rank: whose ranks it takes); empty: none
  std::vector<double> points;
};

/// Epochs of the three stages, and the batch.
struct Schedule {
  int64_t stage1 = 0, stage2 = 0, finetune = 0, batch = 64;
};

/// One of the two programs.
struct Study {
  std::string name;  ///< of the program
  std::string description;
  std::vector<std::string> datasets, default_arms;
  std::vector<Recipe> recipes;  ///< in the order in which they run: an arm comes after the one it starts from

  /// Throws Error if there is none of that name.
  const Recipe& recipe(std::string_view arm) const;
  experiment::ExperimentSpec spec() const;
};
/// Convolutional networks: `svd_training`.
const Study& conv_study();
/// The prototype on LeNet-300-100: `svd_training_mlp`.
const Study& mlp_study();

/// What a program trains on a data set at a scale.
struct Task {
  Network network = Network::resnet_8;
  Schedule schedule;
  experiment::ImageSetup images;
  Start start = Start::dense;  ///< of factors
};
/// What takes the place of a scale's own numbers, where it is not 0.
struct Lengths {
  int64_t train_images = 0, stage1 = 0, stage2 = 0, finetune = 0;
};
Task task_of(const Study& study, const experiment::Options& options, const Lengths& lengths);

/// All pruned energies at which a network is looked at without finetuning.
const std::vector<double>& curve_energies();

/// "e 0.03", "half of the ranks": a point in words.
std::string point_label(const Recipe& recipe, double point);
/// The name of the stage that gives a point, and of its file: "finetune-0.03".
std::string point_stage(double point);

}  // namespace tenon::svd_training
