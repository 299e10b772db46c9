// One run of the method: train N, fit the predictor, ask it about the rest, train the K best.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "papers/neural_predictor/problem.h"

namespace tenon::neural_predictor {

/// What one run of any search gave.
struct Trial {
  std::vector<double> picks;  ///< Ledger::picks
  std::map<std::string, double>
      metrics;  ///< of a predictor: "mse", "mse-80", "mse-91", "tau", "precision", ...
  /// Some candidates' test accuracies and predictions, the highest predictions among them.
  std::vector<std::pair<double, double>> scatter;
};

/// A run of a baseline. Runs of the same seed and number see the same noise, whatever the method.
Trial run_baseline(const Problem& problem, const Recipe& recipe, const Amounts& amounts, int64_t seed,
                   int64_t run);

/// A repetition of a predictor. Those of the same seed, number and N train the same N members.
Trial run_predictor(const Problem& problem, const Recipe& recipe, const Amounts& amounts, Layout layout,
                    Device device, int64_t seed, int64_t repetition);

}  // namespace tenon::neural_predictor
