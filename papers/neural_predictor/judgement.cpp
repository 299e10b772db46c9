#include "papers/neural_predictor/judgement.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "papers/neural_predictor/metrics.h"
#include "papers/neural_predictor/published.h"

namespace tenon::neural_predictor {
namespace {

using experiment::Claim;
using experiment::Condition;
using experiment::Relation;
using Measured = std::map<int64_t, double>;
using Arms = std::vector<const ArmFacts*>;
using Figure = std::function<double(const Arms&)>;

constexpr int64_t kTrained = 272;  // N = 172 and the 100 best predicted

double median_first(const ArmFacts* arm, size_t target) {
  return target < arm->first.size() ? median(arm->first[target]) : NAN;
}

class Judge {
 public:
  Judge(const Facts& facts, const Problems& problems, const experiment::Options& options)
      : facts_(facts), problems_(problems), options_(options) {}

  std::vector<Claim> all() {
    space();
    baselines();
    symmetry();
    exact_search();
    noisy_search();
    errors();
    networks();
    variations();
    chains();
    sweep();
    payments();
    return std::move(claims_);
  }

 private:
  // A figure of several arms, for each seed that has them all.
  Measured measured(const std::vector<std::string>& arms, const Figure& figure) const {
    Measured out;
    for (int64_t seed : options_.seed_list()) {
      Arms found;
      for (const std::string& arm : arms) found.push_back(facts_.find(arm, seed));
      if (std::find(found.begin(), found.end(), nullptr) == found.end()) out[seed] = figure(found);
    }
    return out;
  }

  // `at_smoke_scale`: the claim can be judged there too.
  void add(const char* id, const std::string& statement, const char* published,
           const std::vector<std::string>& arms, std::vector<Condition> conditions,
           bool at_smoke_scale = false) {
    Claim claim;
    claim.id = id;
    claim.statement = statement;
    claim.published = published;
    claim.conditions = std::move(conditions);
    for (const std::string& arm : arms)
      if (!options_.has_arm(arm)) claim.missing_arms.push_back(arm);
    if (!at_smoke_scale && options_.scale == experiment::Scale::kSmoke)
      claim.not_comparable =
          "smoke scale is a check of the program: few runs, few candidates, hardly trained predictors";
    claims_.push_back(std::move(claim));
  }

  void space() {
    const auto found = problems_.find(Benchmark::nasbench101);
    Measured cells, wrong;
    if (found != problems_.end()) {
      cells[options_.seed] = static_cast<double>(found->second.graphs.size());
      wrong[options_.seed] = static_cast<double>(found->second.wrong_parameters);
    }
    add("P1", "Enumeration gives every cell of NAS-Bench-101, and the parameter count of each is the table's",
        "423,624", {},
        {{"cells", Relation::kAtLeast, 423624, "", 0, cells},
         {"cells, at most", Relation::kAtMost, 423624, "", 0, cells},
         {"cells of other parameters", Relation::kAtMost, 0, "", 0, wrong}},
        true);
  }

  // Both random searches and evolution against another program's curves.
  void baselines() {
    const auto difference = [](const ReferenceCurve& reference, int64_t above, int64_t most) {
      return [&reference, above, most](const Arms& arms) {
        double largest = 0;
        for (const ReferencePoint& point : reference.points)
          if (point.trained > above && point.trained <= most)
            largest = std::max(largest, std::fabs(arms[0]->mean_at(point.trained) - point.accuracy));
        return largest;
      };
    };
    std::vector<std::string> arms;
    std::vector<Condition> conditions;
    for (const ReferenceCurve& reference : reference_curves()) {
      arms.push_back(reference.arm);
      conditions.push_back({concat(reference.arm, ", largest difference up to n = 1,000"), Relation::kAtMost,
                            0.03, "points", 3, measured({reference.arm}, difference(reference, 0, 1000))});
      conditions.push_back({concat(reference.arm, ", beyond"), Relation::kAtMost, 0.02, "points", 3,
                            measured({reference.arm}, difference(reference, 1000, 10000))});
    }
    add("P2", "Random search and evolution draw the curves that another program drew on the same table", "",
        arms, std::move(conditions));
  }

