// Strengths and cuts: the paper's where it gives them, and a search around them (>= 4 strengths a method), since an order
// of methods at one strength says little.
#include "papers/deephoyer/recipes.h"

#include <cmath>

namespace tenon::deephoyer {
namespace {

// "2e-4", "1.5e-4", "0.02": what a strength is called in names.
std::string short_number(double value) {
  if (value >= 0.01) return concat(value);
  const int exponent = static_cast<int>(std::floor(std::log10(value) + 1e-9));
  return concat(std::round(value * std::pow(10.0, 2 - exponent)) / 100, "e", exponent);
}

constexpr double kStructuralDecay = 1e-4;

std::vector<Recipe> all_recipes() {
  std::vector<Recipe> all;
  auto penalties = [&](const char* name, PenaltyKind kind, const std::vector<double>& strengths,
                       const std::vector<double>& cuts, Network network = Network::lenet_300_100) {
    for (double lambda : strengths)
      all.push_back({.arm = concat(name, "-", short_number(lambda)),
                     .label = name_of(kind),
                     .network = network,
                     .method = Method::penalty,
                     .penalty = {kind, lambda},
                     .weight_decay = is_structural(kind) ? kStructuralDecay : 0,
                     .points = cuts});
  };
  auto other = [&](const char* name, const char* label, Method method, const std::vector<double>& points,
                   Network network = Network::lenet_300_100) {
    all.push_back({.arm = name,
                   .label = label,
                   .network = network,
                   .method = method,
                   .penalty = {},
                   .weight_decay = 0,
                   .points = points});
  };
  other("dense", "dense", Method::dense, {});
  // The weaker the penalty, the more of the distance to the wanted size is left to the cut.
  penalties("hs", PenaltyKind::hoyer_square, {2e-4}, {0.03, 0.08, 0.1});
  penalties("hs", PenaltyKind::hoyer_square, {1e-4}, {0.03, 0.1, 0.15});
  penalties("hs", PenaltyKind::hoyer_square, {5e-5}, {0.03, 0.1, 0.2});
  penalties("hs", PenaltyKind::hoyer_square, {4e-4}, {0.03, 0.08, 0.1});
  penalties("group-hs", PenaltyKind::group_hoyer_square, {2e-3, 1e-3, 5e-4, 4e-3}, {0.3, 0.5, 0.8});
  penalties("l1", PenaltyKind::l1, {3e-5, 1e-4, 6e-5, 1e-5}, {0.1, 0.3, 0.5});
  other("magnitude", "magnitude, one shot", Method::magnitude, {0.1, 0.05, 0.027, 0.016});
  other("magnitude-iterative", "magnitude, 5 rounds", Method::iterative_magnitude,
        {0.3, 0.1, 0.05, 0.027, 0.016});
  penalties("tl1", PenaltyKind::transformed_l1, {2e-5, 6e-5, 1.5e-4, 1e-5}, {0.1, 0.3, 0.5});
  penalties("hoyer", PenaltyKind::hoyer, {0.02, 0.01, 0.005, 0.04}, {0.03, 0.05, 0.1});
  penalties("group-lasso", PenaltyKind::group_lasso, {1e-3, 5e-4, 2e-4, 1e-4}, {0.1, 0.25, 0.5});
  for (double lambda : {0.1, 0.05, 0.2, 0.4})
    all.push_back({.arm = concat("l0-", short_number(lambda)),
                   .label = "L0 hard concrete",
                   .network = Network::lenet_300_100,
                   .method = Method::hard_concrete,
                   .penalty = {PenaltyKind::none, lambda},
                   .weight_decay = 0,
                   .points = {0}});
  other("random-mask", "random mask", Method::random_mask, {0.1, 0.05, 0.027, 0.016});
  other("small-dense", "small dense", Method::small_dense, {0.2, 0.1, 0.06, 0.03});
  other("lenet5-dense", "dense", Method::dense, {}, Network::lenet_5);
  penalties("lenet5-hs", PenaltyKind::hoyer_square, {1e-4, 5e-5, 2e-4, 2e-5}, {0.03, 0.06, 0.1},
            Network::lenet_5);
  penalties("lenet5-group-hs", PenaltyKind::group_hoyer_square, {0.1, 0.05, 0.02, 0.01}, {0.008, 0.1, 0.3},
            Network::lenet_5);
  return all;
}

}  // namespace

Epochs epochs_of(experiment::Scale scale, Network network) {
  switch (scale) {
    case experiment::Scale::kSmoke:
      return {2, 2, 1};
    case experiment::Scale::kScaled:
      return network == Network::lenet_5 ? Epochs{10, 40, 10} : Epochs{30, 100, 20};
    case experiment::Scale::kPaper:
      return {250, 250, 50};
  }
  fail("deephoyer: no such scale");
}

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = all_recipes();
  return all;
}

const Recipe& recipe_of(std::string_view arm) {
  for (const Recipe& recipe : recipes())
    if (recipe.arm == arm) return recipe;
  fail("deephoyer: no arm is called '", arm, "'");
}

const Recipe& dense_recipe(Network network) {
  return recipe_of(network == Network::lenet_5 ? "lenet5-dense" : "dense");
}

std::string point_label(const Recipe& recipe, double point) {
  switch (recipe.method) {
    case Method::penalty:
      return concat(point, " std");
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

experiment::ExperimentSpec experiment_spec() {
  experiment::ExperimentSpec spec;
  spec.name = "deephoyer";
  spec.description =
      "DeepHoyer (Yang, Wen, Li; ICLR 2020): networks trained under the Hoyer-Square penalty, pruned once "
      "and finetuned, "
      "against the penalties and prunings it was compared with.";
  spec.datasets = {"fashion_mnist", "mnist"};
  for (const Recipe& recipe : recipes()) spec.arms.push_back(recipe.arm);
  spec.default_arms = {"dense", "hs-2e-4", "hs-5e-5", "l1-3e-5", "magnitude", "group-hs-2e-3"};
  return spec;
}

}  // namespace tenon::deephoyer
