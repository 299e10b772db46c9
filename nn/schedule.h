// Learning-rate schedules. A schedule is a factor of the base rate as a function of the step (an epoch or an
// update, as the caller counts), and factors are made by the functions below:
//
//   Schedule schedule(optimizer, warm_up(5, 0.1, multi_step({81, 122}, 0.1)));
//   for each epoch: train; schedule.step();
#pragma once

#include <functional>
#include <vector>

#include "nn/optim.h"

namespace tenon {

/// Factor of the base learning rate at step t = 0, 1, 2, ...
using RateFactor = std::function<double(int64_t t)>;

/// gamma^(t / period), rounded down. period >= 1.
RateFactor steps(int64_t period, double gamma);
/// gamma^(number of milestones <= t). Milestones ascend.
RateFactor multi_step(std::vector<int64_t> milestones, double gamma);
/// gamma^t
RateFactor exponential(double gamma);
/// floor + (1 - floor) (1 + cos(pi min(t, total) / total)) / 2 (Loshchilov and Hutter, "SGDR", 2017, without
/// restarts).
RateFactor cosine(int64_t total, double floor = 0);
/// Rises from `start` to 1 linearly over the first n steps, times `then` of the whole step count.
RateFactor warm_up(int64_t n, double start, RateFactor then);

/// Sets the rates of all groups of an optimiser to their base rates (those at construction) times a factor.
class Schedule {
 public:
  /// The optimiser must outlive the schedule. Sets the rates for t = 0.
  Schedule(Optimizer& optimizer, RateFactor factor);
  /// To t + 1.
  void step();
  int64_t position() const { return position_; }

  /// "position" (int64, rank 0) and "base_lr" (float64, one element a group).
  State state() const;
  /// Takes over a state and sets the rates. Throws Error if it does not fit the optimiser's groups.
  void load_state(const State& state);

 private:
  void apply();
  Optimizer& optimizer_;
  RateFactor factor_;
  std::vector<double> base_;
  int64_t position_ = 0;
};

struct PlateauOptions {
  double factor = 0.1;
  int64_t patience = 10;    ///< steps without improvement that are waited for
  double threshold = 1e-4;  ///< an improvement beats the best value by more than threshold * |best|
  bool smaller_is_better = true;
  double min_lr = 0;
};

/// Multiplies all rates by `factor` when a watched value has not improved for more than `patience` steps.
class PlateauSchedule {
 public:
  PlateauSchedule(Optimizer& optimizer, PlateauOptions options);
  /// Returns true if the rates were lowered.
  bool step(double value);

  /// "best" (float64) and "waited" (int64), rank 0. The rates themselves are in the optimiser's state.
  State state() const;
  void load_state(const State& state);

 private:
  bool improves(double value) const;
  Optimizer& optimizer_;
  PlateauOptions options_;
  double best_;
  int64_t waited_ = 0;
};

}  // namespace tenon
