// What is run: every arm of the experiments, and how much of it at each scale.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "papers/experiment/options.h"
#include "papers/neural_predictor/fit.h"
#include "papers/neural_predictor/flat.h"
#include "papers/neural_predictor/search.h"

namespace tenon::neural_predictor {

enum class Benchmark { nasbench101, macro, nasbench201 };

enum class Method {
  rejection,  ///< random search, drawn as the space draws
  uniform,    ///< random search, uniform over the members
  evolution,
  oracle,     ///< trains every member
  predictor,  ///< one network
  cascade,    ///< a classifier of > 91 %, and a network that ranks what it passes
};
constexpr bool uses_predictor(Method method) {
  return method == Method::predictor || method == Method::cascade;
}

struct Recipe {
  std::string arm;    ///< on the command line and in the run's folder
  std::string label;  ///< in tables
  Benchmark benchmark = Benchmark::nasbench101;
  Method method = Method::predictor;
  Signal signal = Signal::exact;
  EvolutionOptions evolution = {};
  int64_t samples = 172;  ///< N
  int64_t layers = 3;     ///< L
  Edges edges = Edges::directed;
  Network network = Network::graph;
};

/// Accuracies above this are what the cascade's second network is for, %.
constexpr double kGood = 91;

/// D for so many samples, and what is published with it.
int64_t width_for(int64_t samples);

/// How much is done.
struct Amounts {
  int64_t runs = 600;           ///< of a baseline, as in the paper
  int64_t trainings = 10000;    ///< that a baseline pays for
  int64_t repetitions = 10;     ///< of a predictor
  int64_t candidates = 0;       ///< that a predictor is asked about; 0: all that it was not trained on
  int64_t most_trained = 2000;  ///< N + K, at the end of a predictor's curve
  int64_t epochs = 300;
  int64_t oracles = 20;  ///< runs of the oracle
};
Amounts amounts_of(experiment::Scale scale);

/// All arms in the order in which they run.
const std::vector<Recipe>& recipes();
/// Throws Error if there is none of that name.
const Recipe& recipe_of(std::string_view arm);

experiment::ExperimentSpec experiment_spec();

}  // namespace tenon::neural_predictor
