#include "papers/svd_training/judgement.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tenon::svd_training {
namespace {

using experiment::Claim;
using experiment::Condition;
using experiment::Relation;
using Measured = std::map<int64_t, double>;

constexpr int kSeeds = 3;             // that claims on what training leaves are the means of
constexpr double kLossAllowed = 1.0;  // points that a sparsifier may cost before pruning
constexpr LowRankScheme kSchemes[] = {LowRankScheme::channel, LowRankScheme::spatial};
constexpr Sparsifier kBoth[] = {Sparsifier::hoyer, Sparsifier::l1};

bool trains_factors(const Recipe& r) { return r.method == Method::sparsified && !r.retracted; }

// Keeps the largest (least) figure of a seed.
void keep_largest(Measured& measured, int64_t seed, double figure) {
  double& kept = measured.emplace(seed, figure).first->second;
  kept = std::max(kept, figure);
}
void keep_least(Measured& measured, int64_t seed, double figure) {
  double& kept = measured.emplace(seed, figure).first->second;
  kept = std::min(kept, figure);
}

class Judge {
 public:
  Judge(const Facts& facts, const experiment::Options& options) : facts_(facts), options_(options) {}

  std::vector<Claim> all(bool convolutional) {
    exactness();
    orthogonality();
    cost();
    if (convolutional) {
      helps();
      dense_form();
      sparsifiers();
      nearly_free();
      pareto();
      finetuning();
      against_others();
      gradients();
      wall_clock();
    }
    return std::move(claims_);
  }

 private:
  Claim& add(std::string id, std::string statement, int seeds, std::string published = {}) {
    Claim claim;
    claim.id = std::move(id);
    claim.statement = std::move(statement);
    claim.published = std::move(published);
    claim.required_seeds = seeds;
    if (seeds > 1) needs_training(claim);
    claims_.push_back(std::move(claim));
    return claims_.back();
  }
  void needs_training(Claim& claim) const {
    if (options_.scale == experiment::Scale::kSmoke)
      claim.not_comparable = "smoke scale trains on a few hundred images for one epoch";
  }

  std::vector<int64_t> seeds() const { return options_.seed_list(); }

  const ArmFacts* arm(int64_t seed, const std::function<bool(const Recipe&)>& choice) const {
    for (const ArmFacts& f : facts_.arms)
      if (f.seed == seed && choice(*f.recipe)) return &f;
    return nullptr;
  }
  const ArmFacts* arm_of(int64_t seed, LowRankScheme scheme, Sparsifier sparsifier, double lambda_o) const {
    return arm(seed, [=](const Recipe& r) {
      return trains_factors(r) && r.scheme == scheme && r.sparsifier == sparsifier && r.lambda_o == lambda_o;
    });
  }
  // The strength of least rank among those that lost at most a point on validation images; else the one that lost least.
  const ArmFacts* best_of(int64_t seed, LowRankScheme scheme, Sparsifier sparsifier) const {
    const ArmFacts* none = arm_of(seed, scheme, Sparsifier::none, 1);
    const ArmFacts* chosen = nullptr;
    if (none == nullptr) return nullptr;
    auto loss = [&](const ArmFacts& f) { return 100 * (none->before.validation - f.before.validation); };
    for (const ArmFacts& f : facts_.arms) {
      const Recipe& r = *f.recipe;
      if (f.seed != seed || !trains_factors(r) || r.scheme != scheme || r.sparsifier != sparsifier ||
          r.lambda_o == 0)
        continue;
      if (chosen == nullptr) {
        chosen = &f;
        continue;
      }
      const bool fits = loss(f) <= kLossAllowed, chosen_fits = loss(*chosen) <= kLossAllowed;
      if (fits != chosen_fits ? fits : fits ? f.rank_99 < chosen->rank_99 : loss(f) < loss(*chosen))
        chosen = &f;
    }
    return chosen;
  }

