#include "papers/autogrow/judgement.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace tenon::autogrow {
namespace {

using experiment::Claim;
using experiment::Condition;
using experiment::Relation;
/// A figure of a pair of arms with one seed.
using Figure = std::function<double(const ArmFacts& first, const ArmFacts& second)>;

const char* const kSweep[] = {"depth-1", "depth-2", "depth-3", "depth-5", "depth-8"};
constexpr double kNear = 0.7;  // points below the best of the sweep

double test_gap(const ArmFacts& a, const ArmFacts& b) { return a.test - b.test; }
double block_gap(const ArmFacts& a, const ArmFacts& b) {
  return static_cast<double>(a.blocks() - b.blocks());
}

class Judge {
 public:
  Judge(const Plan& plan, const Facts& facts, const experiment::Options& options)
      : plan_(plan), facts_(facts), options_(options) {}

  std::vector<Claim> all() {
    growth_step();
    depths();
    residual();
    plain();
    baselines();
    costs();
    return std::move(claims_);
  }

 private:
  std::string too_small() const {
    return options_.scale == experiment::Scale::kSmoke ? "smoke scale trains on 300 images for a few epochs"
                                                       : "";
  }

  void add(const std::string& id, const std::string& statement, const std::string& published,
           const std::vector<std::string>& arms, std::vector<Condition> conditions, bool exact = false) {
    Claim claim;
    claim.id = id;
    claim.statement = statement;
    claim.published = published;
    claim.conditions = std::move(conditions);
    if (!exact) claim.not_comparable = too_small();
    for (const std::string& arm : arms)
      if (facts_.seeds_of(arm).empty()) claim.missing_arms.push_back(arm);
    claims_.push_back(std::move(claim));
  }

  // Of the seeds that both arms were run with.
  Condition between(const std::string& quantity, Relation relation, double bound, const char* unit,
                    const std::string& first, const std::string& second, const Figure& figure,
                    int decimals = 2) const {
    Condition out{quantity, relation, bound, unit, decimals, {}};
    for (const ArmFacts* f : facts_.seeds_of(first))
      if (const ArmFacts* other = facts_.find(second, f->seed)) out.measured[f->seed] = figure(*f, *other);
    return out;
  }
  Condition gap(const std::string& quantity, double bound, const std::string& first,
                const std::string& second) const {
    return between(quantity, Relation::kAtLeast, bound, "points", first, second, test_gap);
  }
  Condition deeper(const std::string& quantity, double bound, const std::string& first,
                   const std::string& second) const {
    return between(quantity, Relation::kAtLeast, bound, "blocks", first, second, block_gap, 0);
  }

  // ---- what a growth is ---------------------------------------------------------------------------------------------

  void growth_step() {
    Condition zero{"largest change of a logit", Relation::kAtMost, 1e-6, "", 8, {}};
    Condition gaussian{"mean change of a logit", Relation::kAtLeast, 1e-2, "", 3, {}};
    Condition looks{"test images given to training and policy", Relation::kAtMost, 0, "", 0, {}};
    std::map<int64_t, int64_t> arms;
    for (const ArmFacts& f : facts_.arms) {
      if (f.growing_epochs > 0) looks.measured[f.seed] += static_cast<double>(f.test_images_given);
      if (is_plain(f.recipe->family) || std::isnan(f.zero_change)) continue;
      double& largest = zero.measured[f.seed];
      largest = std::max(largest, f.zero_change);
      if (f.recipe->initialiser != Initialiser::gaussian) continue;
      double& mean = gaussian.measured[f.seed];
      const auto before = static_cast<double>(arms[f.seed]++);
      mean = (mean * before + f.change) / (before + 1);
    }
    const int64_t seed = options_.seed;
    add("G1", "ZeroInit growth preserves the function: every block of every residual arm, evaluation mode",
        "exact", {}, {zero}, true);
    add("G2", "GauInit growth does not", "", {}, {gaussian}, true);
    add("G3", "The policy reproduces its golden traces", "", {},
        {{"traces missed", Relation::kAtMost, 0, "", 0, {{seed, static_cast<double>(facts_.traces_missed)}}}},
        true);
    add("G4", "Growth keeps every old parameter, buffer and momentum to the bit; new momentum is none", "",
        {},
        {{"tensors changed",
          Relation::kAtMost,
          0,
          "",
          0,
          {{seed, static_cast<double>(facts_.values_changed)}}}},
        true);
    add("G15", "The policy sees no test image", "", {}, {looks}, true);
  }

  // ---- depths -------------------------------------------------------------------------------------------------------

