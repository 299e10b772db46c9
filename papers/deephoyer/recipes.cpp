// Strengths and cuts: the paper's where it gives them, and a search around them (>= 4 strengths a method), since an order
// of methods at one strength says little.
#include "papers/deephoyer/recipes.h"

#include <algorithm>
#include <cmath>

#include "papers/experiment/recipes.h"

namespace tenon::deephoyer {
namespace {

// "2e-4", "1.5e-4", "0.02": what a strength is called in names.
std::string short_number(double value) {
  if (value >= 0.01) return concat(value);
  const int exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  return concat(std::round(value * std::pow(10.0, 2 - exponent)) / 100, "e", exponent);
}

// Arms in the order in which they are added. The name of an arm begins as its network's do.
class Arms {
 public:
  void penalties(Network network, const char* name, PenaltyKind kind, const std::vector<double>& strengths,
                 const std::vector<double>& cuts) {
    for (double lambda : strengths)
      add({.arm = concat(name, "-", short_number(lambda)),
           .label = name_of(kind),
           .network = network,
           .method = Method::penalty,
           .penalty = {kind, lambda},
           .weight_decay = is_structural(kind) || !info_of(network).cuts_by_std ? kDecay : 0,
           .points = cuts});
  }
  void other(Network network, const char* name, const char* label, Method method,
             const std::vector<double>& points, double lambda = 0) {
    add({.arm = name,
         .label = label,
         .network = network,
         .method = method,
         .penalty = {PenaltyKind::none, lambda},
         .weight_decay = 0,
         .points = points});
  }
  // What every network of the large family has: its dense arm, and the same training without a penalty.
  void dense_and_control(Network network) {
    other(network, "dense", "dense", Method::dense, {});
    other(network, "none", "no penalty", Method::penalty, {kCodesCut});
    all_.back().weight_decay = kDecay;
  }

  static constexpr double kCodesCut = 1e-4;  // |w|, in the code for CIFAR and ImageNet
  std::vector<Recipe> take() { return std::move(all_); }