  TradeOff finetuned(int64_t seed, const std::function<bool(const Recipe&)>& choice) const {
    std::vector<TradeOff::Point> points;
    for (const PointFacts& f : facts_.points)
      if (f.seed == seed && choice(*f.recipe)) points.push_back({f.speed_up(), 100 * f.final.test});
    return TradeOff(std::move(points));
  }
  static std::function<bool(const Recipe&)> trained_with(LowRankScheme scheme,
                                                         const std::vector<Sparsifier>& sparsifiers) {
    return [=](const Recipe& r) {
      return trains_factors(r) && r.scheme == scheme && r.lambda_o > 0 &&
             std::find(sparsifiers.begin(), sparsifiers.end(), r.sparsifier) != sparsifiers.end();
    };
  }

  void exactness() {
    Claim& start = add("1a", "A network factored by SVD computes what the dense one does", 1);
    for (const ExactFacts& f : facts_.exact)
      start.conditions.push_back({concat("largest difference of logits, ", name_of(f.scheme)),
                                  Relation::kAtMost,
                                  1e-4,
                                  "",
                                  8,
                                  {{options_.seed, f.error}}});
    Claim& pruned =
        add("1b", "Zeroed s, removed columns and the folded pair of thin layers are one function", 1);
    Condition zeroed{"zeroed against removed", Relation::kAtMost, 1e-5, "", 8, {}};
    Condition folded{"folded against trained", Relation::kAtMost, 1e-5, "", 8, {}};
    for (const ArmFacts& f : facts_.arms)
      if (trains_factors(*f.recipe)) keep_largest(zeroed.measured, f.seed, f.zero_error);
    for (const PointFacts& f : facts_.points) keep_largest(folded.measured, f.seed, f.fold_error);
    pruned.conditions = {zeroed, folded};
  }

  void orthogonality() {
    Claim& claim = add("2a", "The penalty keeps u and v near orthonormal columns", kSeeds);
    Condition rms{"|A^T A − I|_F / √r, mean, worst arm", Relation::kAtMost, 0.3, "", 3, {}};
    Condition ratio{"ΣL_o without / with the penalty", Relation::kAtLeast, 6, "×", 1, {}};
    Condition sigma{"||s| − σ| / σ₁, worst layer and arm", Relation::kAtMost, 0.15, "", 3, {}};
    Condition least{"least energy lost / e", Relation::kAtLeast, 0.5, "", 2, {}};
    Condition most{"most energy lost / e", Relation::kAtMost, 2, "", 2, {}};
    for (const ArmFacts& f : facts_.arms) {
      if (!trains_factors(*f.recipe)) continue;
      if (f.recipe->lambda_o == 0) {
        const ArmFacts* with = arm_of(f.seed, f.recipe->scheme, f.recipe->sparsifier, 1);
        if (with != nullptr) keep_least(ratio.measured, f.seed, f.orthogonality / with->orthogonality);
        continue;
      }
      keep_largest(rms.measured, f.seed, f.orthogonality_rms);
      keep_largest(sigma.measured, f.seed, f.spectrum_error);
      for (const CurvePoint& at : f.curve) {
        if (at.e < 0.01 || at.e > 0.2) continue;
        keep_least(least.measured, f.seed, at.energy_lost / at.e);
        keep_largest(most.measured, f.seed, at.energy_lost / at.e);
      }
    }
    claim.conditions = {rms, ratio};
    if (ratio.measured.empty()) claim.missing_arms = {"an arm without the penalty"};
    add("2b", "Sorted |s| is the spectrum of the weight", kSeeds).conditions = {sigma};
    add("2c", "Pruning loses the energy that it says, for e from 0.01 to 0.2", kSeeds).conditions = {least,
                                                                                                     most};
  }

  void cost() {
    Claim& claim = add(
        "13", "Training in factors is cheap: no decomposition in the loop, and the step is a dense step", 1);
    Condition calls{"decompositions inside epochs", Relation::kAtMost, 0, "", 0, {}};
    for (const ArmFacts& f : facts_.arms)
      keep_largest(calls.measured, f.seed, static_cast<double>(f.svd_calls));
    claim.conditions = {calls};
    Condition recomposed{"recomposed step / dense step", Relation::kAtMost, 1.1, "×", 3, {}};
    Condition share{"penalties and factor algebra in a step", Relation::kAtMost, 5, "%", 2, {}};
    for (const StepFacts& f : facts_.steps) {
      keep_largest(recomposed.measured, options_.seed, f.recomposed_ms / f.dense_ms);
      keep_largest(share.measured, options_.seed, 100 * (f.penalty_ms + f.algebra_ms) / f.recomposed_ms);
    }
    if (!facts_.steps.empty()) claim.conditions.insert(claim.conditions.end(), {recomposed, share});
  }

