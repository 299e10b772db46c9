#include "papers/trp/judgement.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "papers/trp/published.h"

namespace tenon::trp {
namespace {

using experiment::Claim;
using experiment::Condition;
using experiment::Relation;
using Measured = std::map<int64_t, double>;

constexpr const char* kCut = "value";  // the rule by which TRP arms are judged
constexpr int kSeeds = 3;              // that claims on what training leaves are the means of

const char* short_name(LowRankScheme scheme) {
  return scheme == LowRankScheme::decoupled ? "nd" : name_of(scheme);
}

double percent(double fraction) { return 100 * fraction; }

// Of the seeds that both have.
Measured combined(const Measured& a, const Measured& b, double (*by)(double, double)) {
  Measured out;
  for (const auto& [seed, value] : a)
    if (const auto other = b.find(seed); other != b.end()) out[seed] = by(value, other->second);
  return out;
}
Measured difference(const Measured& a, const Measured& b) {
  return combined(a, b, [](double x, double y) { return x - y; });
}
Measured quotient(const Measured& a, const Measured& b) {
  return combined(a, b, [](double x, double y) { return x / y; });
}

// Keeps the worst of what several arms measured, seed by seed.
void note_largest(Measured& worst, int64_t seed, double value) {
  const auto [at, is_new] = worst.emplace(seed, value);
  if (!is_new) at->second = std::max(at->second, value);
}

void note_least(Measured& worst, int64_t seed, double value) {
  const auto [at, is_new] = worst.emplace(seed, value);
  if (!is_new) at->second = std::min(at->second, value);
}

class Judge {
 public:
  Judge(const Plan& plan, const Facts& facts, const experiment::Options& options)
      : plan_(plan), facts_(facts), options_(options) {}

  std::vector<Claim> all() {
    lossless_cut();
    beside_finetuned();
    nuclear_norm_helps_basic();
    nuclear_norm_with_trp();
    slopes();
    ranks();
    dense_accuracy();
    from_scratch();
    share_of_cuts();
    wall_clock();
    published_rows();
    return std::move(claims_);
  }

 private:
  // The claim is good until the next one is added.
  Claim& add(std::string id, std::string statement, std::string published, int seeds,
             std::vector<Condition> conditions) {
    Claim claim;
    claim.id = std::move(id);
    claim.statement = std::move(statement);
    claim.published = std::move(published);
    claim.required_seeds = seeds;
    claim.conditions = std::move(conditions);
    claims_.push_back(std::move(claim));
    return claims_.back();
  }
  // A claim on accuracies.
  Claim& add_accuracy(std::string id, std::string statement, std::string published,
                      std::vector<Condition> conditions) {
    Claim& claim =
        add(std::move(id), std::move(statement), std::move(published), kSeeds, std::move(conditions));
    if (options_.scale == experiment::Scale::kSmoke)
      claim.not_comparable = "smoke scale trains on 400 images for two epochs";
    return claim;
  }

  Measured dense(const std::string& arm) const {
    Measured out;
    for (const DenseFacts& f : facts_.dense)
      if (f.recipe->arm == arm) out[f.seed] = percent(f.test);
    return out;
  }
  // A figure of the points of an arm that are called so.
  Measured of(const std::string& arm, const std::string& point,
              const std::function<double(const PointFacts&)>& figure) const {
    Measured out;
    for (const PointFacts& f : facts_.points)
      if (f.recipe->arm == arm && f.name == point) out[f.seed] = figure(f);
    return out;
  }
  static double cut_percent(const PointFacts& f) { return percent(f.cut_test); }
  static double final_percent(const PointFacts& f) { return percent(f.final_test); }
  static double speed_up_of(const PointFacts& f) { return f.speed_up(); }

  // The arms without lambda that were run, by scheme and energy.
  std::vector<const Recipe*> trp_arms(bool with_nuclear_norm) const {
    std::vector<const Recipe*> out;
    for (const DenseFacts& f : facts_.dense)
      if (f.recipe->method == Method::trp && (with_nuclear_norm || f.recipe->lambda == 0) &&
          std::find(out.begin(), out.end(), f.recipe) == out.end())
        out.push_back(f.recipe);
    return out;
  }

