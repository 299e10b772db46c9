// What is trained: every arm of the experiments, and the schedule that all of them share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "papers/experiment/options.h"
#include "papers/trp/truncation.h"

namespace tenon::trp {

/// The two publications. `workshop` (NeurIPS-EMC2 2019): TRP and TRP+Nu under three schemes. `ijcai` (2020): four arms
/// under two schemes, the theorem on ranks, and the baselines.
enum class Row { workshop, ijcai };

enum class Method {
  dense,         ///< trained in dense form without cuts: the baseline, or with lambda ("Nu")
  trp,           ///< trained with cuts, with lambda or without; decomposed, and never finetuned
  basic,         ///< a dense arm decomposed afterwards, without finetuning and with
  data_driven,   ///< likewise along the principal components of the responses (Zhang et al., 2016)
  filters,       ///< a dense arm without the filters of least L1 norm (Li et al., 2016)
  random_ranks,  ///< a dense arm decomposed at the ranks of a TRP arm, dealt to other layers
  scratch,       ///< the decomposed network of a TRP arm, trained from random weights
};

/// One arm.
struct Recipe {
  std::string arm;    ///< "trp-nu-spatial-0.02"
  std::string label;  ///< in tables and charts: "TRP+Nu"
  Method method = Method::dense;
  LowRankScheme scheme = LowRankScheme::spatial;
  double energy = 0;  ///< trp: e
  double lambda = 0;  ///< dense, trp
  /// The arm whose network is cut (basic, data_driven, filters, random_ranks); else empty.
  std::string start;
  /// The TRP arm whose multiply-accumulates (basic) or ranks (random_ranks, scratch) are taken over; else empty.
  std::string like;
  /// The speed-ups at which a network without `like` is cut.
  std::vector<double> speed_ups;
};

/// All arms of a row in the order in which they run: an arm comes after those that it starts from or is like.
const std::vector<Recipe>& recipes(Row row);
/// Throws Error if there is none of that name.
const Recipe& recipe_of(Row row, std::string_view arm);
/// `arms` with those that they start from or are like, in the order of the row.
std::vector<std::string> with_needed(Row row, const std::vector<std::string>& arms);

/// The training that all arms of a run share: stochastic gradient descent with momentum.
struct Schedule {
  int64_t epochs = 0, finetune_epochs = 0;
  int64_t batch = 0;
  double lr = 0.1, finetune_lr = 0.001, momentum = 0.9, weight_decay = 1e-4;
  std::vector<int64_t> milestones;  ///< epochs from which on the rate is a tenth
  int64_t period = 20;              ///< m
};
Schedule schedule_of(experiment::Scale scale);
/// The same for another number of epochs, with the milestones where they were in proportion.
Schedule with_epochs(Schedule schedule, int64_t epochs);

/// What the command line knows of the arms of a row.
experiment::ExperimentSpec experiment_spec(Row row);

}  // namespace tenon::trp
