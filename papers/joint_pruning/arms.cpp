#include "papers/joint_pruning/arms.h"

#include <cmath>
#include <filesystem>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/index.h"
#include "core/ops/sparsity.h"
#include "papers/experiment/pair.h"

namespace tenon::joint_pruning {
namespace {

constexpr uint64_t kNoiseStream =
    1000;  // of the seed, for dropout and random winners of an epoch, from this one on
constexpr int64_t kCounted = 1000;  // training images
constexpr double kDecay = 1e-4, kSgdDecay = 5e-4;
// Curves of large networks are taken on so many validation images.
constexpr int64_t kCurveImages = 2000;

// The weights that are not 0 live on.
Masks live_masks(const Module& net) {
  Masks masks;
  for (const NamedVariable& p : net.named_parameters()) {
    if (p.variable.rank() >= 2) masks.add(p, is_nonzero(p.variable.value()));
  }
  return masks;
}

// What a stage trains with.
struct Training {
  Solver solver = Solver::adam;
  double first_rate = 0, last_rate = 0;  ///< exponential in between
};

// Epochs at a falling rate; README.md sets the rates beside the published ones.
Training dense_training(const Recipe& recipe) {
  if (recipe.solver == Solver::sgd) return {Solver::sgd, 0.1, 0.1 * 0.008};
  return {Solver::adam, 1e-3, 1e-4};
}
Training weight_training(const Recipe& recipe) {
  if (recipe.solver == Solver::sgd) return {Solver::sgd, 0.01, 0.001};
  return {Solver::adam, 5e-4, 1e-4};
}
Training mask_training(const Recipe& recipe) {
  switch (recipe.solver) {
    case Solver::adam:
      return {Solver::adam, 5e-4, 5e-5};
    case Solver::adadelta:
      return {Solver::adadelta, 0.5, 0.05};
    case Solver::sgd:
      return {Solver::sgd, 0.01, 0.001};
  }
  fail("joint_pruning: no such solver");
}

std::unique_ptr<Optimizer> make_optimizer(const Training& training, const Module& net) {
  const double lr = training.first_rate;
  switch (training.solver) {
    case Solver::adam:
      return std::make_unique<Adam>(net.named_parameters(), AdamOptions{.lr = lr, .weight_decay = kDecay});
    case Solver::adadelta:
      return std::make_unique<Adadelta>(net.named_parameters(),
                                        AdadeltaOptions{.lr = lr, .rho = 0.95, .weight_decay = kDecay});
    case Solver::sgd:
      return std::make_unique<SGD>(
          net.named_parameters(),
          SgdOptions{.lr = lr, .momentum = 0.9, .weight_decay = kSgdDecay, .nesterov = true});
  }
  fail("joint_pruning: no such solver");
}

// lambda sum over masks of the mean over samples of sum |a|
Variable activation_penalty(const MaskedNet& net, double lambda) {
  Variable total;
  for (const auto& mask : net.masks) {
    const Variable& a = mask->remembered();
    const Variable term = sum(abs(a)) * (lambda / static_cast<double>(a.shape()[0]));
    total = total.defined() ? total + term : term;
  }
  return total;
}

Json to_json(const Curve& curve) {
  return Json::object({{"rates", Json::array_of(curve.rates)}, {"accuracy", Json::array_of(curve.accuracy)}});
}

int64_t total_epochs(const Recipe& recipe, const Epochs& epochs) {
  switch (recipe.method) {
    case Method::dense:
      return epochs.dense;
    case Method::joint:
    case Method::activations:
    case Method::l1:
      return epochs.stage_b;
    default:
      return epochs.rounds() + epochs.stage_b;
  }
}

// The stages of one pair, and what they leave.
class Pair : public experiment::Pair<Plan, Recipe> {
 public:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm)
      : Pair(plan, recipe, arm, epochs_of(plan.scale, recipe.network)) {}