  void lossless_cut() {
    Condition loss{"points lost by the cut, the worst arm", Relation::kAtMost, 0.5, "points", 2, {}};
    for (const PointFacts& f : facts_.points)
      if (f.recipe->method == Method::trp && f.name == kCut)
        note_largest(loss.measured, f.seed, percent(std::fabs(f.dense_test - f.cut_test)));
    add_accuracy("1a", "The final decomposition of a TRP network is free", "", {loss});
    Condition basic{
        "points lost by basic at the same MACs, the mildest", Relation::kAtLeast, 5, "points", 2, {}};
    for (const PointFacts& f : facts_.points)
      if (f.recipe->method == Method::basic && !f.recipe->like.empty() && f.speed_up() >= 1.3)
        note_least(basic.measured, f.seed, percent(f.dense_test - f.cut_test));
    add_accuracy("1b", "and that of a network trained plainly is not (from a speed-up of 1.3)", "", {basic});
  }

  void beside_finetuned() {
    for (const Recipe* trp : trp_arms(false)) {
      const std::string basic = "basic-as-" + trp->arm, point = "as-" + trp->arm;
      const Measured cut = of(trp->arm, kCut, cut_percent);
      const Measured speed = of(trp->arm, kCut, speed_up_of);
      double mean_speed = 0;
      for (const auto& [seed, value] : speed) mean_speed += value / static_cast<double>(speed.size());
      Claim& claim = add_accuracy(
          concat("2 ", short_name(trp->scheme), " ", trp->energy),
          concat("TRP without finetuning is as good as the basic decomposition with it, at the same MACs [",
                 trp->arm, ", ", experiment::format_number(mean_speed, 2), "x]"),
          trp->scheme == LowRankScheme::spatial ? "90.13 at 2.66x against 89.49 at 1.66x"
                                                : "90.12 at 1.97x against 88.13 at 1.41x",
          {{"TRP − basic finetuned", Relation::kAtLeast, -0.3, "points", 2,
            difference(cut, of(basic, point, final_percent))},
           {"TRP − basic not finetuned", Relation::kAtLeast, 5, "points", 2,
            difference(cut, of(basic, point, cut_percent))}});
      if (claim.conditions[0].measured.empty()) claim.missing_arms.push_back(basic);
    }
  }

  // Means over the speed-ups at which both were cut.
  Measured gain_of_basic(LowRankScheme scheme) const {
    std::map<int64_t, std::vector<double>> gains;
    const std::string name = short_name(scheme);
    for (const PointFacts& f : facts_.points) {
      if (f.recipe->arm != "basic-nu-" + name) continue;
      const Measured other = of("basic-" + name, f.name, cut_percent);
      if (const auto at = other.find(f.seed); at != other.end())
        gains[f.seed].push_back(cut_percent(f) - at->second);
    }
    Measured out;
    for (const auto& [seed, of_seed] : gains) {
      for (double gain : of_seed) out[seed] += gain / static_cast<double>(of_seed.size());
    }
    return out;
  }

  void nuclear_norm_helps_basic() {
    for (LowRankScheme scheme : {LowRankScheme::spatial, LowRankScheme::channel})
      add_accuracy(concat("3 ", name_of(scheme)),
                   "The nuclear norm makes the basic decomposition milder, without finetuning", "",
                   {{"basic+Nu − basic, mean over equal speed-ups", Relation::kAbove, 0, "points", 2,
                     gain_of_basic(scheme)}});
  }

  void nuclear_norm_with_trp() {
    for (const Recipe* trp : trp_arms(false)) {
      const std::string scheme = short_name(trp->scheme), nu = concat("trp-nu-", scheme, "-", trp->energy);
      const Measured gain = difference(of(nu, kCut, cut_percent), of(trp->arm, kCut, cut_percent));
      if (gain.empty()) continue;
      Claim& claim = add_accuracy(
          concat("4 ", scheme, " ", trp->energy),
          "At equal e the nuclear norm buys speed from TRP at no loss, and matters less than without it",
          "1.97x to 2.17x, 90.12 to 90.50",
          {{"speed-up(TRP+Nu) / speed-up(TRP)", Relation::kAtLeast, 1.02, "", 3,
            quotient(of(nu, kCut, speed_up_of), of(trp->arm, kCut, speed_up_of))},
           {"TRP+Nu − TRP", Relation::kAtLeast, -0.5, "points", 2, gain},
           {"gain of TRP − gain of basic", Relation::kBelow, 0, "points", 2,
            difference(gain, gain_of_basic(trp->scheme))}});
      if (claim.conditions[2].measured.empty()) claim.missing_arms.push_back("basic-nu-" + scheme);
    }
  }