  // Accuracy right after pruning, at equal MACs: the mean over the points of the arm with the penalty that lie within the
  // curve of the one without.
  void helps() {
    Claim& claim = add("3", "At equal MACs, pruned and not finetuned, orthogonality helps", kSeeds);
    for (Sparsifier sparsifier : kBoth) {
      Condition gain{concat("points gained, ", name_of(sparsifier)), Relation::kAbove, 0, "points", 2, {}};
      for (int64_t seed : seeds()) {
        double total = 0;
        int count = 0;
        for (LowRankScheme scheme : kSchemes) {
          const ArmFacts* with = arm_of(seed, scheme, sparsifier, 1);
          const ArmFacts* without = arm_of(seed, scheme, sparsifier, 0);
          if (with == nullptr || without == nullptr) continue;
          const TradeOff penalised = raw_curve(*with), free = raw_curve(*without);
          for (const TradeOff::Point& at : penalised.front())
            if (const auto other = free.accuracy_at(at.speed_up)) total += at.accuracy - *other, ++count;
        }
        if (count > 0) gain.measured[seed] = total / count;
      }
      claim.conditions.push_back(gain);
    }
  }
  static TradeOff raw_curve(const ArmFacts& f) {
    std::vector<TradeOff::Point> points;
    for (const CurvePoint& at : f.curve)
      points.push_back({static_cast<double>(f.dense_macs) / static_cast<double>(at.macs), 100 * at.raw.test});
    return TradeOff(std::move(points));
  }

  void dense_form() {
    Claim& claim =
        add("4", "The factored network at full rank is as accurate as the dense one, after as many epochs",
            kSeeds);
    for (LowRankScheme scheme : kSchemes) {
      Condition loss{concat("points lost, ", name_of(scheme)), Relation::kAtMost, 1, "points", 2, {}};
      for (int64_t seed : seeds()) {
        const ArmFacts* none = arm_of(seed, scheme, Sparsifier::none, 1);
        const ArmFacts* dense = arm(seed, [](const Recipe& r) {
          return r.method == Method::dense && r.optimizer == OptimizerKind::adam;
        });
        if (none != nullptr && dense != nullptr)
          loss.measured[seed] = 100 * (dense->before.test - none->before.test);
      }
      if (!loss.measured.empty()) claim.conditions.push_back(loss);
    }
    if (claim.conditions.empty()) claim.conditions = {{"points lost", Relation::kAtMost, 1, "points", 2, {}}};
  }

  void sparsifiers() {
    Claim& claim = add("5", "Sparsifiers lower the rank, and cost little before pruning", kSeeds,
                       "significant rank reduction");
    for (Sparsifier sparsifier : kBoth) {
      Condition rank{concat("Σ rank at 99 % energy, ", name_of(sparsifier), " / none"),
                     Relation::kAtMost,
                     0.75,
                     "",
                     2,
                     {}};
      Condition loss{
          concat("points lost, ", name_of(sparsifier)), Relation::kAtMost, kLossAllowed, "points", 2, {}};
      for (int64_t seed : seeds())
        for (LowRankScheme scheme : kSchemes) {
          const ArmFacts* none = arm_of(seed, scheme, Sparsifier::none, 1);
          const ArmFacts* best = best_of(seed, scheme, sparsifier);
          if (none == nullptr || best == nullptr) continue;
          keep_largest(rank.measured, seed,
                       static_cast<double>(best->rank_99) / static_cast<double>(none->rank_99));
          keep_largest(loss.measured, seed, 100 * (none->before.test - best->before.test));
        }
      claim.conditions.insert(claim.conditions.end(), {rank, loss});
    }
  }

