// Strengths: the authors' scripts end at 0.3, and train some 82,000 steps a stage; the scaled schedule has 3,700 and needs
// the upper end of what they tried. Hoyer-square has 2 Hoyer times Hoyer's gradient, and gets a tenth of its strengths.
#include "papers/svd_training/recipes.h"

#include "papers/experiment/recipes.h"

namespace tenon::svd_training {
namespace {

using experiment::Scale;

const std::vector<double> kFinetuned = {1e-2, 0.1, 0.2};
const std::vector<double> kUniform = {0.75, 0.5, 0.25};

struct Grid {
  Sparsifier sparsifier;
  const char* name;
  std::vector<double> strengths;
};
const std::vector<Grid>& grids() {
  static const std::vector<Grid> all = {{Sparsifier::hoyer, "hoyer", {0.1, 0.03, 0.3}},
                                        {Sparsifier::l1, "l1", {0.1, 0.03, 0.3}},
                                        {Sparsifier::hoyer_square, "hoyer-square", {0.01, 0.003, 0.03}}};
  return all;
}

// Stage 1 and every stage 2 of one scheme with one strength of the orthogonality penalty. `first_only` takes the first
// strength of each grid, and finetunes nothing: such arms are compared before that.
void add_trained(std::vector<Recipe>& all, LowRankScheme scheme, const std::string& prefix, double lambda_o,
                 bool first_only) {
  Recipe base;
  base.scheme = scheme;
  base.lambda_o = lambda_o;
  Recipe full = base;
  full.arm = prefix + "-full";
  full.label = "full rank";
  full.method = Method::full_rank;
  all.push_back(full);
  base.start = full.arm;
  if (!first_only) base.points = kFinetuned;
  Recipe none = base;
  none.arm = prefix + "-none";
  none.label = "none";
  all.push_back(none);
  for (const Grid& grid : grids())
    for (double lambda : grid.strengths) {
      if (first_only && lambda != grid.strengths.front()) continue;
      Recipe recipe = base;
      recipe.arm = concat(prefix, "-", grid.name, "-", lambda);
      recipe.label = name_of(grid.sparsifier);
      recipe.sparsifier = grid.sparsifier;
      recipe.lambda_s = lambda;
      all.push_back(recipe);
    }
}

void add_post_hoc(std::vector<Recipe>& all, LowRankScheme scheme, PostHoc post_hoc, const char* name,
                  const char* label) {
  Recipe recipe;
  recipe.arm = concat("post-hoc-", name_of(scheme), "-", name);
  recipe.label = label;
  recipe.method = Method::post_hoc;
  recipe.scheme = scheme;
  recipe.lambda_o = 0;
  recipe.post_hoc = post_hoc;
  recipe.start = "dense-sgd";
  recipe.points = post_hoc == PostHoc::uniform ? kUniform : kFinetuned;
  all.push_back(recipe);
}

Recipe dense_recipe(const char* arm, OptimizerKind optimizer) {
  Recipe recipe;
  recipe.arm = arm;
  recipe.label = optimizer == OptimizerKind::sgd ? "dense, SGD" : "dense, Adam";
  recipe.method = Method::dense;
  recipe.lambda_o = 0;
  recipe.optimizer = optimizer;
  return recipe;
}

Recipe filter_recipe(const char* arm, const char* label, FilterNorm filters) {
  Recipe recipe;
  recipe.arm = arm;
  recipe.label = label;
  recipe.method = Method::filters;
  recipe.lambda_o = 0;
  recipe.filters = filters;
  recipe.start = "dense-sgd";
  recipe.points = kUniform;
  return recipe;
}

Recipe variant_of(const std::vector<Recipe>& all, const std::string& arm, const std::string& name,
                  Method method) {
  Recipe recipe = experiment::recipe_called(all, arm);
  recipe.arm = name;
  recipe.method = method;
  return recipe;
}

std::vector<Recipe> conv_recipes() {
  std::vector<Recipe> all = {dense_recipe("dense-sgd", OptimizerKind::sgd),
                             dense_recipe("dense-adam", OptimizerKind::adam)};
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial}) {
    const std::string name = name_of(scheme);
    add_trained(all, scheme, name, 1, false);
    add_trained(all, scheme, name + "-free", 0, true);
    Recipe retracted = variant_of(all, name + "-hoyer-0.1", name + "-retract-hoyer-0.1", Method::sparsified);
    retracted.lambda_o = 0;
    retracted.retracted = true;
    all.push_back(retracted);
    Recipe fixed = variant_of(all, name + "-hoyer-0.1", name + "-fixed-rank", Method::fixed_rank);
    fixed.label = "fixed rank from scratch";
    fixed.sparsifier = Sparsifier::none;
    fixed.lambda_s = 0;
    fixed.start = name + "-hoyer-0.1";
    all.push_back(fixed);
    add_post_hoc(all, scheme, PostHoc::energy, "energy", "post-hoc SVD");
    add_post_hoc(all, scheme, PostHoc::uniform, "uniform", "post-hoc SVD, uniform");
  }
  add_post_hoc(all, LowRankScheme::channel, PostHoc::data, "data", "post-hoc, data-driven");
  all.push_back(filter_recipe("filters-l1", "filters, L1", FilterNorm::l1));
  all.push_back(filter_recipe("filters-fpgm", "filters, FPGM", FilterNorm::median));
  return all;
}

