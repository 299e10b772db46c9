// What is trained: every arm with its network, method, densities, winner rates and schedule.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "papers/experiment/options.h"
#include "papers/joint_pruning/networks.h"

namespace tenon::joint_pruning {

enum class Method {
  dense,         ///< trained from scratch: what the others start from
  weights,       ///< WP: rounds of cutting weights and finetuning, then as many epochs as the others' stage B
  joint,         ///< JP: the same rounds, then masks switched on and finetuned
  activations,   ///< masks on the dense network, finetuned
  reversed,      ///< activations first, then rounds of cutting weights under the masks
  l1,            ///< the rounds, then finetuned under L1 on activations; the masks are put on at the end
  simultaneous,  ///< version 2, in our form: penalties on both, rounds and masks together, then finetuned
};

enum class Solver { adam, adadelta, sgd };

struct Recipe {
  std::string arm;    ///< name on the command line and of the folder
  std::string label;  ///< in tables
  Network network = Network::mlp3;
  Method method = Method::dense;
  /// Of the weights that stay, a layer each; the last for all that follow. Of `joint`: cut once more as masks are switched
  /// on, if given.
  std::vector<double> densities;
  /// Winner rates, a mask each. Empty in an arm with masks: chosen by sensitivity.
  std::vector<double> rates;
  MaskRule rule = MaskRule::winners;
  Solver solver = Solver::adadelta;  ///< of stage B
  double weight_penalty = 0, activation_penalty = 0;
};

/// Rounds of cutting weights.
constexpr int kRounds = 3;

/// Epochs of each stage. Stage B is that of the masks.
struct Epochs {
  int64_t dense = 0;
  int64_t round[kRounds] = {};
  int64_t stage_b = 0;
  int64_t rounds() const { return round[0] + round[1] + round[2]; }
};
Epochs epochs_of(experiment::Scale scale, Network network);

/// All arms in the order in which they run: those that others start from come first.
const std::vector<Recipe>& recipes();
/// Throws Error if there is none of that name.
const Recipe& recipe_of(std::string_view arm);
/// The dense arm, the WP arm, and the arm of activations alone (null if there is none) of a network.
const Recipe& dense_recipe(Network network);
const Recipe& weights_recipe(Network network);
/// The arms that must have run before this one, in order.
std::vector<std::string> needs(const Recipe& recipe);

/// Densities after round i of kRounds: final^((i + 1) / kRounds), which falls by the same factor every time.
std::vector<double> densities_of_round(const std::vector<double>& final, int round);

/// What the command line knows of the arms.
experiment::ExperimentSpec experiment_spec();

}  // namespace tenon::joint_pruning