  // The most that basic loses, without finetuning, while its speed-up rises by one.
  Measured steepest_basic(LowRankScheme scheme) const {
    Measured out;
    for (const PointFacts& a : facts_.points)
      for (const PointFacts& b : facts_.points)
        if (a.recipe->arm == concat("basic-", short_name(scheme)) && a.recipe == b.recipe &&
            a.seed == b.seed && b.speed_up() > a.speed_up() && b.speed_up() - a.speed_up() <= 1.05)
          note_largest(out, a.seed, percent(a.cut_test - b.cut_test));
    return out;
  }

  void slopes() {
    for (LowRankScheme scheme : {LowRankScheme::spatial, LowRankScheme::channel}) {
      const std::string name = name_of(scheme);
      add_accuracy("5 " + name,
                   "From e = 0.02 to 0.05 TRP loses little; basic without finetuning falls off a cliff", "",
                   {{"lost by TRP", Relation::kAtMost, 2, "points", 2,
                     difference(of(concat("trp-", name, "-0.02"), kCut, cut_percent),
                                of(concat("trp-", name, "-0.05"), kCut, cut_percent))},
                    {"lost by basic over a speed-up of one", Relation::kAtLeast, 20, "points", 2,
                     steepest_basic(scheme)}});
    }
  }

  void ranks() {
    Condition rises{
        "rises after the first epoch, the worst arm", Relation::kAtMost, 1, "% of layers and cuts", 2, {}};
    Condition theorem{"rises where m G / |W| < √e", Relation::kAtMost, 0, "", 0, {}};
    Condition proof{"rises where |W − T| / |W| < √e", Relation::kAtMost, 0, "", 0, {}};
    Condition final{"final rank · e, the largest", Relation::kAtMost, 1.1, "", 2, {}};
    for (const RankFacts& f : facts_.ranks) {
      note_largest(rises.measured, f.seed, percent(f.after_first_epoch().share()));
      theorem.measured[f.seed] += static_cast<double>(f.under_theorem().rises);
      proof.measured[f.seed] += static_cast<double>(f.under_proof().rises);
      // Of the decoupled scheme ranks are at most nine, whatever e.
      if (f.recipe->scheme != LowRankScheme::decoupled)
        note_largest(final.measured, f.seed, static_cast<double>(f.largest_final_rank()) * f.recipe->energy);
    }
    const std::string too_few =
        options_.scale == experiment::Scale::kSmoke ? "smoke scale cuts four times" : "";
    add("6a", "Ranks fall and do not rise again", "64 to 18 over 40 cuts, monotone", kSeeds, {rises})
        .not_comparable = too_few;
    add("6b", "They end at 1/e or below", "18 at e = 0.05", kSeeds, {final}).not_comparable = too_few;
    add("6c",
        "Theorem 2: no rank rises where updates are shorter than its bound, nor where its proof applies",
        "0.092 < 0.223", 1, {theorem, proof});
  }

  void dense_accuracy() {
    for (const Recipe* trp : trp_arms(true)) {
      if (trp->energy != 0.02 && trp->energy != 0.05) continue;
      const double most = trp->energy == 0.02 ? 1.5 : 3;
      add_accuracy(concat("7 ", trp->arm),
                   concat("Training under cuts costs little accuracy [", trp->arm, "]"),
                   "1.1 to 1.6 points on ResNet-20",
                   {{"lost beside the baseline", Relation::kAtMost, most, "points", 2,
                     difference(dense("baseline"), dense(trp->arm))}});
    }
  }

  void from_scratch() {
    Condition condition{"TRP − from scratch", Relation::kAtLeast, 0, "points", 2, {}};
    std::string arms;
    for (const Recipe* trp : trp_arms(false)) {
      const std::string scratch = "scratch-" + trp->arm;
      const Measured gain =
          difference(of(trp->arm, kCut, cut_percent), of(scratch, "as-" + trp->arm, cut_percent));
      if (gain.empty()) continue;
      for (const auto& [seed, value] : gain) note_least(condition.measured, seed, value);
      arms += concat(arms.empty() ? " [" : ", ", scratch);
    }
    Claim& claim =
        add_accuracy("8",
                     concat("The decomposed network, trained from random weights, is no better than TRP's",
                            arms, arms.empty() ? "" : "]"),
                     "", {condition});
    if (condition.measured.empty()) claim.missing_arms.push_back("scratch-trp-spatial-0.02");
  }

