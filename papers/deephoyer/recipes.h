// What is trained: every arm of the experiments with its network, penalty, strength and cuts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "papers/deephoyer/networks.h"
#include "papers/deephoyer/penalty.h"

namespace tenon::deephoyer {

enum class Method {
  dense,                ///< stage 1 alone: what the others start from
  penalty,              ///< dense, then trained under a penalty (or none: the control), cut once, finetuned
  magnitude,            ///< dense, cut once, finetuned: no penalty
  iterative_magnitude,  ///< dense, then rounds of cutting a little more and finetuning (Han et al., 2015)
  hard_concrete,        ///< L0 by stochastic gates on inputs and neurons (Louizos et al., 2018)
  random_mask,          ///< a random mask of the same density from the start, trained as long
  small_dense,          ///< a dense network of the same MACs, trained as long
};

/// One arm. A network is judged at each of its points: `points` are what is cut, and the meaning of the
/// number depends on the method.
struct Recipe {
  std::string arm;    ///< name on the command line and of the folder: "hs-2e-4"
  std::string label;  ///< in tables: "Hoyer-Square"
  Network network = Network::lenet_300_100;
  Method method = Method::penalty;
  Penalty
      penalty;  ///< hard_concrete: lambda alone, for a loss of lambda / (training images) times the expected weights
  double weight_decay = 0;  ///< in the stage under the penalty
  /// penalty: multiples of each tensor's std, or the |w| of NetworkInfo::cuts_by_std; magnitude and random_mask: fractions of the weights that stay;
  /// small_dense: fractions of the MACs; hard_concrete: one point, 0, the
  /// gates tell what is cut; dense: none.
  std::vector<double> points;
};

/// All arms of both families in the order in which they run; the dense ones come before those that start from them.
const std::vector<Recipe>& recipes();
/// Throws Error if there is none of that name.
const Recipe& recipe_of(std::string_view arm);
/// The dense arm that a recipe starts from.
const Recipe& dense_recipe(Network network);

/// "0.03 std", "|w| < 1e-4", "10 % of the weights": the point of an arm in words.
std::string point_label(const Recipe& recipe, double point);
/// The name of the stage that gives a point, and of its file: "finetune-0.03".
std::string point_stage(const Recipe& recipe, double point);

/// What the command line knows of the arms of a family.
experiment::ExperimentSpec experiment_spec(Family family);

}  // namespace tenon::deephoyer
