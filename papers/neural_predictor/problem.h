// The spaces that are searched, with what is known of their members.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "papers/neural_predictor/recipes.h"

namespace tenon::neural_predictor {

/// One space, ready for every method.
struct Problem {
  std::string name, description;
  LabelledGraphs graphs;
  std::unique_ptr<const CellSpace> cells;  ///< of NAS-Bench-101
  std::unique_ptr<const SearchSpace> space;
  std::vector<double> validation, test;  ///< %; the exact signal, and what is reported
  /// Accuracies whose first pick is noted: 94.22 % and the second best of NAS-Bench-101.
  std::vector<double> targets;
  int64_t wrong_parameters =
      0;  ///< of NAS-Bench-101: cells whose computed parameters differ from the table's

  Accuracies accuracies(Signal signal) const { return {validation, test, signal}; }
  /// The test accuracy of the member with the best exact validation accuracy, and the best test accuracy of all.
  double oracle() const;
  double best() const;
};

/// Reads the tables, and for NAS-Bench-101 enumerates its cells. Throws Error as the readers do.
Problem load_problem(Benchmark benchmark);

/// Those that the arms need.
using Problems = std::map<Benchmark, Problem>;
Problems load_problems(const std::vector<std::string>& arms);

}  // namespace tenon::neural_predictor
