// What a run's finished pairs tell.
#pragma once

#include <string>
#include <vector>

#include "papers/autogrow/arms.h"

namespace tenon::autogrow {

/// One finished pair. Accuracies in percent.
struct ArmFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  Depths depths;                  ///< of the network; of the clock: what it would have
  int64_t epochs = 0;             ///< in all
  int64_t growing_epochs = 0;     ///< 0 if it did not grow
  bool limited = false;           ///< a limit ended the growth of a stage: what was found is no discovery
  double macs = 0;                ///< multiply-accumulates of the whole training
  double scratch_epoch_macs = 0;  ///< of one epoch of all training images at these depths
  double best = 0;                ///< validation, while it grew; NaN if it did not
  double validation = 0, test = 0;
  std::vector<Event> events;
  // NaN without growths.
  double zero_change = 0;  ///< largest change of a logit that any of its blocks would make under ZeroInit
  double change = 0;       ///< mean change of a logit by a block as it was initialised
  double adam_epochs = 0;
  int64_t test_images_given = 0;  ///< to training and policy

  int64_t blocks() const { return sum_of(depths); }
};

struct Facts {
  std::vector<ArmFacts> arms;
  int64_t traces_missed = 0;  ///< golden traces that the policy does not reproduce
  int64_t values_changed =
      0;  ///< by growths of every family: old parameters, buffers, momentum, and new momentum there is
  double giga_macs_per_second = 0;  ///< of training steps of a 3-3-3, one thread; 0 if not measured
  /// The pair of that arm and seed, or null.
  const ArmFacts* find(const std::string& arm, int64_t seed) const;
  /// All seeds of an arm.
  std::vector<const ArmFacts*> seeds_of(const std::string& arm) const;
};

/// Reads the finished pairs among `arms` x `seeds` of the run, and checks the growth step and the policy.
Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms, const std::vector<int64_t>& seeds);
/// Multiply-accumulates of training, in 10^9 a second of one thread: steps of a 3-3-3 on made-up images.
double measured_rate(const Plan& plan, int runs);

}  // namespace tenon::autogrow