  void symmetry() {
    const std::vector<std::string> arms = {"one-stage"};
    const auto largest = [&](const char* name) {
      return measured(arms, [name](const Arms& found) {
        const std::vector<double>& values = found[0]->metrics.at(name);
        return *std::max_element(values.begin(), values.end());
      });
    };
    const auto smallest = [&](const char* name) {
      return measured(arms, [name](const Arms& found) {
        const std::vector<double>& values = found[0]->metrics.at(name);
        return *std::min_element(values.begin(), values.end());
      });
    };
    add("P3",
        "Predictions do not depend on the order of the vertices, padding or layout, and do on the edges' "
        "direction",
        "", arms,
        {{"relative change, permuted", Relation::kAtMost, 1e-5, "", 8, largest("permuted")},
         {"padded", Relation::kAtMost, 1e-5, "", 8, largest("padded")},
         {"as one sparse matrix", Relation::kAtMost, 1e-5, "", 8, largest("linked")},
         {"median change, edges reversed", Relation::kAbove, 1e-4, "", 5, smallest("reversed")}},
        true);
  }

  void exact_search() {
    const std::vector<std::string> both = {"one-stage", "evolution"};
    add("P4",
        "Noise-free, the predictor's pick after 272 trainings is as good as evolution's after 20 times as "
        "many",
        "more than 20 times as sample-efficient", both,
        {{"predictor at 272 − evolution at 5,440", Relation::kAtLeast, -0.01, "points", 3,
          measured(both, [](const Arms& arms) {
            return arms[0]->mean_at(kTrained) - arms[1]->mean_at(20 * kTrained);
          })}});
    const auto ratio = [&](size_t target) {
      return measured(both, [target](const Arms& arms) {
        return median_first(arms[1], target) / median_first(arms[0], target);
      });
    };
    add("P5",
        "Noise-free, the predictor reaches the best cells in far fewer trainings than evolution (medians)",
        "more than 20 times", both,
        {{"evolution / predictor, to 94.22 %", Relation::kAtLeast, 2.5, "times", 2, ratio(0)},
         {"to the second best cell", Relation::kAtLeast, 12, "times", 2, ratio(1)}});
  }

  void noisy_search() {
    const std::vector<std::string> noisy = {"one-stage-noisy", "evolution-noisy"};
    add("P6", "Under simulated noise of one evaluation, the predictor is ahead of evolution at 272 trainings",
        "more than 20 times", noisy,
        {{"predictor − evolution", Relation::kAtLeast, 0.12, "points", 3,
          measured(noisy,
                   [](const Arms& arms) { return arms[0]->mean_at(kTrained) - arms[1]->mean_at(kTrained); })},
         {"trainings that evolution needs, over 272", Relation::kAtLeast, 2, "times", 2,
          measured(noisy, [](const Arms& arms) {
            return arms[1]->trainings_for(arms[0]->mean_at(kTrained)) / static_cast<double>(kTrained);
          })}});
    const std::vector<std::string> exact = {"one-stage", "random"},
                                   simulated = {"one-stage-noisy", "random-noisy"};
    const auto ahead = [](const Arms& arms) { return arms[0]->mean_at(kTrained) - arms[1]->mean_at(5000); };
    add("P7", "The predictor at 272 trainings is ahead of random search at 5,000", "",
        {"one-stage", "random", "one-stage-noisy", "random-noisy"},
        {{"noise-free", Relation::kAtLeast, 0, "points", 3, measured(exact, ahead)},
         {"simulated noise", Relation::kAtLeast, 0, "points", 3, measured(simulated, ahead)}});
  }

  void errors() {
    const std::vector<std::string> both = {"two-stage", "one-stage"};
    add("P8", "Two stages: on cells of 91 % and more the error is at most half that of one stage",
        "0.66 against 1.95", both,
        {{"MSE of two stages / of one", Relation::kAtMost, 0.5, "", 3, measured(both, [](const Arms& arms) {
            return arms[0]->metric("mse-91") / arms[1]->metric("mse-91");
          })}});
  }

