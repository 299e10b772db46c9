#include "papers/svd_training/arms.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "nn/checkpoint.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
#include "nn/norm.h"
#include "papers/experiment/pair.h"
#include "papers/svd_training/baselines.h"
#include "papers/svd_training/hooks.h"
#include "papers/svd_training/pruning.h"

namespace tenon::svd_training {
namespace {

using experiment::Stage;

constexpr uint64_t kFactorStream = 100;  // of the seed; models draw from streams numbered from 0
constexpr int64_t kStatisticsImages = 2000, kStatisticsBatch = 100;

bool is_factored(const Recipe& recipe) {
  return recipe.method != Method::dense && recipe.method != Method::filters;
}

// Times 0.1 at one half and at three quarters; a stage too short for that keeps its rate.
experiment::LearningRate stepped(double rate, int64_t epochs) {
  return epochs < 4 ? experiment::stepped_rate(rate, {})
                    : experiment::stepped_rate(rate, {epochs / 2, epochs * 3 / 4});
}

int64_t epochs_of_arm(const Recipe& recipe, const Schedule& schedule) {
  const auto points = static_cast<int64_t>(recipe.points.size());
  const int64_t both = schedule.stage1 + schedule.stage2;
  switch (recipe.method) {
    case Method::dense:
      return both;
    case Method::full_rank:
      return schedule.stage1;
    case Method::sparsified:
      return schedule.stage2 + points * schedule.finetune;
    case Method::fixed_rank:
      return points * (both + schedule.finetune);
    default:
      return points * schedule.finetune;
  }
}

// The stages of one pair, and what they leave.
class Pair : public experiment::Pair<Plan, Recipe> {
 public:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm)
      : experiment::Pair<Plan, Recipe>(plan, recipe, arm, epochs_of_arm(recipe, plan.task.schedule)) {}

  Json run() {
    switch (recipe_.method) {
      case Method::dense:
        dense();
        break;
      case Method::full_rank:
        full_rank();
        break;
      case Method::sparsified:
        sparsified();
        break;
      case Method::post_hoc:
      case Method::filters:
        from_dense();
        break;
      case Method::fixed_rank:
        fixed_rank();
        break;
    }
    return result_;
  }

 private:
  const Schedule& schedule() const { return plan_.task.schedule; }

  // A stage of a factored network with its penalties, or of another one without.
  void train(const std::string& name, int64_t epochs, Module& net, Sparsifier sparsifier) {
    Stage stage;
    stage.name = name;
    stage.epochs = epochs;
    stage.batch = schedule().batch;
    const bool sgd = recipe_.optimizer == OptimizerKind::sgd;
    stage.lr = stepped(sgd ? 0.1 : 1e-3, epochs);
    stage.make_optimizer = [sgd](const Module& module) -> std::unique_ptr<Optimizer> {
      if (sgd)
        return std::make_unique<SGD>(module.named_parameters(),
                                     SgdOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-4});
      return std::make_unique<Adam>(module.named_parameters(), AdamOptions{.lr = 1e-3});
    };
    FactorHooks hooks(net, recipe_, sparsifier);
    if (is_factored(recipe_)) hooks.attach(stage);
    runner_.run(stage, net);
  }

  void dense() {
    auto net = make_dense(plan_, arm_.seed());
    net->to(plan_.device);
    train("dense", schedule().stage1 + schedule().stage2, *net, Sparsifier::none);
    result_["before"] = accuracies(*net);
  }

  void full_rank() {
    std::shared_ptr<Sequential> net =
        plan_.from_checkpoint ? load_stage(plan_, plan_.study->recipe("dense-adam"), arm_.seed(), "dense")
                              : make_dense(plan_, arm_.seed());
    Generator generator(static_cast<uint64_t>(arm_.seed()), kFactorStream);
    factorise(*net, recipe_.scheme, plan_.task.start, generator);
    net->to(plan_.device);
    train("stage1", schedule().stage1, *net, Sparsifier::none);
    result_["before"] = accuracies(*net);
  }

  void sparsified() {
    auto net = load_stage(plan_, plan_.study->recipe(recipe_.start), arm_.seed(), "stage1");
    if (plan_.standardised) standardise(*net);
    net->to(plan_.device);
    train("stage2", schedule().stage2, *net, recipe_.sparsifier);
    if (plan_.standardised) standardise(*net);
    result_["before"] = accuracies(*net);
    curve(*net);
    const State before = clone_state(net->state());
    for (double e : recipe_.points) {
      fit_ranks(*net, before);
      net->load_state(before);
      remove_columns(*net, columns_to_keep(*net, e));
      finetune(*net, e);
    }
  }