  void share_of_cuts() {
    Condition share{
        "time of the cuts at m = 20, the worst scheme", Relation::kBelow, 5, "% of training", 2, {}};
    for (const ShareFacts& s : facts_.shares)
      note_largest(share.measured, options_.seed, percent(s.share(20)));
    add("9", "Decompositions are a small part of training", "", 1, {share});
  }

  void wall_clock() {
    Condition faster{"wall ratio, batch 128, the least from 1.3x", Relation::kAbove, 1, "×", 2, {}};
    Condition part{
        "(wall ratio − 1) / (MAC ratio − 1), spatial from 2x, batch 128", Relation::kAtLeast, 0.6, "", 2, {}};
    Condition faster_together = faster, part_together = part;
    for (Condition* c : {&faster_together, &part_together}) c->quantity += ", all threads";
    for (const PointFacts& f : facts_.points) {
      if (f.recipe->method != Method::trp || f.name != kCut || f.batch_128.ms == 0) continue;
      if (f.speed_up() >= 1.3) note_least(faster.measured, f.seed, f.batch_128.ratio());
      if (f.speed_up() >= 2 && f.recipe->scheme == LowRankScheme::spatial)
        note_least(part.measured, f.seed, (f.batch_128.ratio() - 1) / (f.speed_up() - 1));
      if (f.batch_128_all_threads.ms == 0) continue;
      if (f.speed_up() >= 1.3) note_least(faster_together.measured, f.seed, f.batch_128_all_threads.ratio());
      if (f.speed_up() >= 2 && f.recipe->scheme == LowRankScheme::spatial)
        note_least(part_together.measured, f.seed,
                   (f.batch_128_all_threads.ratio() - 1) / (f.speed_up() - 1));
    }
    const auto with_threads = [](const Condition& one, const Condition& together) {
      return together.measured.empty() ? std::vector{one} : std::vector{one, together};
    };
    add("10a", "A decomposed network, of each pair the faster form, is measurably faster",
        "CPU 1.82x at 2.23x, 2.37x at 3.18x (ResNet-18)", kSeeds, with_threads(faster, faster_together));
    add("10b", "Under the spatial scheme most of the MACs saved are time saved", "0.63 at 3.18x", kSeeds,
        with_threads(part, part_together));
  }

  void published_rows() {
    for (const Published& row : published()) {
      const bool trained = row.arm.rfind("trp-", 0) == 0 && row.origin != Origin::figure;
      if (!trained || row.row != plan_.row || row.network != plan_.network) continue;
      const std::string arm = concat(row.arm, "-0.02");
      Claim& claim =
          add(concat("P ", row.network, " ", row.arm), concat("The published row is reached [", arm, "]"),
              concat(experiment::format_number(row.accuracy, 2), " % at ",
                     experiment::format_number(row.speed_up, 2), "x"),
              1,
              {{"test accuracy", Relation::kAtLeast, row.accuracy - 0.5, "%", 2, of(arm, kCut, cut_percent)},
               {"speed-up", Relation::kAtLeast, 0.95 * row.speed_up, "×", 2, of(arm, kCut, speed_up_of)}});
      if (options_.data != "cifar10" || options_.scale != experiment::Scale::kPaper)
        claim.not_comparable = "published for CIFAR-10 after 164 epochs on 50,000 images";
    }
  }

  const Plan& plan_;
  const Facts& facts_;
  const experiment::Options& options_;
  std::vector<Claim> claims_;
};

}  // namespace

double Front::mean(double (*figure)(const PointFacts&)) const {
  double total = 0;
  for (const PointFacts* f : seeds) total += figure(*f);
  return total / static_cast<double>(seeds.size());
}
double Front::speed_up() const {
  return mean([](const PointFacts& f) { return f.speed_up(); });
}
double Front::delivered() const {
  return mean([](const PointFacts& f) { return percent(f.delivered_test()); });
}

std::vector<Front> fronts_of(const Facts& facts) {
  std::vector<Front> fronts;
  for (const PointFacts& f : facts.points) {
    const auto same = [&](const Front& front) { return front.recipe == f.recipe && front.name == f.name; };
    auto at = std::find_if(fronts.begin(), fronts.end(), same);
    if (at == fronts.end()) at = fronts.insert(fronts.end(), {f.recipe, f.name, {}});
    at->seeds.push_back(&f);
  }
  return fronts;
}

std::vector<Claim> claims_of(const Plan& plan, const Facts& facts, const experiment::Options& options) {
  return Judge(plan, facts, options).all();
}

}  // namespace tenon::trp
