#include "papers/neural_predictor/recipes.h"

#include "papers/experiment/recipes.h"

namespace tenon::neural_predictor {
namespace {

std::vector<Recipe> all_recipes() {
  std::vector<Recipe> all;
  const auto both_signals = [&](Recipe recipe) {
    all.push_back(recipe);
    recipe.arm += "-noisy";
    recipe.signal = Signal::simulated;
    all.push_back(recipe);
  };
  both_signals({.arm = "random", .label = "random search, by rejection", .method = Method::rejection});
  both_signals({.arm = "random-uniform", .label = "random search, uniform", .method = Method::uniform});
  both_signals({.arm = "evolution", .label = "evolution, P = 100", .method = Method::evolution});
  all.push_back({.arm = "evolution-50-noisy",
                 .label = "evolution, P = 50",
                 .method = Method::evolution,
                 .signal = Signal::simulated,
                 .evolution = {.population = 50}});
  all.push_back(
      {.arm = "oracle-noisy", .label = "oracle", .method = Method::oracle, .signal = Signal::simulated});
  both_signals({.arm = "one-stage", .label = "predictor, one stage"});
  both_signals({.arm = "two-stage", .label = "predictor, two stages", .method = Method::cascade});

  const auto macro = [&](const char* arm, const char* label, Method method, int64_t samples, int64_t layers) {
    all.push_back({.arm = arm,
                   .label = label,
                   .benchmark = Benchmark::macro,
                   .method = method,
                   .evolution = {.population = 50},
                   .samples = samples,
                   .layers = layers});
  };
  macro("macro-random", "random search, uniform", Method::uniform, 0, 0);
  macro("macro-evolution", "evolution, P = 50", Method::evolution, 0, 0);
  macro("macro-3-layers", "predictor, L = 3", Method::predictor, 43, 3);
  macro("macro-9-layers", "predictor, L = 9", Method::predictor, 43, 9);
  macro("macro-172", "predictor, L = 9", Method::predictor, 172, 9);

  const auto nasbench201 = [&](const char* arm, const char* label, Method method, int64_t samples) {
    all.push_back({.arm = arm,
                   .label = label,
                   .benchmark = Benchmark::nasbench201,
                   .method = method,
                   .evolution = {.population = 50},
                   .samples = samples,
                   .layers = 5});  // the longest path has five hops
  };
  nasbench201("nb201-random", "random search, uniform", Method::uniform, 0);
  nasbench201("nb201-evolution", "evolution, P = 50", Method::evolution, 0);
  nasbench201("nb201-86", "predictor", Method::predictor, 86);
  nasbench201("nb201-172", "predictor", Method::predictor, 172);

  for (int64_t samples : {43, 86, 344})
    both_signals({.arm = concat("one-stage-", samples), .label = "predictor, one stage", .samples = samples});
  all.push_back(
      {.arm = "undirected", .label = "predictor, edges without direction", .edges = Edges::undirected});
  all.push_back({.arm = "one-layer", .label = "predictor, L = 1", .layers = 1});
  all.push_back({.arm = "mlp", .label = "MLP instead of the graph network", .network = Network::mlp});
  all.push_back({.arm = "cnn", .label = "CNN instead of the graph network", .network = Network::cnn});
  return all;
}

// Arms that vary one thing, and run when they are asked for.
bool is_variation(const Recipe& recipe) {
  constexpr int64_t kSamples = 172;
  return recipe.benchmark == Benchmark::nasbench101 && uses_predictor(recipe.method) &&
         (recipe.samples != kSamples || recipe.edges != Edges::directed || recipe.network != Network::graph ||
          recipe.layers != 3);
}

}  // namespace

int64_t width_for(int64_t samples) {
  struct Width {
    int64_t samples, width;
  };
  constexpr Width kPublished[] = {{43, 48}, {86, 72}, {129, 96}, {172, 144}, {344, 210}, {860, 320}};
  int64_t width = kPublished[0].width;
  for (const Width& known : kPublished)
    if (samples >= known.samples) width = known.width;
  return width;
}

Amounts amounts_of(experiment::Scale scale) {
  switch (scale) {
    case experiment::Scale::kSmoke:
      return {.runs = 10,
              .trainings = 1000,
              .repetitions = 2,
              .candidates = 20000,
              .most_trained = 500,
              .epochs = 20,
              .oracles = 1};
    case experiment::Scale::kScaled:
      return {};
    case experiment::Scale::kPaper:
      return {.runs = 600, .repetitions = 600, .oracles = 100};
  }
  fail("neural_predictor: no such scale");
}

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = all_recipes();
  return all;
}

const Recipe& recipe_of(std::string_view arm) { return experiment::recipe_called(recipes(), arm); }

experiment::ExperimentSpec experiment_spec() {
  experiment::ExperimentSpec spec;
  spec.name = "neural_predictor";
  spec.description =
      "Neural Predictor for Neural Architecture Search (Wen et al., 2020): a graph network learns the "
      "accuracy of "
      "architectures from a few that were trained, and says which to train next. On the published tables of "
      "NAS-Bench-101, NAS-Bench-Macro and NAS-Bench-201.";
  spec.datasets = {"nasbench"};
  spec.arms = experiment::arms_of(recipes());
  for (const Recipe& recipe : recipes()) {
    // The table of validation accuracies of NAS-Bench-201 is not fetched by `make data`.
    if (recipe.benchmark != Benchmark::nasbench201 && !is_variation(recipe))
      spec.default_arms.push_back(recipe.arm);
  }
  return spec;
}

}  // namespace tenon::neural_predictor
