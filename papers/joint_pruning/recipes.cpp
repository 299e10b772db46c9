#include "papers/joint_pruning/recipes.h"

#include <cmath>

#include "papers/experiment/recipes.h"

namespace tenon::joint_pruning {
namespace {

std::vector<Recipe> all_recipes() {
  const std::vector<double> mlp = {0.1, 0.1, 0.2}, harder = {0.08, 0.08, 0.16};
  const std::vector<double> wide = {0.3, 0.4}, narrow = {0.12, 0.24}, narrower = {0.06, 0.15};
  std::vector<Recipe> all;
  auto add = [&](const char* arm, const char* label, Network network, Method method,
                 const std::vector<double>& densities, const std::vector<double>& rates) -> Recipe& {
    Recipe recipe;
    recipe.arm = arm, recipe.label = label, recipe.network = network, recipe.method = method;
    recipe.densities = densities, recipe.rates = rates;
    all.push_back(std::move(recipe));
    return all.back();
  };
  const Network relu = Network::mlp3, leaky = Network::mlp3_leaky;
  add("dense", "dense", relu, Method::dense, {}, {});
  add("wp", "WP", relu, Method::weights, mlp, {});
  add("jp-30-40", "JP 30/40", relu, Method::joint, {}, wide);
  add("jp-12-24", "JP 12/24", relu, Method::joint, {}, narrow);
  add("jp-6-15", "JP 6/15", relu, Method::joint, harder, narrower);
  add("jp-auto", "JP by sensitivity", relu, Method::joint, {}, {});
  add("jp-12-24-adam", "JP 12/24, Adam", relu, Method::joint, {}, narrow).solver = Solver::adam;
  add("ap-12-24", "activations only 12/24", relu, Method::activations, {}, narrow);
  add("reversed-12-24", "activations first 12/24", relu, Method::reversed, mlp, narrow);
  add("random-12-24", "random winners 12/24", relu, Method::joint, {}, narrow).rule = MaskRule::random;
  add("batch-12-24", "batch-wide winners 12/24", relu, Method::joint, {}, narrow).rule =
      MaskRule::batch_winners;
  add("static-12-24", "static thresholds 12/24", relu, Method::joint, {}, narrow).rule = MaskRule::threshold;
  add("l1a-12-24", "L1 on activations 12/24", relu, Method::l1, {}, narrow).activation_penalty = 1e-4;
  Recipe& together = add("v2-12-24", "simultaneous (ours) 12/24", relu, Method::simultaneous, mlp, narrow);
  together.weight_penalty = 1e-6, together.activation_penalty = 1e-5;
  add("leaky-dense", "dense", leaky, Method::dense, {}, {});
  add("leaky-wp", "WP", leaky, Method::weights, mlp, {});
  add("leaky-jp-30-40", "JP 30/40", leaky, Method::joint, {}, wide);
  add("leaky-jp-12-24", "JP 12/24", leaky, Method::joint, {}, narrow);
  add("leaky-random-12-24", "random winners 12/24", leaky, Method::joint, {}, narrow).rule = MaskRule::random;
  add("leaky-static-12-24", "static thresholds 12/24", leaky, Method::joint, {}, narrow).rule =
      MaskRule::threshold;
  const Network convnet = Network::convnet5, resnet = Network::resnet32;
  add("convnet-dense", "dense", convnet, Method::dense, {}, {});
  add("convnet-wp", "WP", convnet, Method::weights, {0.7, 0.5, 0.4, 0.3, 0.5}, {});
  // The published densities: with a ReLU not all winners of a sample need be there, so what is measured is a little lower.
  add("convnet-jp", "JP", convnet, Method::joint, {}, {0.506, 0.173, 0.099, 0.448});
  // A unit's 20 masks share a rate; the first mask is that of the first convolution.
  std::vector<double> unit_weights(21, 0.4), unit_rates(21, 0.4);
  unit_weights.insert(unit_weights.end(), 10, 0.3), unit_rates.insert(unit_rates.end(), 10, 0.3);
  unit_weights.push_back(1);
  add("resnet-dense", "dense", resnet, Method::dense, {}, {}).solver = Solver::sgd;
  add("resnet-wp", "WP", resnet, Method::weights, unit_weights, {}).solver = Solver::sgd;
  add("resnet-jp", "JP", resnet, Method::joint, {}, unit_rates).solver = Solver::sgd;
  return all;
}

const Recipe& first_of(Network network, Method method) {
  for (const Recipe& recipe : recipes())
    if (recipe.network == network && recipe.method == method) return recipe;
  fail("joint_pruning: no such arm of ", name_of(network));
}

}  // namespace

Epochs epochs_of(experiment::Scale scale, Network network) {
  if (scale == experiment::Scale::kSmoke) return {2, {1, 1, 1}, 2};
  const bool paper = scale == experiment::Scale::kPaper;
  switch (network) {
    case Network::mlp3:
    case Network::mlp3_leaky:
      return paper ? Epochs{60, {5, 5, 10}, 150} : Epochs{30, {3, 3, 6}, 15};
    case Network::convnet5:
      return paper ? Epochs{100, {10, 10, 10}, 40} : Epochs{12, {1, 1, 1}, 4};
    case Network::alexnet:
    case Network::resnet32:
      return paper ? Epochs{200, {10, 10, 20}, 40} : Epochs{10, {1, 1, 1}, 3};
  }
  fail("joint_pruning: no such network");
}

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = all_recipes();
  return all;
}

const Recipe& recipe_of(std::string_view arm) { return experiment::recipe_called(recipes(), arm); }

const Recipe& dense_recipe(Network network) { return first_of(network, Method::dense); }
const Recipe& weights_recipe(Network network) { return first_of(network, Method::weights); }

std::vector<std::string> needs(const Recipe& recipe) {
  const std::string dense = dense_recipe(recipe.network).arm;
  switch (recipe.method) {
    case Method::dense:
      return {};
    case Method::weights:
    case Method::activations:
    case Method::reversed:
    case Method::simultaneous:
      return {dense};
    case Method::joint:
    case Method::l1:
      return {dense, weights_recipe(recipe.network).arm};
  }
  fail("joint_pruning: no such method");
}

std::vector<double> densities_of_round(const std::vector<double>& final, int round) {
  std::vector<double> densities;
  for (double density : final) densities.push_back(std::pow(density, (round + 1.0) / kRounds));
  return densities;
}

experiment::ExperimentSpec experiment_spec() {
  experiment::ExperimentSpec spec;
  spec.name = "joint_pruning";
  spec.description =
      "Joint Pruning on Activations and Weights (Yang, Wen, Wang, Li; 2019): weights are cut for good, "
      "activations by a "
      "mask that each input makes anew. MLP-3 on MNIST's like, ConvNet-5 and ResNet-32 on CIFAR-10. Arms "
      "that do not "
      "belong to the data set are left out.";
  spec.datasets = {"fashion_mnist", "mnist", "cifar10"};
  spec.arms = experiment::arms_of(recipes());
  spec.default_arms = {"dense",       "wp",        "jp-30-40",       "jp-12-24",       "jp-6-15",
                       "leaky-dense", "leaky-wp",  "leaky-jp-30-40", "leaky-jp-12-24", "convnet-dense",
                       "convnet-wp",  "convnet-jp"};
  return spec;
}

}  // namespace tenon::joint_pruning
