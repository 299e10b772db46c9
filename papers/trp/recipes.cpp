#include "papers/trp/recipes.h"

#include <algorithm>
#include <functional>

#include "papers/experiment/recipes.h"

namespace tenon::trp {
namespace {

constexpr double kLambda = 3e-4;  // IJCAI, section 4
const std::vector<double> kSpeedUps = {1.3, 1.6, 2, 2.5, 3, 3.7};

const char* short_name(LowRankScheme scheme) {
  return scheme == LowRankScheme::decoupled ? "nd" : name_of(scheme);
}

// Arms are added scheme by scheme, and then sorted by method alone: what is trained first stands first.
class Arms {
 public:
  Arms() {
    all_.push_back({.arm = "baseline",
                    .label = "baseline",
                    .method = Method::dense,
                    .start = {},
                    .like = {},
                    .speed_ups = {}});
  }

  void nu(LowRankScheme scheme) {
    add({.arm = concat("nu-", short_name(scheme)),
         .label = "Nu",
         .method = Method::dense,
         .scheme = scheme,
         .lambda = kLambda,
         .start = {},
         .like = {},
         .speed_ups = {}});
  }
  std::string trp(LowRankScheme scheme, double energy, double lambda) {
    const std::string arm = concat(lambda > 0 ? "trp-nu-" : "trp-", short_name(scheme), "-", energy);
    add({.arm = arm,
         .label = lambda > 0 ? "TRP+Nu" : "TRP",
         .method = Method::trp,
         .scheme = scheme,
         .energy = energy,
         .lambda = lambda,
         .start = {},
         .like = {},
         .speed_ups = {}});
    return arm;
  }
  void cut(const char* name, const char* label, Method method, LowRankScheme scheme,
           const std::string& start) {
    add({.arm = name,
         .label = label,
         .method = method,
         .scheme = scheme,
         .start = start,
         .like = {},
         .speed_ups = kSpeedUps});
  }
  void like(const char* prefix, const char* label, Method method, LowRankScheme scheme,
            const std::string& trp) {
    add({.arm = prefix + trp,
         .label = label,
         .method = method,
         .scheme = scheme,
         .start = method == Method::scratch ? "" : "baseline",
         .like = trp,
         .speed_ups = {}});
  }

  std::vector<Recipe> take() {
    std::stable_sort(all_.begin(), all_.end(),
                     [](const Recipe& a, const Recipe& b) { return a.method < b.method; });
    return std::move(all_);
  }

 private:
  void add(Recipe recipe) { all_.push_back(std::move(recipe)); }
  std::vector<Recipe> all_;
};

std::vector<Recipe> ijcai_recipes() {
  Arms arms;
  for (LowRankScheme scheme : {LowRankScheme::spatial, LowRankScheme::channel}) {
    arms.nu(scheme);
    for (double energy : {0.02, 0.05, 0.01, 0.1, 0.005}) {
      const std::string trp = arms.trp(scheme, energy, 0);
      arms.trp(scheme, energy, kLambda);
      arms.like("basic-as-", "basic", Method::basic, scheme, trp);
      arms.like("random-ranks-", "random ranks", Method::random_ranks, scheme, trp);
      arms.like("scratch-", "low rank from scratch", Method::scratch, scheme, trp);
    }
    const std::string name = name_of(scheme);
    arms.cut(concat("basic-", name).c_str(), "basic", Method::basic, scheme, "baseline");
    arms.cut(concat("basic-nu-", name).c_str(), "basic+Nu", Method::basic, scheme, concat("nu-", name));
  }
  arms.cut("zhang", "data-driven", Method::data_driven, LowRankScheme::channel, "baseline");
  arms.cut("filters", "L1 filters", Method::filters, LowRankScheme::channel, "baseline");
  return arms.take();
}

std::vector<Recipe> workshop_recipes() {
  Arms arms;
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial, LowRankScheme::decoupled}) {
    for (double energy : {0.02, 0.05}) {
      const std::string trp = arms.trp(scheme, energy, 0);
      arms.trp(scheme, energy, kLambda);
      arms.like("basic-as-", "basic", Method::basic, scheme, trp);
    }
    arms.cut(concat("basic-", short_name(scheme)).c_str(), "basic", Method::basic, scheme, "baseline");
  }
  return arms.take();
}

}  // namespace

const std::vector<Recipe>& recipes(Row row) {
  static const std::vector<Recipe> workshop = workshop_recipes(), ijcai = ijcai_recipes();
  return row == Row::workshop ? workshop : ijcai;
}

const Recipe& recipe_of(Row row, std::string_view arm) {
  return experiment::recipe_called(recipes(row), arm);
}

std::vector<std::string> with_needed(Row row, const std::vector<std::string>& arms) {
  return experiment::with_needed(recipes(row), arms, [](const Recipe& recipe) {
    return std::vector{recipe.start, recipe.like};
  });
}

Schedule schedule_of(experiment::Scale scale) {
  switch (scale) {
    case experiment::Scale::kSmoke:
      return {.epochs = 2, .finetune_epochs = 1, .batch = 50, .milestones = {1}, .period = 5};
    case experiment::Scale::kScaled:
      return {.epochs = 12, .finetune_epochs = 1, .batch = 64, .milestones = {6, 9}};
    case experiment::Scale::kPaper:
      return {.epochs = 164, .finetune_epochs = 4, .batch = 128, .milestones = {82, 122}};
  }
  fail("trp: no such scale");
}

Schedule with_epochs(Schedule schedule, int64_t epochs) {
  for (int64_t& milestone : schedule.milestones) milestone = milestone * epochs / schedule.epochs;
  schedule.epochs = epochs;
  return schedule;
}

experiment::ExperimentSpec experiment_spec(Row row) {
  experiment::ExperimentSpec spec;
  spec.datasets = {"fashion_mnist", "cifar10"};
  spec.arms = experiment::arms_of(recipes(row));
  if (row == Row::workshop) {
    spec.name = "trp_workshop";
    spec.description =
        "Trained Rank Pruning (Xu et al.; NeurIPS-EMC2 2019): convolutions cut to low rank while they train, "
        "under three "
        "schemes, against the decomposition of a trained network.";
    spec.default_arms = {"baseline"};
    for (const char* scheme : {"channel", "spatial", "nd"})
      for (const char* arm : {"trp-", "trp-nu-", "basic-as-trp-"})
        spec.default_arms.push_back(concat(arm, scheme, "-0.02"));
  } else {
    spec.name = "trp_ijcai";
    spec.description =
        "TRP: Trained Rank Pruning for Efficient Deep Neural Networks (Xu et al.; IJCAI 2020): four arms "
        "under two schemes, "
        "the theorem on ranks checked as they train, and the baselines.";
    spec.default_arms = {"baseline",
                         "nu-spatial",
                         "trp-spatial-0.02",
                         "trp-nu-spatial-0.02",
                         "trp-spatial-0.05",
                         "trp-channel-0.02",
                         "basic-spatial",
                         "basic-nu-spatial",
                         "basic-as-trp-spatial-0.02",
                         "basic-as-trp-spatial-0.05",
                         "basic-as-trp-channel-0.02",
                         "scratch-trp-spatial-0.02"};
  }
  return spec;
}

}  // namespace tenon::trp