  Json run() {
    switch (recipe_.method) {
      case Method::dense:
        train("dense", epochs_.dense, dense_training(recipe_));
        break;
      case Method::weights:
        load(dense_recipe(recipe_.network), "dense");
        cut_in_rounds();
        result_["stage_a"] = accuracies(*net_.chain);
        add_curves();
        train("extend", epochs_.stage_b, weight_training(recipe_));
        break;
      case Method::joint:
        joint();
        break;
      case Method::activations:
        load(dense_recipe(recipe_.network), "dense");
        switch_on();
        train("stage-b", epochs_.stage_b, mask_training(recipe_));
        break;
      case Method::reversed:
        load(dense_recipe(recipe_.network), "dense");
        switch_on();
        train("stage-b", epochs_.stage_b, mask_training(recipe_));
        cut_in_rounds();
        break;
      case Method::l1:
        l1();
        break;
      case Method::simultaneous:
        simultaneous();
        break;
    }
    finish();
    return result_;
  }

 private:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm, const Epochs& epochs)
      : experiment::Pair<Plan, Recipe>(plan, recipe, arm, total_epochs(recipe, epochs)),
        epochs_(epochs),
        net_(make_network(recipe.network, arm.seed())) {
    net_.chain->to(plan.device);
    release(net_);
  }

  void load(const Recipe& from, const std::string& stage) {
    load_stage(*plan_.folder, from, arm_.seed(), stage, *net_.chain);
    masks_ = live_masks(*net_.chain);
  }

  // Weights beyond these densities become 0 and stay so.
  void cut(const std::vector<double>& densities) {
    NoGrad no_grad;
    masks_ = weight_masks(*net_.chain, densities);
    masks_.apply();
  }

  void cut_in_rounds() {
    for (int round = 0; round < kRounds; ++round) {
      cut(densities_of_round(recipe_.densities, round));
      train(concat("round-", round + 1), epochs_.round[round], weight_training(recipe_));
    }
  }

  // Sets the masks, at the recipe's rates or at those that sensitivity gives.
  void switch_on() {
    rates_ = recipe_.rates;
    if (rates_.empty()) {
      const auto asked = [&] { return curve_accuracy(); };
      const std::vector<Curve> curves = sensitivity(net_, asked);
      rates_ = choose_rates(net_, curves, asked);
    }
    result_["rates"] = Json::array_of(rates_);
    if (recipe_.rule == MaskRule::threshold)
      set_static_thresholds(net_, rates_, training_images(*plan_.problem, kCounted).to(plan_.device));
    else
      set_winners(net_, rates_, {.rule = recipe_.rule});
    *net_.noise = Generator(static_cast<uint64_t>(arm_.seed()), kNoiseStream);
    result_["switched"] = accuracies(*net_.chain);
  }

  void joint() {
    load(weights_recipe(recipe_.network), concat("round-", kRounds));
    result_["stage_a"] = accuracies(*net_.chain);
    if (!recipe_.densities.empty()) cut(recipe_.densities);
    switch_on();
    train("stage-b", epochs_.stage_b, mask_training(recipe_));
  }

  void l1() {
    load(weights_recipe(recipe_.network), concat("round-", kRounds));
    result_["stage_a"] = accuracies(*net_.chain);
    for (const auto& mask : net_.masks) mask->remember(true);
    train("stage-b", epochs_.stage_b, mask_training(recipe_));
    for (const auto& mask : net_.masks) mask->remember(false);
    switch_on();
  }

  // Version 2 says that both are regulated during learning, without formulas: this is our form of it. Masks tighten with
  // the weights, round by round, under both penalties; then the penalties go and the rest is stage B.
  void simultaneous() {
    load(dense_recipe(recipe_.network), "dense");
    for (const auto& mask : net_.masks) mask->remember(true);
    penalties_ = true;
    for (int round = 0; round < kRounds; ++round) {
      cut(densities_of_round(recipe_.densities, round));
      set_winners(net_, densities_of_round(recipe_.rates, round));
      train(concat("round-", round + 1), epochs_.round[round], weight_training(recipe_));
    }
    penalties_ = false;
    for (const auto& mask : net_.masks) mask->remember(false);
    switch_on();
    train("stage-b", epochs_.stage_b, mask_training(recipe_));
  }