  void depths() {
    add("G5", "p-AutoGrow finds at least twice the blocks of c-AutoGrow (the clock alone brings most of it)",
        "126 against 9", {"p-gau", "c-gau"},
        {between("blocks, p over c", Relation::kAtLeast, 2, "×", "p-gau", "c-gau",
                 [](const ArmFacts& p, const ArmFacts& c) {
                   return static_cast<double>(p.blocks()) / static_cast<double>(c.blocks());
                 })});
    add("G6", "The faster the growth, the deeper the network", "229, 126, 57, 21 blocks at K = 1, 3, 10, 20",
        {"p-gau", "p-gau-2k", "p-gau-4k"},
        {deeper("blocks, K minus 2 K", 0, "p-gau", "p-gau-2k"),
         deeper("blocks, 2 K minus 4 K", 0, "p-gau-2k", "p-gau-4k")});
    add("G13", "A quarter of the images finds no deeper network (report)", "24 blocks against 100",
        {"p-gau", "p-gau-quarter"}, {deeper("blocks, all minus a quarter", 0, "p-gau", "p-gau-quarter")});
    add("clock",
        "The depth is more than the clock's doing: the policy on a network that never grows ends elsewhere",
        "", {"p-gau", "clock"},
        {between(
            "blocks apart", Relation::kAtLeast, 1, "blocks", "p-gau", "clock",
            [](const ArmFacts& p, const ArmFacts& c) { return std::fabs(block_gap(p, c)); }, 0)});
  }

  // ---- accuracies ---------------------------------------------------------------------------------------------------

  void residual() {
    add("G7a", "p-AutoGrow is no worse than the seed network after as many epochs", "", {"p-gau", "seed"},
        {gap("p-AutoGrow minus seed", -0.3, "p-gau", "seed")});
    add("G7b", "It is better (report)", "", {"p-gau", "seed"},
        {gap("p-AutoGrow minus seed", 0.5, "p-gau", "seed")});
    sweep();
    add("G9", "p-AutoGrow ends where the found network does from scratch", "−0.17 to +1.22 (residual)",
        {"p-gau", "scratch"},
        {between("points apart", Relation::kAtMost, 1, "points", "p-gau", "scratch",
                 [](const ArmFacts& p, const ArmFacts& s) { return std::fabs(test_gap(p, s)); })});
    add("G11", "GauInit does not lose to ZeroInit, in accuracy or depth (report)", "+0.70 points, +35 blocks",
        {"p-gau", "p-zero"},
        {gap("GauInit minus ZeroInit", -0.5, "p-gau", "p-zero"),
         deeper("blocks, GauInit minus ZeroInit", -3, "p-gau", "p-zero")});
    add("G12", "Growing before convergence does not lose to growing after it (report)", "+1.15 points",
        {"p-gau", "c-gau"}, {gap("p minus c", -0.3, "p-gau", "c-gau")});
  }

  void sweep() {
    std::vector<std::string> arms = {"p-gau"};
    arms.insert(arms.end(), std::begin(kSweep), std::end(kSweep));
    Condition near{"p-AutoGrow minus the best uniform depth", Relation::kAtLeast, -kNear, "points", 2, {}};
    Condition deep{
        "blocks beyond the least depth that is near the best", Relation::kAtLeast, 0, "blocks", 0, {}};
    for (const ArmFacts* p : facts_.seeds_of("p-gau")) {
      std::vector<const ArmFacts*> points;
      for (const char* arm : kSweep)
        if (const ArmFacts* f = facts_.find(arm, p->seed)) points.push_back(f);
      if (points.size() < std::size(kSweep)) continue;
      double best = 0;
      for (const ArmFacts* f : points) best = std::max(best, f->test);
      near.measured[p->seed] = p->test - best;
      const auto least = std::find_if(points.begin(), points.end(),
                                      [&](const ArmFacts* f) { return f->test >= best - kNear; });
      deep.measured[p->seed] = block_gap(*p, **least);
    }
    add("G8", "The found depth lies where accuracy over depth flattens", "figure 5", arms, {near, deep});
  }

  void plain() {
    add("G10a",
        "Plain networks: growing trains what training from scratch does not, same rate and epochs (report)",
        "+0.56 (Plain3Net, FashionMNIST, R), +6.49 (CIFAR-10, R)", {"plain-p-gau", "plain-scratch"},
        {gap("p-AutoGrow minus scratch", 0, "plain-p-gau", "plain-scratch")});
    add("G10b", "The same against 12-12-12 from scratch (report)", "figure 5: the deep end collapses",
        {"plain-p-gau", "plain-depth-12"},
        {gap("p-AutoGrow minus 12-12-12", 0, "plain-p-gau", "plain-depth-12")});
  }

  void baselines() {
    add("morphism",
        "Network Morphism from a converged shallow network ends below training from scratch (report)",
        "below, all pairs (table 2)", {"scratch", "morphism-zero"},
        {between("scratch minus morphism", Relation::kAbove, 0, "points", "scratch", "morphism-zero",
                 test_gap)});
  }

  void costs() {
    Condition ratio{"MACs of p-AutoGrow over training the found network for tail + J epochs",
                    Relation::kAtMost,
                    2,
                    "×",
                    2,
                    {}};
    const auto epochs = static_cast<double>(plan_.schedule.tail + plan_.schedule.window);
    for (const ArmFacts* f : facts_.seeds_of("p-gau"))
      ratio.measured[f->seed] = f->macs / (epochs * f->scratch_epoch_macs);
    add("G14", "Depth is found in about the time of one training", "", {"p-gau"}, {ratio});
  }

  const Plan& plan_;
  const Facts& facts_;
  const experiment::Options& options_;
  std::vector<Claim> claims_;
};

}  // namespace

std::vector<Claim> claims_of(const Plan& plan, const Facts& facts, const experiment::Options& options) {
  return Judge(plan, facts, options).all();
}

}  // namespace tenon::autogrow
