#include "papers/joint_pruning/judgement.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

namespace tenon::joint_pruning {
namespace {

using experiment::Claim;
using experiment::Condition;
using experiment::Relation;
using Measured = std::map<int64_t, double>;
/// A figure of a pair; NaN if it has none.
using Figure = std::function<double(const ArmFacts&)>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const char* const kWinnerArms[] = {"jp-30-40", "jp-12-24", "leaky-jp-30-40", "leaky-jp-12-24"};

class Judge {
 public:
  Judge(const Facts& facts, const std::vector<Latency>& latencies, const experiment::Options& options)
      : facts_(facts), latencies_(latencies), options_(options) {}

  std::vector<Claim> all() {
    points();
    against_weights();
    motivation();
    leaky();
    rules();
    recovery();
    samples();
    convnet();
    exactness();
    latency();
    return std::move(claims_);
  }

 private:
  bool digits() const { return options_.data != "cifar10"; }

  // Why bars that were published, or calibrated, for a data set cannot be judged on this run.
  std::string bars_of(const char* data) const {
    if (options_.scale == experiment::Scale::kSmoke)
      return "smoke scale trains on 1,000 images for two epochs";
    if (options_.data != data)
      return concat("the bars are those of ", data, "; this run trained on ", options_.data);
    return "";
  }
  std::string too_small() const {
    return options_.scale == experiment::Scale::kSmoke ? "smoke scale trains on 1,000 images for two epochs"
                                                       : "";
  }

  // A claim about an arm of these data, or none.
  Claim* add(const std::string& id, const std::string& statement, const std::string& published,
             const std::vector<std::string>& arms, const std::string& not_comparable) {
    if (fits(recipe_of(arms.front()).network, options_.data) == false) return nullptr;
    Claim claim;
    claim.id = id;
    claim.statement = statement;
    claim.published = published;
    claim.not_comparable = not_comparable;
    for (const std::string& arm : arms)
      if (facts_.seeds_of(arm).empty()) claim.missing_arms.push_back(arm);
    claims_.push_back(std::move(claim));
    return &claims_.back();
  }

  Condition condition(const std::string& quantity, Relation relation, double bound, const char* unit,
                      const std::string& arm, const Figure& figure, int decimals = 2) const {
    Condition out{quantity, relation, bound, unit, decimals, {}};
    for (const ArmFacts* f : facts_.seeds_of(arm)) {
      const double value = figure(*f);
      if (!std::isnan(value)) out.measured[f->seed] = value;
    }
    return out;
  }

  Figure loss() const {
    return [this](const ArmFacts& f) {
      const ArmFacts* dense = facts_.dense_of(f);
      return dense == nullptr ? kNan : dense->test() - f.test();
    };
  }
  // A figure of WP over that of the pair.
  Figure gain(const std::function<double(const NetCount&)>& of) const {
    return [this, of](const ArmFacts& f) {
      const ArmFacts* wp = facts_.weights_of(f);
      return wp == nullptr ? kNan : of(wp->count) / of(f.count);
    };
  }
  static double pairs(const ArmFacts& f) { return 100 * f.count.pair_share(); }
  static double weights(const ArmFacts& f) { return 100 * f.count.weight_share(); }
  static double activations(const ArmFacts& f) { return 100 * f.count.activation_share(); }

  // ---- claim 1: accuracy at few multiplications ---------------------------------------------------------------------

  void points() {
    const std::string bars = bars_of("mnist");
    if (Claim* c = add("1a", "MLP-3, winners 30/40 %: hardly a loss", "", {"jp-30-40", "dense"}, bars))
      c->conditions = {condition("points lost", Relation::kAtMost, 0.4, "points", "jp-30-40", loss()),
                       condition("weights", Relation::kAtMost, 10.1, "%", "jp-30-40", weights),
                       condition("MACs by pairs", Relation::kAtMost, 4.5, "%", "jp-30-40", pairs)};
    if (Claim* c = add("1b", "MLP-3, winners 12/24 %: the published sparsity, quick schedule",
                       "98.42 % at 3.65 %", {"jp-12-24", "dense"}, bars))
      c->conditions = {condition("test accuracy", Relation::kAtLeast, 97.2, "%", "jp-12-24",
                                 [](const ArmFacts& f) { return f.test(); }),
                       condition("points lost", Relation::kAtMost, 1.0, "points", "jp-12-24", loss()),
                       condition("weights", Relation::kAtMost, 10.1, "%", "jp-12-24", weights),
                       condition("activations", Relation::kAtMost, 17.5, "%", "jp-12-24", activations),
                       condition("MACs by pairs", Relation::kAtMost, 4.0, "%", "jp-12-24", pairs)};
    const bool paper = options_.scale == experiment::Scale::kPaper;
    if (Claim* c = add("1c", "MLP-3, winners 12/24 %, full schedule: no loss beyond 0.4 point",
                       "98.41 → 98.42 % at 3.65 %", {"jp-12-24", "dense"},
                       !bars.empty() ? bars
                       : paper       ? ""
                                     : "needs SCALE=paper"))
      c->conditions = {condition("points lost", Relation::kAtMost, 0.4, "points", "jp-12-24", loss()),
                       condition("MACs by pairs", Relation::kAtMost, 4.0, "%", "jp-12-24", pairs)};
    if (Claim* c = add("1d", "MLP-3, weights 8 %, winners 6/15 %: towards version 2's 1.2 %",
                       "98.8 % saved (version 2)", {"jp-6-15", "dense"}, bars))
      c->conditions = {condition("points lost", Relation::kAtMost, 1.5, "points", "jp-6-15", loss()),
                       condition("MACs by pairs", Relation::kAtMost, 2.5, "%", "jp-6-15", pairs)};
  }