  void networks() {
    const std::vector<std::string> all = {"one-stage", "mlp", "cnn"};
    const auto ahead = [](size_t first, size_t second) {
      return
          [=](const Arms& arms) { return arms[first]->mean_at(kTrained) - arms[second]->mean_at(kTrained); };
    };
    add("P9",
        "The graph network is ahead of an MLP, and that of a CNN, in the pick's accuracy at n = 272 "
        "(reported)",
        "GCN best, CNN near random search", all,
        {{"graph network − MLP", Relation::kAbove, 0, "points", 3, measured(all, ahead(0, 1))},
         {"MLP − CNN", Relation::kAbove, 0, "points", 3, measured(all, ahead(1, 2))}});
  }

  void variations() {
    const auto ahead = [](const Arms& arms) {
      return arms[0]->metric("precision") - arms[1]->metric("precision");
    };
    const std::vector<std::string> edges = {"one-stage", "undirected"}, layers = {"one-stage", "one-layer"};
    add("P10",
        "Directions of edges and three layers help: the true top 0.1 % among the 100 best predicted "
        "(reported)",
        "", {"one-stage", "undirected", "one-layer"},
        {{"directed − undirected", Relation::kAbove, 0, "", 3, measured(edges, ahead)},
         {"L = 3 − L = 1", Relation::kAbove, 0, "", 3, measured(layers, ahead)}});
  }

  void chains() {
    const std::vector<std::string> both = {"macro-9-layers", "macro-3-layers"};
    add("P11", "On chains of ten vertices nine layers rank better than three", "", both,
        {{"tau of L = 9 − of L = 3", Relation::kAbove, 0, "", 3,
          measured(both, [](const Arms& arms) { return arms[0]->metric("tau") - arms[1]->metric("tau"); })}});
  }

  void sweep() {
    const std::vector<std::string> all = {"one-stage-43-noisy", "one-stage-86-noisy", "one-stage-noisy",
                                          "one-stage-344-noisy"},
                                   one = {"one-stage-noisy"};
    add("P13",
        "Neither the smallest nor the largest N is best at 400 trainings; under noise more candidates make "
        "the "
        "pick worse (reported)",
        "", all,
        {{"best inner N − best outer N at n = 400", Relation::kAbove, 0, "points", 3,
          measured(all,
                   [](const Arms& arms) {
                     const auto at = [&](size_t i) { return arms[i]->mean_at(400); };
                     return std::max(at(1), at(2)) - std::max(at(0), at(3));
                   })},
         {"K = 828 − K = 100", Relation::kBelow, 0, "points", 3, measured(one, [](const Arms& arms) {
            return arms[0]->mean_at(1000) - arms[0]->mean_at(kTrained);
          })}});
  }

  // The ledger throws when an accuracy is read that was not paid for; here its count is compared with N + K.
  void payments() {
    std::vector<Condition> conditions;
    std::vector<std::string> arms;
    for (const std::string& arm : options_.arms) {
      if (!uses_predictor(recipe_of(arm).method)) continue;
      arms.push_back(arm);
    }
    Measured unpaid;
    for (int64_t seed : options_.seed_list())
      for (const std::string& arm : arms)
        if (const ArmFacts* facts = facts_.find(arm, seed))
          unpaid[seed] = std::max(unpaid[seed], std::fabs(facts->metric("unpaid")));
    add("P14", "No accuracy is read before it is paid for", "", {},
        {{"trainings paid beyond N + K", Relation::kAtMost, 0, "", 0, unpaid}}, true);
  }

  const Facts& facts_;
  const Problems& problems_;
  const experiment::Options& options_;
  std::vector<Claim> claims_;
};

}  // namespace

const ArmFacts* Facts::find(std::string_view arm, int64_t seed) const {
  for (const ArmFacts& facts : arms)
    if (facts.recipe->arm == arm && facts.seed == seed) return &facts;
  return nullptr;
}

const ArmFacts* Facts::find(std::string_view arm) const {
  for (const ArmFacts& facts : arms)
    if (facts.recipe->arm == arm) return &facts;
  return nullptr;
}

Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms,
                   const std::vector<int64_t>& seeds) {
  Facts facts;
  for (const std::string& arm : arms)
    for (int64_t seed : seeds)
      facts.arms.push_back(facts_of(recipe_of(arm), seed, plan.folder->arm(arm, seed).result()));
  return facts;
}

std::vector<Claim> claims_of(const Facts& facts, const Problems& problems,
                             const experiment::Options& options) {
  return Judge(facts, problems, options).all();
}

}  // namespace tenon::neural_predictor
