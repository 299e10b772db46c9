// What is measured on the networks that a run left: accuracies, sizes, times, and what happened to the ranks.
#pragma once

#include <string>
#include <vector>

#include "papers/trp/arms.h"

namespace tenon::trp {

/// Milliseconds of a forward of the same images, both networks compiled for inference (nn/compress/inference.h).
struct ForwardTimes {
  double dense_ms = 0, ms = 0;  ///< medians; 0 where not timed
  double ratio() const { return dense_ms / ms; }
};

/// One network that an arm left with one seed: a way to cut it.
struct PointFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  std::string name;  ///< "value", "2.5x", "as trp-spatial-0.02"
  // Fractions of the test images; NaN where there is no such stage.
  double dense_test = 0;                   ///< of the dense network that was cut
  double cut_test = 0;                     ///< decomposed, nothing trained since
  double estimated_test = 0;               ///< and the statistics of batch norms estimated anew
  double final_test = 0;                   ///< after finetuning
  int64_t dense_macs = 0, macs = 0;        ///< of the convolutions, for one image
  int64_t dense_weights = 0, weights = 0;  ///< of the convolutions
  Ranks ranks;                             ///< of the layers that were decomposed
  ForwardTimes batch_128, batch_1;         ///< on one thread
  ForwardTimes batch_128_all_threads;      ///< on all that the run has, if these are more than one
  double speed_up() const { return static_cast<double>(dense_macs) / static_cast<double>(macs); }
  /// What the method delivers: a TRP network as it was cut, any other one finetuned.
  double delivered_test() const;
};

/// A dense arm, or a TRP arm before its cut, with one seed.
struct DenseFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  double test = 0, validation = 0;
};

/// The cuts of one training.
struct RankFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  std::vector<NetworkCut> cuts;
  std::vector<int64_t> epochs;  ///< of each cut, from 1

  /// Pairs of a layer and a cut, and those of them at which the rank rose.
  struct Rises {
    int64_t pairs = 0, rises = 0;
    double share() const;
  };
  Rises after_first_epoch() const;
  /// Among the pairs at which Theorem 2 promises that none does: m G / |W| < sqrt(e).
  Rises under_theorem() const;
  /// Among those at which its proof does: |W - T| / |W| < sqrt(e).
  Rises under_proof() const;
  /// The largest m G / |W| after the first epoch.
  double largest_steps_ratio() const;
  int64_t largest_final_rank() const;
};

/// What a cut costs beside a step of training.
struct ShareFacts {
  LowRankScheme scheme = LowRankScheme::spatial;
  double step_ms = 0, cut_ms = 0;  ///< medians, alternating
  /// Of the time of training, with a cut every `period` steps.
  double share(int64_t period) const { return cut_ms / (cut_ms + static_cast<double>(period) * step_ms); }
};

/// Cuts of a fresh network without any step between them: how ranks fall by themselves.
struct ControlFacts {
  const Recipe* recipe = nullptr;  ///< the TRP arm whose cuts these are
  std::vector<NetworkCut> cuts;
};

/// Everything that a run's finished pairs tell.
struct Facts {
  std::vector<std::string> layers;  ///< that are cut in training, by name
  std::vector<DenseFacts> dense;
  std::vector<PointFacts> points;
  std::vector<RankFacts> ranks;
  std::vector<ShareFacts> shares;
  std::vector<ControlFacts> controls;
};

/// Reads and measures the finished pairs among `arms` x `seeds` of the run; those that are not finished are left out.
Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms, const std::vector<int64_t>& seeds);

/// Times of a step of training and of a cut of a network, alternating, with random images; medians of `runs`.
ShareFacts measured_share(Sequential& net, LowRankScheme scheme, const Shape& image, int64_t classes,
                          int64_t batch, int runs = 7);

/// For results.json.
Json facts_json(const Facts& facts);

}  // namespace tenon::trp