  // ---- claims 2 and 3: beside weight pruning alone ------------------------------------------------------------------

  void against_weights() {
    if (Claim* c = add("2", "JP 12/24 saves beyond WP, whose ReLU zeros count", "1.2 to 2.7 × fewer MACs",
                       {"jp-12-24", "wp"}, too_small()))
      c->conditions = {condition("MACs of WP / JP, product", Relation::kAtLeast, 1.2, "×", "jp-12-24",
                                 gain([](const NetCount& n) { return n.products_from(0); })),
                       condition("MACs of WP / JP, pairs", Relation::kAtLeast, 1.08, "×", "jp-12-24",
                                 gain([](const NetCount& n) { return n.pairs_from(0); })),
                       condition("the same in fc2 + fc3", Relation::kAtLeast, 2.5, "×", "jp-12-24",
                                 gain([](const NetCount& n) { return n.pairs_from(1); }))};
  }

  void motivation() {
    Claim* c = add("3", "Cutting weights alone makes ReLU activations denser, in every hidden layer", "",
                   {"wp", "dense"}, too_small());
    if (c == nullptr) return;
    for (size_t layer : {size_t{0}, size_t{1}})
      c->conditions.push_back(condition(
          concat("fc", layer + 1, ", WP minus dense"), Relation::kAbove, 0, "points", "wp",
          [this, layer](const ArmFacts& f) {
            const ArmFacts* dense = facts_.dense_of(f);
            if (dense == nullptr) return kNan;
            return 100 * (f.count.layers[layer].outgoing - dense->count.layers[layer].outgoing);
          },
          1));
  }

  // ---- claims 4 and 5: activations without zeros of their own -------------------------------------------------------

  void leaky() {
    Claim* c = add("4", "Leaky ReLU, which has no zeros: dynamic masks make them", "61.4 points (ResNet-32)",
                   {"leaky-jp-12-24", "leaky-jp-30-40", "leaky-wp", "leaky-dense"}, bars_of("mnist"));
    if (c == nullptr) return;
    c->conditions = {
        condition("hidden activations of WP", Relation::kAtLeast, 95, "%", "leaky-wp",
                  [](const ArmFacts& f) { return 100 * f.hidden_density(); }),
        condition("points lost at 30/40", Relation::kAtMost, 0.5, "points", "leaky-jp-30-40", loss()),
        condition("points lost at 12/24", Relation::kAtMost, 1.3, "points", "leaky-jp-12-24", loss()),
        condition("MACs of WP / JP 12/24, pairs", Relation::kAtLeast, 1.25, "×", "leaky-jp-12-24",
                  gain([](const NetCount& n) { return n.pairs_from(0); })),
        condition("the same in fc2 + fc3", Relation::kAtLeast, 3, "×", "leaky-jp-12-24",
                  gain([](const NetCount& n) { return n.pairs_from(1); }))};
  }

  // All masks at 20 %, on validation images.
  void rules() {
    Claim* c = add("5", "Leaky ReLU at ≤ 20 %: finetuned winners beat static thresholds; who wins matters",
                   "static: 10.4 points lost (ResNet-32)", {"leaky-jp-12-24", "leaky-wp"}, too_small());
    if (c == nullptr) return;
    const auto curve = [](const char* rule) {
      return [rule](const ArmFacts& f) {
        const auto found = f.rules.find(rule);
        return found == f.rules.end() ? kNan : at_rate(found->second, 0.2);
      };
    };
    const Figure fixed = curve("static"), winners = curve("winners"), random = curve("random");
    c->conditions = {
        condition("JP 12/24 finetuned minus static", Relation::kAtLeast, 0.5, "points", "leaky-jp-12-24",
                  [this, fixed](const ArmFacts& f) {
                    const ArmFacts* wp = facts_.weights_of(f);
                    return wp == nullptr ? kNan : 100 * f.final.validation - fixed(*wp);
                  }),
        condition("winners minus random winners", Relation::kAtLeast, 5, "points", "leaky-wp",
                  [winners, random](const ArmFacts& f) { return winners(f) - random(f); })};
  }

  // ---- claims 6 to 8 ------------------------------------------------------------------------------------------------

  void recovery() {
    if (!digits()) return;
    Claim* c = add("6", "Finetuning recovers most of what switching the masks on costs", "", {"jp-12-24"},
                   too_small());
    for (const char* arm : {"jp-12-24", "leaky-jp-12-24"})
      if (!facts_.seeds_of(arm).empty() || arm == std::string("jp-12-24"))
        c->conditions.push_back(condition(
            concat("recovered, ", arm), Relation::kAtLeast, 60, "%", arm,
            [](const ArmFacts& f) {
              return 100 * (f.final.test - f.switched.test) / (f.stage_a.test - f.switched.test);
            },
            1));
  }