  // What is left at every energy, without finetuning.
  void curve(Module& net) {
    const State before = clone_state(net.state());
    result_["curve"] = Json::array();
    for (double e : curve_energies()) {
      const Kept kept = columns_to_keep(net, e);
      Json at = Json::object({{"e", e}, {"energy_lost", energy_lost(net, kept)}});
      remove_columns(net, kept);
      at["rank"] = total_rank(svd_layers(net), 0);
      at["macs"] = inference_macs(net, plan_.problem->image);
      at["raw"] = accuracies(net);
      estimate_statistics(net, statistics_images(*plan_.problem), kStatisticsBatch);
      at["estimated"] = accuracies(net);
      result_["curve"].push_back(std::move(at));
      fit_ranks(net, before);
      net.load_state(before);
    }
  }

  void from_dense() {
    for (double point : recipe_.points) {
      auto net = load_stage(plan_, plan_.study->recipe(recipe_.start), arm_.seed(), "dense");
      cut_dense(recipe_, point, *plan_.problem, *net);
      net->to(plan_.device);
      finetune(*net, point);
    }
  }

  void fixed_rank() {
    for (double point : recipe_.points) {
      auto net = make_dense(plan_, arm_.seed());
      Generator generator(static_cast<uint64_t>(arm_.seed()), kFactorStream);
      factorise(*net, recipe_.scheme, plan_.task.start, generator);
      auto found = load_stage(plan_, plan_.study->recipe(recipe_.start), arm_.seed(), point_stage(point));
      truncate_like(*net, *found);
      net->to(plan_.device);
      train(point_stage(point), schedule().stage1 + schedule().stage2 + schedule().finetune, *net,
            Sparsifier::none);
      add_point(point, Json(), Json(), *net);
    }
  }

  void finetune(Module& net, double point) {
    Json raw = accuracies(net);
    estimate_statistics(net, statistics_images(*plan_.problem), kStatisticsBatch);
    Json estimated = accuracies(net);
    train(point_stage(point), schedule().finetune, net, Sparsifier::none);
    add_point(point, std::move(raw), std::move(estimated), net);
  }

  void add_point(double point, Json raw, Json estimated, Module& net) {
    if (result_.find("points") == nullptr) result_["points"] = Json::array();
    result_["points"].push_back(Json::object({{"point", point},
                                              {"raw", std::move(raw)},
                                              {"estimated", std::move(estimated)},
                                              {"final", accuracies(net)}}));
  }
};

}  // namespace

std::string last_stage(const Recipe& recipe) {
  switch (recipe.method) {
    case Method::dense:
      return "dense";
    case Method::full_rank:
      return "stage1";
    default:
      return "stage2";
  }
}

int64_t total_epochs(const Plan& plan, const Recipe& recipe) {
  const Schedule& s = plan.task.schedule;
  switch (recipe.method) {
    case Method::dense:
      return s.stage1 + s.stage2;
    case Method::full_rank:
      return s.stage1;
    default:
      return s.stage1 + s.stage2 + s.finetune;
  }
}

Tensor statistics_images(const experiment::ImageProblem& problem) {
  std::vector<int64_t> first = problem.train;
  first.resize(std::min<size_t>(first.size(), kStatisticsImages));
  Augmentation normalised;
  normalised.mean = problem.augment.mean;
  normalised.std = problem.augment.std;
  DataLoader loader(
      problem.source, first,
      {.batch_size = static_cast<int64_t>(first.size()), .shuffle = false, .augment = normalised});
  Batch batch;
  TENON_CHECK(loader.next(batch), "svd_training: there are no training images");
  return batch.images;
}

std::shared_ptr<Sequential> make_dense(const Plan& plan, int64_t seed) {
  Generator generator(static_cast<uint64_t>(seed));
  if (plan.task.network == Network::lenet_300_100) return make_lenet_300_100(generator);
  return make_named_resnet(plan.task.network == Network::resnet_8 ? "resnet8" : "resnet20",
                           plan.problem->image[0], plan.problem->classes, generator);
}

std::shared_ptr<Sequential> load_stage(const Plan& plan, const Recipe& recipe, int64_t seed,
                                       const std::string& stage) {
  const State state = experiment::stage_state(*plan.folder, recipe.arm, seed, stage);
  auto net = make_dense(plan, seed);
  if (is_factored(recipe)) {
    Generator unused(0);
    factorise(*net, recipe.scheme, Start::random, unused);  // numbers that are overwritten
    fit_ranks(*net, state);
  } else if (recipe.method == Method::filters) {
    fit_filters(*net, state);
  }
  net->load_state(state);
  return net;
}

Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed) {
  return experiment::run_pair<Pair>(plan, recipe, seed);
}

}  // namespace tenon::svd_training
