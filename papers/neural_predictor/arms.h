// Arms: trials one after another, kept as they come, and what they come to.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "papers/experiment/run_folder.h"
#include "papers/neural_predictor/trial.h"

namespace tenon::neural_predictor {

/// What all arms of a run share.
struct Plan {
  const Problems* problems;
  experiment::RunFolder* folder;
  experiment::Scale scale;
  std::ostream* out;  ///< progress
  Layout layout = Layout::dense;
  Device device = Device::cpu();
};

/// What an arm gave under one seed. Accuracies in percent.
struct ArmFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  int64_t runs = 0;
  /// The pick's test accuracy after so many trainings, mean and standard deviation over the runs.
  std::vector<int64_t> trained;
  std::vector<double> mean, deviation;
  /// For each target of the problem, the trainings that each run took to reach it; infinite if it did not.
  std::vector<std::vector<double>> first;
  std::map<std::string, std::vector<double>> metrics;  ///< of each run
  std::vector<std::pair<double, double>> scatter;      ///< of the first run

  /// NaN where nothing was recorded.
  double mean_at(int64_t n) const;
  double deviation_at(int64_t n) const;
  /// The fewest recorded trainings at which the mean reaches an accuracy; infinite if it does not.
  double trainings_for(double accuracy) const;
  double metric(const std::string& name) const;  ///< the mean over the runs; NaN if there is none
};

/// The numbers of trainings at which curves are recorded, up to 10,000.
const std::vector<int64_t>& recorded_trainings();

/// Runs the trials of an arm that are not done yet, and finishes it. Baselines run all at once, on all threads;
/// repetitions of a predictor are logged one by one, and a killed arm goes on behind the last one. Throws
/// experiment::Interrupted.
void run_arm(const Plan& plan, const Recipe& recipe, int64_t seed);

ArmFacts facts_of(const Recipe& recipe, int64_t seed, const Json& result);

}  // namespace tenon::neural_predictor
