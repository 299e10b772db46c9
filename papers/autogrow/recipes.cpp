#include "papers/autogrow/recipes.h"

#include "papers/experiment/recipes.h"

namespace tenon::autogrow {
namespace {

struct Named {
  const char* arm;
  Initialiser initialiser;
};
const Named kInitialisers[] = {{"gau", Initialiser::gaussian},
                               {"zero", Initialiser::zero},
                               {"uni", Initialiser::uniform},
                               {"adam", Initialiser::adam}};

class Arms {
 public:
  Recipe& add(const std::string& arm, const std::string& label, Family family, Method method) {
    Recipe recipe;
    recipe.arm = arm, recipe.label = label, recipe.family = family, recipe.method = method;
    all_.push_back(std::move(recipe));
    return all_.back();
  }
  // A network of the depths that `like` found: as many epochs, or the schedule from scratch.
  Recipe& as_found(const std::string& arm, const std::string& label, const std::string& like,
                   bool same_epochs) {
    const Family family = find(like).family;
    Recipe& recipe = add(arm, label, family, Method::fixed);
    recipe.target = Target::found, recipe.like = like, recipe.same_epochs = same_epochs;
    return recipe;
  }
  std::vector<Recipe> take() { return std::move(all_); }

 private:
  const Recipe& find(const std::string& arm) const { return experiment::recipe_called(all_, arm); }
  std::vector<Recipe> all_;
};

std::vector<Recipe> all_recipes() {
  Arms arms;
  for (const Named& named : kInitialisers)
    arms.add(concat("p-", named.arm), concat("p-AutoGrow, ", name_of(named.initialiser)), Family::basic3,
             Method::grown)
        .initialiser = named.initialiser;
  arms.add("p-centred", "p-AutoGrow, UniInit as printed", Family::basic3, Method::grown).initialiser =
      Initialiser::centred;
  for (int64_t slower : {2, 4})
    arms.add(concat("p-gau-", slower, "k"), concat("p-AutoGrow, GauInit, ", slower, " K"), Family::basic3,
             Method::grown)
        .slower = slower;
  Recipe& quarter = arms.add("p-gau-quarter", "p-AutoGrow, GauInit, a quarter of the images", Family::basic3,
                             Method::grown);
  quarter.slower = 4, quarter.fraction = 0.25;
  arms.add("p-gau-reset", "p-AutoGrow, GauInit, momentum dropped", Family::basic3, Method::grown)
      .drops_momentum = true;
  for (const Named& named : kInitialisers) {
    Recipe& recipe = arms.add(concat("c-", named.arm), concat("c-AutoGrow, ", name_of(named.initialiser)),
                              Family::basic3, Method::grown);
    recipe.growth = Growth::convergent, recipe.initialiser = named.initialiser;
  }
  Recipe& stairs = arms.add("c-gau-stairs", "c-AutoGrow, GauInit, staircase", Family::basic3, Method::grown);
  stairs.growth = Growth::convergent, stairs.staircase = true;
  arms.add("clock", "clock alone", Family::basic3, Method::clock);
  Recipe& seed = arms.add("seed", "the seed network, as many epochs", Family::basic3, Method::fixed);
  seed.like = "p-gau", seed.same_epochs = true;
  arms.as_found("scratch", "the found network from scratch", "p-gau", false);
  for (const char* name : {"zero", "adam"}) {
    const Initialiser initialiser = name == std::string("zero") ? Initialiser::zero : Initialiser::adam;
    Recipe& recipe = arms.add(concat("morphism-", name), concat("Network Morphism, ", name_of(initialiser)),
                              Family::basic3, Method::morphism);
    recipe.initialiser = initialiser, recipe.target = Target::found, recipe.like = "p-gau";
  }
  for (int64_t depth : {1, 2, 3, 5, 8}) {
    Recipe& recipe = arms.add(concat("depth-", depth), concat(depth, "-", depth, "-", depth, " from scratch"),
                              Family::basic3, Method::fixed);
    recipe.target = Target::uniform, recipe.depth = depth;
  }
  arms.add("plain-p-gau", "p-AutoGrow", Family::plain3, Method::grown);
  arms.as_found("plain-scratch", "the found network from scratch, as many epochs", "plain-p-gau", true);
  Recipe& deepest = arms.add("plain-depth-12", "12-12-12 from scratch", Family::plain3, Method::fixed);
  deepest.target = Target::uniform, deepest.depth = 12, deepest.same_epochs = true,
  deepest.like = "plain-p-gau";
  const std::pair<const char*, Family> others[] = {
      {"basic4", Family::basic4}, {"bottleneck4", Family::bottleneck4}, {"plain4", Family::plain4}};
  for (const auto& [name, family] : others) {
    const std::string grown = concat(name, "-p-gau");
    arms.add(grown, "p-AutoGrow, GauInit", family, Method::grown);
    arms.as_found(concat(name, "-scratch"), "the found network from scratch", grown, is_plain(family));
  }
  return arms.take();
}

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = all_recipes();
  return all;
}

const Recipe& recipe_of(std::string_view arm) { return experiment::recipe_called(recipes(), arm); }

std::vector<std::string> with_needed(const std::vector<std::string>& arms) {
  return experiment::with_needed(recipes(), arms,
                                 [](const Recipe& recipe) { return std::vector{recipe.like}; });
}

double staircase(double rate, int64_t epoch, int64_t epochs) {
  return 4 * epoch >= 3 * epochs ? rate * 0.01 : 2 * epoch >= epochs ? rate * 0.1 : rate;
}

Schedule schedule_of(experiment::Scale scale) {
  Schedule s;
  switch (scale) {
    case experiment::Scale::kSmoke:
      s.batch = 50, s.interval = 1, s.window = 2, s.convergent_interval = 2, s.tau_images = 1;
      s.max_depth = 3, s.max_epochs = 6, s.tail = s.scratch = 2, s.width3 = s.width4 = 4;
      s.train = 300, s.validation = 200, s.test = 200;
      return s;
    case experiment::Scale::kScaled:
      s.batch = 64, s.interval = 1, s.window = 10, s.convergent_interval = 12, s.tau_images = 5;
      s.max_depth = 12, s.max_epochs = 45, s.tail = 20, s.scratch = 30, s.width3 = s.width4 = 8;
      s.train = 3000, s.validation = 2000;
      return s;
    case experiment::Scale::kPaper:
      return s;
  }
  fail("autogrow: no such scale");
}

experiment::ExperimentSpec experiment_spec() {
  experiment::ExperimentSpec spec;
  spec.name = "autogrow";
  spec.description =
      "AutoGrow (Wen, Yan, Chen, Li; KDD 2020): one training run in which blocks are appended while training "
      "goes "
      "on, until growing no longer pays. Beside it: the found networks from scratch, Network Morphism, "
      "uniform "
      "depths, and the clock alone.";
  spec.datasets = {"fashion_mnist", "mnist", "cifar10"};
  spec.arms = experiment::arms_of(recipes());
  spec.default_arms = {"p-gau",   "p-zero",  "p-gau-2k", "p-gau-4k",      "p-gau-quarter", "c-gau",
                       "clock",   "seed",    "scratch",  "morphism-zero", "depth-1",       "depth-2",
                       "depth-3", "depth-5", "depth-8",  "plain-p-gau",   "plain-scratch", "plain-depth-12"};
  return spec;
}

}  // namespace tenon::autogrow