 private:
  static constexpr double kDecay = 1e-4;
  void add(Recipe recipe) {
    recipe.arm = info_of(recipe.network).arms + recipe.arm;
    all_.push_back(std::move(recipe));
  }
  std::vector<Recipe> all_;
};

void add_lenet_arms(Arms& arms) {
  const Network mlp = Network::lenet_300_100, cnn = Network::lenet_5;
  const PenaltyKind hs = PenaltyKind::hoyer_square, group_hs = PenaltyKind::group_hoyer_square;
  arms.other(mlp, "dense", "dense", Method::dense, {});
  // The weaker the penalty, the more of the distance to the wanted size is left to the cut.
  arms.penalties(mlp, "hs", hs, {2e-4}, {0.03, 0.08, 0.1});
  arms.penalties(mlp, "hs", hs, {1e-4}, {0.03, 0.1, 0.15});
  arms.penalties(mlp, "hs", hs, {5e-5, 2e-5}, {0.03, 0.1, 0.2});
  arms.penalties(mlp, "hs", hs, {4e-4}, {0.03, 0.08, 0.1});
  arms.penalties(mlp, "group-hs", group_hs, {2e-3, 1e-3, 5e-4, 4e-3}, {0.3, 0.5, 0.8});
  arms.penalties(mlp, "l1", PenaltyKind::l1, {3e-5, 1e-4, 6e-5, 1e-5}, {0.1, 0.3, 0.5});
  // 98 % is out of its reach below a fifth of the weights or so.
  arms.other(mlp, "magnitude", "magnitude, one shot", Method::magnitude, {0.3, 0.2, 0.1, 0.05, 0.027, 0.016});
  arms.other(mlp, "magnitude-iterative", "magnitude, 5 rounds", Method::iterative_magnitude,
             {0.3, 0.1, 0.05, 0.027, 0.016});
  arms.penalties(mlp, "tl1", PenaltyKind::transformed_l1, {2e-5, 6e-5, 1.5e-4, 1e-5}, {0.1, 0.3, 0.5});
  arms.penalties(mlp, "hoyer", PenaltyKind::hoyer, {0.02, 0.01, 0.005, 0.04}, {0.03, 0.05, 0.1});
  arms.penalties(mlp, "group-lasso", PenaltyKind::group_lasso, {1e-3, 5e-4, 2e-4, 1e-4}, {0.1, 0.25, 0.5});
  for (double lambda : {0.1, 0.05, 0.2, 0.4})
    arms.other(mlp, concat("l0-", short_number(lambda)).c_str(), "L0 hard concrete", Method::hard_concrete,
               {0}, lambda);
  arms.other(mlp, "random-mask", "random mask", Method::random_mask, {0.1, 0.05, 0.027, 0.016});
  arms.other(mlp, "small-dense", "small dense", Method::small_dense, {0.2, 0.1, 0.06, 0.03});
  arms.other(cnn, "dense", "dense", Method::dense, {});
  arms.penalties(cnn, "hs", hs, {1e-4, 5e-5, 2e-4, 2e-5}, {0.03, 0.06, 0.1});
  arms.penalties(cnn, "group-hs", group_hs, {0.1, 0.05, 0.02, 0.01}, {0.008, 0.1, 0.3});
}

// Published (CIFAR) is the grid of 1e-4 to 8e-4 for 164 epochs; ImageNet's is estimated. What a penalty does grows with its
// strength times the sum of the rates over the steps, so reduced schedules, of a fiftieth of the steps, need stronger ones.
void add_large_arms(Arms& arms) {
  const PenaltyKind group_hs = PenaltyKind::group_hoyer_square, lasso = PenaltyKind::group_lasso;
  // What a penalty holds near 0 jitters by about the last rate over 1 - momentum, 1e-2: the code's
  // cut is above that only after many epochs.
  const std::vector<double> cut = {Arms::kCodesCut, 1e-2};
  for (Network network : {Network::resnet_8, Network::resnet_20, Network::resnet_56, Network::resnet_110}) {
    arms.dense_and_control(network);
    arms.penalties(network, "group-hs", group_hs, {1e-4, 2e-4, 4e-4, 8e-4, 2e-3, 4e-3, 8e-3, 0.016, 0.03},
                   cut);
    arms.penalties(network, "group-lasso", lasso, {1e-4, 2e-4, 4e-4, 8e-4, 1e-3, 2e-3, 4e-3, 8e-3}, cut);
  }
  arms.dense_and_control(Network::resnet_50);
  arms.penalties(Network::resnet_50, "group-hs", group_hs, {1e-5, 2e-5, 5e-5, 1e-4}, cut);
  arms.penalties(Network::resnet_50, "group-lasso", lasso, {1e-5, 2e-5, 5e-5, 1e-4}, cut);
  arms.dense_and_control(Network::alexnet);
  arms.penalties(Network::alexnet, "hs", PenaltyKind::hoyer_square, {1e-6, 5e-7, 2e-6, 4e-6}, cut);
}

std::vector<Recipe> all_recipes() {
  Arms arms;
  add_lenet_arms(arms);
  add_large_arms(arms);
  return arms.take();
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = all_recipes();
  return all;
}

const Recipe& recipe_of(std::string_view arm) { return experiment::recipe_called(recipes(), arm); }

const Recipe& dense_recipe(Network network) { return recipe_of(info_of(network).arms + "dense"); }

std::string point_label(const Recipe& recipe, double point) {
  switch (recipe.method) {
    case Method::penalty:
      return info_of(recipe.network).cuts_by_std ? concat(point, " std")
                                                 : concat("|w| < ", short_number(point));
    case Method::magnitude:
    case Method::iterative_magnitude:
    case Method::random_mask:
      return concat(100 * point, " % of the weights");
    case Method::small_dense:
      return concat(100 * point, " % of the MACs");
    case Method::dense:
    case Method::hard_concrete:
      return "–";
  }
  fail("deephoyer: no such method");
}

std::string point_stage(const Recipe& recipe, double point) {
  const char* stage = recipe.method == Method::penalty || recipe.method == Method::magnitude ||
                              recipe.method == Method::hard_concrete
                          ? "finetune"
                      : recipe.method == Method::iterative_magnitude ? "round"
                                                                     : "train";
  return concat(stage, "-", point);
}

experiment::ExperimentSpec experiment_spec(Family family) {
  experiment::ExperimentSpec spec;
  if (family == Family::lenet) {
    for (const Recipe& recipe : recipes())
      if (info_of(recipe.network).family == family) spec.arms.push_back(recipe.arm);
    spec.name = "deephoyer";
    spec.description =
        "DeepHoyer (Yang, Wen, Li; ICLR 2020): networks trained under the Hoyer-Square penalty, pruned once "
        "and finetuned, against the penalties and prunings it was compared with.";
    spec.datasets = {"fashion_mnist", "mnist"};
    spec.default_arms = {"dense", "hs-2e-4", "hs-5e-5", "l1-3e-5", "magnitude", "group-hs-2e-3"};
    return spec;
  }
  spec.name = "deephoyer_large";
  spec.description =
      "DeepHoyer's larger networks (Yang, Wen, Li; ICLR 2020): residual networks whose filters and channels "
      "go under Group-HS or group lasso, made smaller and timed. Arms are those of the --network.";
  spec.datasets = {"fashion_mnist", "cifar10"};
  for (const Recipe& recipe : recipes()) {
    const NetworkInfo& info = info_of(recipe.network);
    const std::string arm = recipe.arm.substr(info.arms.size());
    const bool listed = std::find(spec.arms.begin(), spec.arms.end(), arm) != spec.arms.end();
    if (info.family == family && !listed) spec.arms.push_back(arm);
  }
  spec.default_arms = {"dense",           "none", "group-hs-2e-3", "group-hs-4e-3", "group-lasso-4e-4",
                       "group-lasso-8e-4"};
  return spec;
}

}  // namespace tenon::deephoyer