  void train(const std::string& name, int64_t epochs, const Training& training) {
    experiment::Stage stage;
    stage.name = name;
    stage.epochs = epochs;
    stage.lr = experiment::exponential_rate(training.first_rate, training.last_rate, epochs);
    stage.make_optimizer = [training](const Module& net) { return make_optimizer(training, net); };
    stage.keep_best = true;
    const int64_t before = runner_.epochs_done();
    stage.begin_epoch = [this, before](int64_t epoch) {
      *net_.noise =
          Generator(static_cast<uint64_t>(arm_.seed()), kNoiseStream + static_cast<uint64_t>(before + epoch));
    };
    const double lambda = recipe_.activation_penalty;
    if (lambda > 0 && (penalties_ || recipe_.method == Method::l1))
      stage.extra_loss = [this, lambda] { return activation_penalty(net_, lambda); };
    stage.after_backward = [this](int64_t) {
      if (penalties_ && recipe_.weight_penalty > 0) add_weight_penalty();
      masks_.apply_to_gradients();
    };
    stage.after_step = [this](int64_t) { masks_.apply(); };
    stage.epoch_facts = [this] { return Json::object({{"nonzero", nonzero_weights()}}); };
    runner_.run(stage, *net_.chain);
  }

  void add_weight_penalty() {
    std::vector<Tensor> weights, gradients;
    for (const Variable& p : net_.chain->parameters()) {
      if (p.rank() < 2) continue;
      weights.push_back(p.value());
      gradients.push_back(p.grad().value());
    }
    l1_gradient_add(weights, gradients, recipe_.weight_penalty);
  }

  int64_t nonzero_weights() const {
    int64_t all = 0;
    for (const Variable& p : net_.chain->parameters())
      if (p.rank() >= 2) all += count_nonzero(p.value());
    return all;
  }

  double curve_accuracy() {
    const experiment::Labelled& all = plan_.problem->validation;
    const bool small = is_mlp(recipe_.network);
    if (small || all.labels.numel() <= kCurveImages) return experiment::accuracy(*net_.chain, all);
    return experiment::accuracy(
        *net_.chain, {all.images.narrow(0, 0, kCurveImages), all.labels.narrow(0, 0, kCurveImages)});
  }

  // On the network after stage A: sensitivity of each mask, the rates that would be chosen, and all masks at one rate
  // under four rules.
  void add_curves() {
    const auto asked = [&] { return curve_accuracy(); };
    const std::vector<Curve> curves = sensitivity(net_, asked);
    Json sensitivities = Json::array();
    for (const Curve& curve : curves) sensitivities.push_back(to_json(curve));
    result_["sensitivity"] = std::move(sensitivities);
    result_["chosen_rates"] = Json::array_of(choose_rates(net_, curves, asked));
    const Tensor images = training_images(*plan_.problem, kCounted).to(plan_.device);
    struct Named {
      const char* name;
      MaskRule rule;
    };
    Json rules = Json::object();
    for (const Named& named : {Named{"winners", MaskRule::winners}, Named{"batch", MaskRule::batch_winners},
                               Named{"static", MaskRule::threshold}, Named{"random", MaskRule::random}}) {
      Curve curve;
      for (double rate : rate_grid()) {
        if (named.rule == MaskRule::threshold)
          set_static_thresholds(net_, {rate}, images);
        else
          set_winners(net_, {rate}, {.rule = named.rule});
        *net_.noise = Generator(static_cast<uint64_t>(arm_.seed()), kNoiseStream);
        curve.rates.push_back(rate);
        curve.accuracy.push_back(curve_accuracy());
      }
      rules[named.name] = to_json(curve);
    }
    result_["rules"] = std::move(rules);
    release(net_);
  }