  void samples() {
    const Figure lost = [](const ArmFacts& f) { return at_rate(f.sampled, 1) - at_rate(f.sampled, 0.1); };
    if (Claim* c = add("7a", "Thresholds from a tenth of the activations serve ConvNet-5's convolutions",
                       "< 0.5 point (AlexNet)", {"convnet-jp"}, too_small()))
      c->conditions = {
          condition("points lost at α = 0.1", Relation::kAtMost, 0.5, "points", "convnet-jp", lost)};
    Claim* c = add("7b", "On layers of 300 and 100 neurons a tenth is unsafe: they are looked at in full", "",
                   {"jp-12-24"}, too_small());
    if (c == nullptr) return;
    Condition worst{"largest loss at α = 0.1", Relation::kAtLeast, 0.5, "points", 2, {}};
    for (const char* arm : kWinnerArms)
      for (const ArmFacts* f : facts_.seeds_of(arm)) {
        double& seen = worst.measured.emplace(f->seed, lost(*f)).first->second;
        seen = std::max(seen, lost(*f));
      }
    c->conditions = {worst};
  }

  void convnet() {
    if (Claim* c = add("8", "ConvNet-5 at the published densities", "86.0 → 85.94 % at 27.7 %",
                       {"convnet-jp", "convnet-dense"}, bars_of("cifar10")))
      c->conditions = {condition("points lost", Relation::kAtMost, 1.0, "points", "convnet-jp", loss()),
                       condition("MACs, product as published", Relation::kAtMost, 32, "%", "convnet-jp",
                                 [](const ArmFacts& f) { return 100 * f.count.published_product_share(); }),
                       condition("activations", Relation::kAtMost, 45, "%", "convnet-jp", activations),
                       condition("weights", Relation::kAtMost, 41, "%", "convnet-jp", weights)};
  }

  // ---- claims 9 and 10: what was measured on the final networks -----------------------------------------------------

  void exactness() {
    Claim claim;
    claim.id = "9";
    claim.statement =
        "Sparse products compute what the masked dense network does; winners and pairs are exact";
    Condition error{"largest difference of logits", Relation::kAtMost, 1e-4, "", 7, {}};
    Condition misses{"samples without exactly k winners, but for ties", Relation::kAtMost, 0, "", 0, {}};
    Condition pairs{"pairs against brute force, difference", Relation::kAtMost, 1e-6, "", 7, {}};
    for (const Latency& l : latencies_) {
      const auto worst = [&](Condition& c, double value) {
        double& seen = c.measured.emplace(l.facts->seed, value).first->second;
        seen = std::max(seen, value);
      };
      worst(error, l.largest_error);
      worst(misses, static_cast<double>(l.winner_misses));
      worst(pairs, l.pair_error);
    }
    claim.conditions = {error, misses, pairs};
    claims_.push_back(std::move(claim));
  }

  const Latency* latency_of(const std::string& arm) const {
    for (const Latency& l : latencies_)
      if (l.facts->recipe->arm == arm) return &l;
    return nullptr;
  }

  // At batch 1.
  Condition speed(const char* quantity, double bound, const Latency* l, double Times::*slow) const {
    Condition out{quantity, Relation::kAtLeast, bound, "×", 2, {}};
    if (l != nullptr) out.measured[l->facts->seed] = l->times.front().*slow / l->times.front().joint;
    return out;
  }

  void latency() {
    const Latency* mlp = latency_of("jp-12-24");
    if (Claim* c = add("10a", "MLP-3 at batch 1, selection included: faster than dense", "",
                       {"jp-12-24", "wp", "dense"}, too_small()))
      c->conditions = {speed("dense / JP", 2, mlp, &Times::dense)};
    if (Claim* c = add("10b", "MLP-3 at batch 1, selection included: faster than WP", "",
                       {"jp-12-24", "wp", "dense"}, too_small()))
      c->conditions = {speed("WP, weight-sparse products / JP", 2, mlp, &Times::weight_only),
                       speed("WP, the same products / JP", 1, mlp, &Times::weight_skip)};
    if (Claim* c = add("10c", "ConvNet-5's fully connected part at batch 1", "",
                       {"convnet-jp", "convnet-wp", "convnet-dense"}, too_small())) {
      const Latency* l = latency_of("convnet-jp");
      c->conditions = {speed("dense / JP", 3, l, &Times::dense),
                       speed("WP, the same products / JP", 1.3, l, &Times::weight_skip)};
    }
  }

  const Facts& facts_;
  const std::vector<Latency>& latencies_;
  const experiment::Options& options_;
  std::vector<Claim> claims_;
};

}  // namespace

std::vector<Claim> claims_of(const Facts& facts, const std::vector<Latency>& latencies,
                             const experiment::Options& options) {
  return Judge(facts, latencies, options).all();
}

}  // namespace tenon::joint_pruning