// The authors' prototype has one strength of each penalty.
std::vector<Recipe> mlp_recipes() {
  std::vector<Recipe> all = {dense_recipe("dense-adam", OptimizerKind::adam)};
  Recipe full;
  full.arm = "full";
  full.label = "full rank";
  full.method = Method::full_rank;
  full.lambda_o = 0.1;
  all.push_back(full);
  Recipe stage2 = full;
  stage2.method = Method::sparsified;
  stage2.start = "full";
  stage2.points = {1e-3, 1e-2, 0.1};
  stage2.arm = "none";
  stage2.label = "none";
  all.push_back(stage2);
  stage2.lambda_s = 1e-3;
  for (const Grid& grid : grids()) {
    stage2.arm = grid.name;
    stage2.label = name_of(grid.sparsifier);
    stage2.sparsifier = grid.sparsifier;
    all.push_back(stage2);
  }
  return all;
}

std::vector<float> repeated(float value, int64_t channels) {
  return std::vector<float>(static_cast<size_t>(channels), value);
}

Task mlp_task(const experiment::Options& options) {
  Task task;
  task.network = Network::lenet_300_100;
  task.start = Start::random;
  task.schedule = options.scale == Scale::kPaper ? Schedule{250, 250, 250, 100} : Schedule{3, 4, 1, 100};
  if (options.scale == Scale::kScaled)
    task.images = {.train = 12000, .validation = 2000, .test = 5000, .augment = {}};
  if (options.scale == Scale::kSmoke) {
    task.schedule = {1, 1, 1, 100};
    task.images = {.train = 1000, .validation = 300, .test = 300, .augment = {}};
  }
  return task;
}

Task conv_task(const experiment::Options& options) {
  Task task;
  const bool cifar = options.data == "cifar10", paper = options.scale == Scale::kPaper;
  task.network = cifar ? Network::resnet_20 : Network::resnet_8;
  task.images.augment.horizontal_flip = true;
  if (cifar) {
    task.images.augment.padding = 4;
    task.images.augment.mean = {0.4914F, 0.4822F, 0.4465F};
    task.images.augment.std = {0.2470F, 0.2435F, 0.2616F};
    task.schedule = {5, 10, 3, 100};
    if (!paper) task.images.train = 10000, task.images.test = 5000;
  } else {
    task.images.pool = 2;
    task.images.augment.padding = 2;
    task.images.augment.mean = repeated(0.2860F, 1);
    task.images.augment.std = repeated(0.3530F, 1);
    task.schedule = {10, 20, 6, 64};
    if (!paper) task.images.train = 12000, task.images.test = 5000;
  }
  task.images.validation = 2000;
  if (paper) task.schedule = {164, 164, 164, 100};
  if (options.scale == Scale::kSmoke) {
    task.schedule = {1, 1, 1, 64};
    task.images.train = 320;
    task.images.validation = task.images.test = 200;
  }
  return task;
}

}  // namespace

const Recipe& Study::recipe(std::string_view arm) const { return experiment::recipe_called(recipes, arm); }

experiment::ExperimentSpec Study::spec() const {
  experiment::ExperimentSpec out;
  out.name = name;
  out.description = description;
  out.datasets = datasets;
  out.arms = experiment::arms_of(recipes);
  out.default_arms = default_arms;
  return out;
}

const Study& conv_study() {
  static const Study study = {
      "svd_training",
      "SVD training (Yang et al.; CVPR-W 2020): convolutions as factors U, s, V, trained with an "
      "orthogonality penalty and a "
      "sparsity penalty on s, pruned by energy and finetuned, against the factorisations and prunings it was "
      "compared with.",
      {"fashion_mnist", "cifar10"},
      {"dense-sgd", "dense-adam", "channel-full", "channel-none", "channel-hoyer-0.1", "channel-l1-0.1",
       "channel-free-full", "channel-free-hoyer-0.1", "channel-free-l1-0.1", "spatial-full", "spatial-none",
       "spatial-hoyer-0.1", "spatial-l1-0.1", "post-hoc-channel-energy", "post-hoc-spatial-energy",
       "filters-l1"},
      conv_recipes()};
  return study;
}

const Study& mlp_study() {
  static const Study study = {
      "svd_training_mlp",
      "The prototype of SVD training on fully connected layers: LeNet-300-100 as factors U, s, V.",
      {"fashion_mnist", "mnist"},
      {},
      mlp_recipes()};
  return study;
}

Task task_of(const Study& study, const experiment::Options& options, const Lengths& lengths) {
  Task task = &study == &mlp_study() ? mlp_task(options) : conv_task(options);
  const auto replace = [](int64_t& own, int64_t wanted) {
    if (wanted > 0) own = wanted;
  };
  replace(task.images.train, lengths.train_images);
  replace(task.schedule.stage1, lengths.stage1);
  replace(task.schedule.stage2, lengths.stage2);
  replace(task.schedule.finetune, lengths.finetune);
  return task;
}

const std::vector<double>& curve_energies() {
  static const std::vector<double> all = {1e-5, 1e-3, 1e-2, 3e-2, 0.1, 0.2, 0.3};
  return all;
}

std::string point_label(const Recipe& recipe, double point) {
  if (recipe.method == Method::filters) return concat(100 * point, " % of the filters");
  if (recipe.method == Method::post_hoc && recipe.post_hoc == PostHoc::uniform)
    return concat(100 * point, " % of the ranks");
  return concat("e ", point);
}

std::string point_stage(double point) { return concat("finetune-", point); }

}  // namespace tenon::svd_training
