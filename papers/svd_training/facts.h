// What is measured on the networks that a run left: accuracies, ranks, sizes, orthogonality, errors and times.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "papers/svd_training/arms.h"

namespace tenon::svd_training {

/// Fractions of images that are classified rightly; NaN where there is no such stage.
struct Accuracy {
  double validation = 0, test = 0;
};

/// A forward of one batch of the dense network and of the pruned one, both in their inference form, one thread, medians of
/// alternating runs.
struct WallFacts {
  double dense_ms = 0, ms = 0;
  double ratio() const { return dense_ms / ms; }
};

/// One network: a point of an arm with one seed.
struct PointFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  double point = 0;
  Accuracy stage1, stage2, raw, estimated, final;
  std::vector<int64_t> ranks;  ///< layer by layer; empty for networks without factors
  int64_t rank = 0, full_rank = 0;
  int64_t parameters = 0, dense_parameters = 0;
  int64_t macs = 0, dense_macs = 0;  ///< of the convolutions, each in its cheaper way
  double fold_error = 0;             ///< of the logits of the folded network, relative
  WallFacts batch_1, batch_32, batch_128;
  double speed_up() const { return static_cast<double>(dense_macs) / static_cast<double>(macs); }
};

/// What is left at one pruned energy, without finetuning.
struct CurvePoint {
  double e = 0, energy_lost = 0;
  int64_t rank = 0, macs = 0;
  Accuracy raw, estimated;
};

/// An arm with one seed, before anything is pruned.
struct ArmFacts {
  const Recipe* recipe = nullptr;
  int64_t seed = 0;
  Accuracy stage1, before;
  int64_t dense_macs = 0, full_rank = 0, rank_99 = 0;
  // Of factored networks.
  double orthogonality = 0;      ///< sum of L_o over all factors
  double orthogonality_rms = 0;  ///< mean of |A^T A - I|_F / sqrt(r)
  double spectrum_error =
      0;  ///< largest difference of sorted |s| and the singular values, over the largest of these
  double zero_error = 0;      ///< of the logits between columns zeroed and columns removed, e = 0.1, relative
  double gradient_ratio = 0;  ///< largest over least layer, of the largest |dL/du| over all steps
  int64_t svd_calls = 0;      ///< inside epochs
  std::vector<CurvePoint> curve;
};

/// Costs of a training step on random images, one thread, medians of alternating runs.
struct StepFacts {
  LowRankScheme scheme = LowRankScheme::channel;
  double dense_ms = 0, recomposed_ms = 0, pair_ms = 0, cheaper_ms = 0;
  double penalty_ms = 0;  ///< of both penalties
  double algebra_ms = 0;  ///< of building M from the factors and of the factors' gradients from M's
};

/// A network that was factored by SVD and not trained.
struct ExactFacts {
  LowRankScheme scheme = LowRankScheme::channel;
  double error = 0;  ///< of the logits against the dense network, relative
};

/// Everything that a run's finished pairs tell.
struct Facts {
  std::vector<ArmFacts> arms;
  std::vector<PointFacts> points;
  std::vector<StepFacts> steps;
  std::vector<ExactFacts> exact;
};

/// Reads the finished pairs among `arms` x `seeds` of the run; those that are not finished are left out. Networks are timed
/// if `timed`.
Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms, const std::vector<int64_t>& seeds,
                   bool timed);

/// Times steps of a fresh network of the task.
StepFacts step_facts(const Plan& plan, LowRankScheme scheme, int64_t batch);

/// For results.json: everything but the networks.
Json facts_json(const Facts& facts);

}  // namespace tenon::svd_training