  void nearly_free() {
    Claim& claim =
        add("6", "After the sparsifiers, pruning at small e is nearly free, statistics left as they were",
            kSeeds);
    for (auto [e, most] : {std::pair{1e-5, 0.5}, {1e-3, 2.0}})
      for (Sparsifier sparsifier : kBoth) {
        Condition loss{concat("points lost at e = ", e, ", ", name_of(sparsifier)),
                       Relation::kAtMost,
                       most,
                       "points",
                       2,
                       {}};
        for (int64_t seed : seeds())
          for (LowRankScheme scheme : kSchemes)
            if (const ArmFacts* best = best_of(seed, scheme, sparsifier))
              for (const CurvePoint& at : best->curve)
                if (at.e == e) keep_largest(loss.measured, seed, 100 * (best->before.test - at.raw.test));
        claim.conditions.push_back(loss);
      }
  }

  // Speed-ups at one accuracy: a point below what the unsparsified arm had before pruning.
  void pareto() {
    add_ratio("7a", "At equal accuracy the sparsifiers save more than pruning alone", 1.15,
              [&](LowRankScheme scheme) { return trained_with(scheme, {Sparsifier::none}); });
    Claim& claim = add_ratio("7b", "At equal accuracy they save more than the SVD of a trained dense network",
                             1, [](LowRankScheme scheme) {
                               return [=](const Recipe& r) {
                                 return r.method == Method::post_hoc && r.scheme == scheme;
                               };
                             });
    report_only(claim);
  }
  Claim& add_ratio(const char* id, const char* statement, double least,
                   const std::function<std::function<bool(const Recipe&)>(LowRankScheme)>& rivals) {
    Claim& claim = add(id, statement, kSeeds, "more computation removed at equal accuracy");
    for (LowRankScheme scheme : kSchemes) {
      Condition ratio{concat("ratio of speed-ups, ", name_of(scheme)), Relation::kAtLeast, least, "×", 2, {}};
      for (int64_t seed : seeds()) {
        const ArmFacts* none = arm_of(seed, scheme, Sparsifier::none, 1);
        if (none == nullptr) continue;
        const double target = 100 * none->before.test - kLossAllowed;
        const auto ours =
            finetuned(seed, trained_with(scheme, {Sparsifier::hoyer, Sparsifier::l1})).speed_up_at(target);
        const auto theirs = finetuned(seed, rivals(scheme)).speed_up_at(target);
        if (ours && theirs) ratio.measured[seed] = *ours / *theirs;
      }
      claim.conditions.push_back(ratio);
    }
    return claim;
  }
  void report_only(Claim& claim) const {
    if (options_.scale == experiment::Scale::kScaled)
      claim.not_comparable =
          "reported at this scale, required of the full schedule: short Adam schedules may lose";
  }

  void finetuning() {
    Claim& claim = add("8", "Finetuning does not harm what was pruned", kSeeds);
    Condition loss{"points lost to the pruned network with new statistics, worst point",
                   Relation::kAtMost,
                   0.3,
                   "points",
                   2,
                   {}};
    for (const PointFacts& f : facts_.points)
      if (trains_factors(*f.recipe))
        keep_largest(loss.measured, f.seed, 100 * (f.estimated.test - f.final.test));
    claim.conditions = {loss};
  }

  void against_others() {
    Claim& trp = add("9", "Beside trained rank pruning at the nearest speed-up", kSeeds,
                     "R-20: 90.97 at 2.20× against 90.88 at 2.04×");
    trp.conditions = {{"points ahead", Relation::kAtLeast, -1, "points", 2, {}}};
    trp.missing_arms = {"trained rank pruning, which is a program of its own (make trp_ijcai)"};
    Claim& filters = add("10", "Filter pruning at equal MACs does not reach the best arm", kSeeds,
                         "ahead of state-of-the-art filter pruning");
    Condition ahead{"points ahead at the filters' speed-ups, mean", Relation::kAtLeast, 0, "points", 2, {}};
    for (int64_t seed : seeds()) {
      const TradeOff ours =
          finetuned(seed, [](const Recipe& r) { return trains_factors(r) && r.lambda_o > 0; });
      double total = 0;
      int count = 0;
      for (const PointFacts& f : facts_.points)
        if (f.seed == seed && f.recipe->method == Method::filters)
          if (const auto at = ours.accuracy_at(f.speed_up())) total += *at - 100 * f.final.test, ++count;
      if (count > 0) ahead.measured[seed] = total / count;
    }
    filters.conditions = {ahead};
    report_only(filters);
  }