  // Accuracy when thresholds are estimated from a part of the activations: of the convolutions', which are many, and where
  // there are none, of the small layers too.
  void add_samples() {
    Curve curve;
    ActivationMaskOptions options{.rule = MaskRule::winners};
    if (is_mlp(recipe_.network)) options.exact_below = 0;
    for (double sampled : {1.0, 0.5, 0.25, 0.1, 0.05}) {
      options.sampled = sampled;
      set_winners(net_, rates_, options);
      curve.rates.push_back(sampled);
      curve.accuracy.push_back(curve_accuracy());
    }
    result_["sampled"] = to_json(curve);
    set_winners(net_, rates_);
  }

  void finish() {
    *net_.noise = Generator(static_cast<uint64_t>(arm_.seed()), kNoiseStream);
    result_["final"] = accuracies(*net_.chain);
    Json thresholds = Json::array();
    for (const auto& mask : net_.masks) thresholds.push_back(mask->options().threshold);
    result_["thresholds"] = std::move(thresholds);
    result_["count"] =
        joint_pruning::to_json(count(net_, training_images(*plan_.problem, kCounted).to(plan_.device)));
    if (recipe_.method == Method::joint && recipe_.rule == MaskRule::winners) add_samples();
  }

  const Epochs epochs_;
  MaskedNet net_;
  Masks masks_;
  std::vector<double> rates_;
  bool penalties_ = false;  // of the stage that is trained
};

}  // namespace

Json to_json(const NetCount& count) {
  Json layers = Json::array();
  for (const LayerCount& l : count.layers)
    layers.push_back(Json::object({{"name", l.name},
                                   {"weights", l.weights},
                                   {"nonzero", l.nonzero},
                                   {"dense_macs", l.dense_macs},
                                   {"published_macs", l.published_macs},
                                   {"incoming", l.incoming},
                                   {"outgoing", l.outgoing},
                                   {"outputs", l.outputs},
                                   {"pairs", l.pairs}}));
  return layers;
}

NetCount count_from(const Json& json) {
  NetCount count;
  for (const Json& l : json.items()) {
    LayerCount layer;
    layer.name = l.at("name").as_string();
    layer.weights = l.at("weights").as_integer();
    layer.nonzero = l.at("nonzero").as_integer();
    layer.dense_macs = l.at("dense_macs").as_real();
    layer.published_macs = l.at("published_macs").as_real();
    layer.incoming = l.at("incoming").as_real();
    layer.outgoing = l.at("outgoing").as_real();
    layer.outputs = l.at("outputs").as_integer();
    layer.pairs = l.at("pairs").as_real();
    count.layers.push_back(layer);
  }
  return count;
}

void load_stage(experiment::RunFolder& folder, const Recipe& recipe, int64_t seed, const std::string& stage,
                Module& net) {
  net.load_state(experiment::stage_state(folder, recipe.arm, seed, stage));
}

MaskedNet final_net(experiment::RunFolder& folder, const Recipe& recipe, int64_t seed) {
  MaskedNet net = make_network(recipe.network, seed);
  const bool rounds_last = recipe.method == Method::reversed;
  load_stage(folder, recipe, seed,
             recipe.method == Method::dense     ? "dense"
             : recipe.method == Method::weights ? "extend"
             : rounds_last                      ? concat("round-", kRounds)
                                                : "stage-b",
             *net.chain);
  release(net);
  const Json result = folder.arm(recipe.arm, seed).result();
  if (const Json* found = result.find("rates")) {
    std::vector<double> rates;
    for (const Json& rate : found->items()) rates.push_back(rate.as_real());
    set_winners(net, rates, {.rule = recipe.rule});
    if (recipe.rule == MaskRule::threshold)
      for (size_t i = 0; i < net.masks.size(); ++i)
        net.masks[i]->set(
            {.rule = MaskRule::threshold, .threshold = result.at("thresholds").at(i).as_real()});
  }
  net.chain->eval();
  return net;
}

Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed) {
  return experiment::run_pair<Pair>(plan, recipe, seed);
}

}  // namespace tenon::joint_pruning
