// Trained rank pruning: while a network trains in dense form, the weights of its convolutions are cut to low rank every
// m steps, in the parameter itself, and may be pulled there by the sub-gradient of their nuclear norm. Y. Xu et al.,
// "Trained Rank Pruning for Efficient Deep Neural Networks", NeurIPS-EMC2 2019, and "TRP", IJCAI 2020.
//
// Step t:  if t mod m = 0:  W = U diag(s) V^T,  W <- U_k diag(s_k) V_k^T  with the least k that drops at most the share e
//                           of sum s^2;  S <- U_k V_k^T
//          forward and backward at W, as at any weight: nothing is differentiated through the decomposition
//          gradient += lambda S;  a step of the optimiser, which leaves the manifold of low rank again
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "nn/compress/low_rank.h"

namespace tenon::trp {

/// On which steps lambda S joins the gradient, and how old S is. The pull of `tsvd` is m times weaker at equal lambda.
enum class NuclearSteps {
  tsvd,  ///< on the steps that cut, with the triples that stay (the authors' later code)
  every,  ///< on all steps, from a decomposition of the weight at each one, with all its triples (their first code)
  cached,  ///< on all steps, with S of the last cut
};

struct TruncationOptions {
  LowRankScheme scheme = LowRankScheme::spatial;
  double energy = 0;  ///< e, the share of sum s^2 that a cut may drop; 0 cuts nothing, and S is of full rank
  int64_t period = 20;  ///< m
  double lambda = 0;    ///< of the nuclear norm; 0: none
  NuclearSteps nuclear_steps = NuclearSteps::cached;
};

/// What one cut found in one layer.
struct LayerCut {
  int64_t rank = 0;
  /// m G / |W| with G the longest update since the last cut and W the weight before this one. Theorem 2 (IJCAI): where it
  /// is below sqrt(e), the rank has not grown. NaN at the first cut.
  double steps_ratio = 0;
  /// |W - T| / |W| with T the weight that the last cut left: what the proof needs, and never above the former.
  double moved_ratio = 0;
};

/// One cut of all layers.
struct NetworkCut {
  int64_t step = 0;
  std::vector<LayerCut> layers;
  std::vector<double> energies;  ///< of the last layer, before the cut: s_i^2 / sum s^2, the first 64
};

/// The method, as hooks around a training step (papers/experiment/training.h). All run without recording.
class RankTruncation {
 public:
  /// Cuts `convs`, which outlive this. Throws Error unless 0 <= energy < 1, period >= 1, lambda >= 0.
  RankTruncation(std::vector<NamedConv> convs, const TruncationOptions& options);

  /// Before the forward: cuts if it is time to. Throws Error as svd does; a cut that fails is never skipped.
  void begin_step(int64_t step);
  /// Adds lambda S to the gradients.
  void after_backward(int64_t step);
  /// Measures how far the step went.
  void after_step(int64_t step);

  /// The cuts since the last call.
  std::vector<NetworkCut> take_cuts();
  /// What the next steps depend on.
  State state() const;
  void load_state(const State& state);

 private:
  struct Layer {
    int64_t rank = 0;  // of the last cut; 0 before the first
    Tensor cut;        // the weight that it left
    Tensor direction;  // S
  };
  bool is_cut(int64_t step) const { return step % options_.period == 0; }
  void cut(int64_t step);
  /// All but the ranks, before a cut.
  std::vector<LayerCut> measured() const;
  std::vector<Tensor> weights() const;
  const Tensor& weight(size_t i) const { return convs_[i].conv->weight.value(); }

  std::vector<NamedConv> convs_;
  TruncationOptions options_;
  std::vector<Layer> layers_;   // one for each of convs_
  std::vector<Tensor> before_;  // their weights before the step that runs
  Tensor largest_updates_;      // since the last cut, as abs_sum_sq_sum gives it: float64 [layers, 2]
  std::vector<NetworkCut> cuts_;
};

/// U V^T as the weight of the convolution whose matrix was decomposed: the sub-gradient of the sum of s.
Tensor nuclear_direction(LowRankScheme scheme, const Svd& kept, const Shape& weight);

/// As members of a line of the log, and back.
Json cuts_json(const std::vector<NetworkCut>& cuts);
std::vector<NetworkCut> cuts_of(const Json& json);

}  // namespace tenon::trp