  void gradients() {
    Claim& claim = add("11", "Orthogonality keeps gradients of the layers together", kSeeds,
                       "avoids vanishing and exploding gradients");
    for (Sparsifier sparsifier : kBoth) {
      Condition ratio{concat("spread of |∂u| over layers, with / without, ", name_of(sparsifier)),
                      Relation::kAtMost,
                      1,
                      "",
                      2,
                      {}};
      for (const ArmFacts& f : facts_.arms) {
        if (!trains_factors(*f.recipe) || f.recipe->lambda_o > 0 || f.recipe->sparsifier != sparsifier)
          continue;
        const ArmFacts* with = arm_of(f.seed, f.recipe->scheme, sparsifier, 1);
        if (with != nullptr) keep_largest(ratio.measured, f.seed, with->gradient_ratio / f.gradient_ratio);
      }
      claim.conditions.push_back(ratio);
    }
  }

  void wall_clock() {
    Claim& claim = add("12", "Fewer MACs are less time: at a MAC ratio of 2 and more", kSeeds);
    Condition ratio{"least wall ratio, batch 32", Relation::kAbove, 1, "×", 2, {}};
    Condition share{"least (wall ratio − 1) / (MAC ratio − 1), batch 32", Relation::kAtLeast, 0.6, "", 2, {}};
    for (const PointFacts& f : facts_.points) {
      if (!trains_factors(*f.recipe) || f.speed_up() < 2 || f.batch_32.ms <= 0) continue;
      keep_least(ratio.measured, f.seed, f.batch_32.ratio());
      keep_least(share.measured, f.seed, (f.batch_32.ratio() - 1) / (f.speed_up() - 1));
    }
    claim.conditions = {ratio, share};
  }

  const Facts& facts_;
  const experiment::Options& options_;
  std::vector<Claim> claims_;
};

}  // namespace

TradeOff::TradeOff(std::vector<Point> points) {
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.speed_up != b.speed_up ? a.speed_up > b.speed_up : a.accuracy > b.accuracy;
  });
  for (const Point& p : points)
    if (front_.empty() || p.accuracy > front_.back().accuracy) front_.push_back(p);
  std::reverse(front_.begin(), front_.end());
}

std::optional<double> TradeOff::speed_up_at(double accuracy) const {
  if (front_.empty() || front_.front().accuracy < accuracy) return std::nullopt;
  for (size_t i = 0; i + 1 < front_.size(); ++i) {
    const Point &a = front_[i], &b = front_[i + 1];
    if (b.accuracy <= accuracy)
      return a.speed_up + (b.speed_up - a.speed_up) * (a.accuracy - accuracy) / (a.accuracy - b.accuracy);
  }
  return front_.back().speed_up;
}

std::optional<double> TradeOff::accuracy_at(double speed_up) const {
  if (front_.empty() || speed_up > front_.back().speed_up || speed_up < front_.front().speed_up)
    return std::nullopt;
  for (size_t i = 0; i + 1 < front_.size(); ++i) {
    const Point &a = front_[i], &b = front_[i + 1];
    if (speed_up <= b.speed_up)
      return a.accuracy + (b.accuracy - a.accuracy) * (speed_up - a.speed_up) / (b.speed_up - a.speed_up);
  }
  return front_.back().accuracy;
}

std::vector<experiment::Claim> claims_of(const Facts& facts, const Study& study,
                                         const experiment::Options& options) {
  return Judge(facts, options).all(&study == &conv_study());
}

}  // namespace tenon::svd_training
