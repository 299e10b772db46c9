// What a run's finished pairs tell.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "papers/joint_pruning/arms.h"

namespace tenon::joint_pruning {

/// Fractions of images that are classified rightly; NaN where there is no such stage.
struct Accuracy {
  double validation, test;
};

/// One finished pair.
struct ArmFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  Accuracy stage_a, switched, final;  ///< after the weight rounds, with the masks on, and at the end
  std::vector<double> rates;          ///< of the masks; empty if it has none
  NetCount count;
  std::vector<Curve> sensitivity;      ///< of WP after stage A: one curve a mask, on validation images
  std::vector<double> chosen_rates;    ///< what they lead to
  std::map<std::string, Curve> rules;  ///< of WP after stage A: all masks at one rate, by rule
  Curve sampled;                       ///< of JP: accuracy over the part that thresholds are estimated from

  double test() const { return 100 * final.test; }
  /// Mean density of the hidden activations, each output counting once.
  double hidden_density() const;
};

struct Facts {
  std::vector<ArmFacts> arms;
  /// The pair of that arm and seed, or null.
  const ArmFacts* find(const std::string& arm, int64_t seed) const;
  /// All seeds of an arm.
  std::vector<const ArmFacts*> seeds_of(const std::string& arm) const;
  /// The dense pair that a pair started from, or null.
  const ArmFacts* dense_of(const ArmFacts& facts) const;
  const ArmFacts* weights_of(const ArmFacts& facts) const;
};

/// Reads the finished pairs among `arms` x `seeds` of the run.
Facts gather_facts(experiment::RunFolder& folder, const std::vector<std::string>& arms,
                   const std::vector<int64_t>& seeds);

/// Accuracy at a rate of the curve, in percent; NaN if it is not there.
double at_rate(const Curve& curve, double rate);

}  // namespace tenon::joint_pruning
