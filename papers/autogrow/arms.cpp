#include "papers/autogrow/arms.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "papers/experiment/pair.h"

namespace tenon::autogrow {
namespace {

using experiment::EpochOutcome;
using experiment::Stage;

// Streams of the seed: new blocks draw from those from kGrowthStream on, one a growth.
constexpr uint64_t kNetworkStream = 0, kGrowthStream = 1000;
constexpr int64_t kProbeImages = 64;

/// What a growth did to the logits of the probe images, in evaluation mode.
struct GrowthFacts {
  double zero_change = 0;  ///< largest change that the block would make under ZeroInit
  double change = 0;       ///< mean change that it made
  double adam_epochs = 0;  ///< extra ones of AdamInit
};

Json to_json(const Event& event) {
  return Json::object({{"epoch", event.epoch},
                       {"frozen", event.frozen},
                       {"grown", event.grown},
                       {"depths", Json::array_of(event.depths)}});
}

// The images that training and the policy are given: a part of the training ones, and no test image at all.
experiment::ImageProblem without_test(const experiment::ImageProblem& problem, double fraction) {
  experiment::ImageProblem out = problem;
  out.test = {};
  const auto size = static_cast<double>(out.train.size());
  out.train.resize(static_cast<size_t>(std::llround(fraction * size)));
  return out;
}

// The stages of one pair, and what they leave.
class Pair {
 public:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm)
      : plan_(plan),
        recipe_(recipe),
        arm_(arm),
        options_(network_options(plan, recipe.family)),
        problem_(without_test(*plan.problem, recipe.fraction)),
        runner_(problem_, arm, total_epochs(), *plan.out, plan.memory),
        policy_(policy_options(plan, recipe), seed_depths()),
        result_(Json::object()) {
    Generator generator(seed(), kNetworkStream);
    net_ = make_network(options_, first_depths(), generator);
    net_->to(plan.device);
  }

  Json run() {
    switch (recipe_.method) {
      case Method::grown:
      case Method::clock:
        grown();
        break;
      case Method::fixed:
        fixed();
        break;
      case Method::morphism:
        morphism();
        break;
    }
    result_["depths"] =
        Json::array_of(recipe_.method == Method::clock ? policy_.depths() : depths_of(*net_, recipe_.family));
    result_["epochs"] = runner_.epochs_done();
    result_["macs"] = macs_;
    result_["final"] = experiment::accuracies(*net_, *plan_.problem);
    return result_;
  }

 private:
  const Schedule& schedule() const { return plan_.schedule; }
  uint64_t seed() const { return static_cast<uint64_t>(arm_.seed()); }
  double lr() const { return is_plain(recipe_.family) ? schedule().plain_lr : schedule().lr; }
  Json like() const { return plan_.folder->arm(recipe_.like, arm_.seed()).result(); }

  Depths seed_depths() const { return Depths(static_cast<size_t>(stages_of(recipe_.family)), 1); }
  Depths first_depths() const {
    if (recipe_.method != Method::fixed || recipe_.target == Target::seed) return seed_depths();
    if (recipe_.target == Target::found) return depths_from(like().at("depths"));
    return Depths(static_cast<size_t>(stages_of(recipe_.family)), recipe_.depth);
  }

  int64_t growth_limit() const {
    const PolicyOptions options = policy_options(plan_, recipe_);
    return options.max_epochs + options.interval;
  }
  // At most.
  int64_t total_epochs() const {
    switch (recipe_.method) {
      case Method::grown:
        return growth_limit() + (recipe_.staircase ? 0 : schedule().tail);
      case Method::clock:
        return growth_limit();
      case Method::fixed:
        return recipe_.same_epochs ? like().at("epochs").as_integer() : schedule().scratch;
      case Method::morphism:
        return 2 * schedule().scratch;
    }
    fail("autogrow: no such method");
  }

  Stage stage(const std::string& name, int64_t epochs, experiment::LearningRate rate) const {
    Stage out;
    out.name = name;
    out.epochs = epochs;
    out.batch = schedule().batch;
    out.make_optimizer = [this](const Module& net) {
      return std::make_unique<SGD>(
          net.named_parameters(),
          SgdOptions{.lr = lr(), .momentum = schedule().momentum, .weight_decay = schedule().weight_decay});
    };
    out.lr = std::move(rate);
    return out;
  }
  void train(const std::string& name, int64_t epochs, experiment::LearningRate rate) {
    runner_.run(stage(name, epochs, std::move(rate)), *net_);
    count(epochs, *net_);
  }
  experiment::LearningRate stairs(int64_t epochs) const {
    return [rate = lr(), epochs](int64_t epoch) { return staircase(rate, epoch, epochs); };
  }
  experiment::LearningRate constant() const {
    return [rate = lr()](int64_t) { return rate; };
  }

  void count(int64_t epochs, Module& net) { macs_ += epochs * epoch_macs(net); }
  int64_t epoch_macs_at(const Depths& depths) const {
    Generator unused;
    return epoch_macs(*make_network(options_, depths, unused));
  }
  int64_t epoch_macs(Module& net) const {
    return training_macs(net, options_) * static_cast<int64_t>(problem_.train.size());
  }

  // ---- growing ------------------------------------------------------------------------------------------------------

  void grown() {
    runner_.run(growth_stage(), *net_);
    count_growth();
    const double best = *std::max_element(accuracies_.begin(), accuracies_.end());
    result_["growing_epochs"] = policy_.epochs();
    result_["limited"] = policy_.limited();
    result_["best"] = best;
    result_["test_images_given"] = problem_.test.labels.defined() ? problem_.test.labels.numel() : 0;
    for (const Event& event : policy_.events()) result_["events"].push_back(to_json(event));
    for (const GrowthFacts& g : growths_)
      result_["growths"].push_back(Json::object(
          {{"zero_change", g.zero_change}, {"change", g.change}, {"adam_epochs", g.adam_epochs}}));
    if (recipe_.method == Method::clock || recipe_.staircase) return;
    // p-AutoGrow's fine-tuning begins at the full rate; c-AutoGrow, which has converged there, goes on at a tenth.
    const int64_t tail = schedule().tail;
    if (recipe_.growth == Growth::periodic)
      train("tail", tail, stairs(tail));
    else
      train("tail", tail, [rate = lr(), tail](int64_t e) { return rate * (2 * e < tail ? 0.1 : 0.01); });
  }

  Stage growth_stage() {
    const int64_t interval = policy_options(plan_, recipe_).interval;
    Stage out = stage("growth", growth_limit(), constant());
    if (recipe_.staircase)
      out.lr = [rate = lr(), interval](int64_t e) { return staircase(rate, e % interval, interval); };
    out.drop_state = recipe_.drops_momentum;
    out.done = [this] { return policy_.ended(); };
    out.after_epoch = [this](const EpochOutcome& outcome) { return after_epoch(outcome); };
    out.epoch_facts = [this] {
      Json facts = Json::object({{"depths", Json::array_of(policy_.depths_in(policy_.epochs()))}});
      if (!policy_.events().empty() && policy_.events().back().epoch == policy_.epochs())
        facts["event"] = to_json(policy_.events().back());
      return facts;
    };
    out.hook_state = [this] { return growth_state(); };
    out.load_hook_state = [this](const State& state) { load_growth_state(state); };
    return out;
  }

  bool after_epoch(const EpochOutcome& outcome) {
    accuracies_.push_back(outcome.validation);
    const std::optional<Event> event = policy_.observe(100 * outcome.validation);
    if (!event || event->grown < 0 || recipe_.method == Method::clock) return false;
    Generator generator(seed(), kGrowthStream + growths_.size());
    const Tensor before = probe();
    const GrownBlock block = append_block(*net_, options_, event->grown, generator);
    GrowthFacts facts;
    facts.zero_change = zero_change(block, before);
    initialise(block, recipe_.initialiser, 1, generator);
    if (recipe_.initialiser == Initialiser::adam)
      facts.adam_epochs = static_cast<double>(train_last_norms({block}, outcome.training));
    facts.change = mean(abs(sub(probe(), before))).item();
    growths_.push_back(facts);
    return true;
  }

  // Logits of a few validation images, in evaluation mode.
  Tensor probe() const {
    NoGrad no_grad;
    const bool was_training = net_->is_training();
    net_->eval();
    const Tensor& images = problem_.validation.images;
    const Tensor few = images.narrow(0, 0, std::min(kProbeImages, images.size(0))).to(plan_.device);
    const Tensor logits = (*net_)(Variable(few)).value();
    net_->train(was_training);
    return logits;
  }

  // Leaves the block's last norm at its default.
  double zero_change(const GrownBlock& block, const Tensor& before) const {
    if (block.last_norm == nullptr) return 0;
    Generator unused;
    initialise(block, Initialiser::zero, 1, unused);
    const double change = amax(abs(sub(probe(), before))).item();
    NoGrad no_grad;
    block.last_norm->weight.value().fill_(1);
    return change;
  }

  // AdamInit. In training mode, so that all running statistics move. Returns the epochs that it took.
  int64_t train_last_norms(const std::vector<GrownBlock>& blocks, double training_accuracy) {
    const AdamInit adam;
    std::vector<NamedVariable> parameters;
    for (const GrownBlock& block : blocks)
      for (const NamedVariable& p : block.last_norm->named_parameters())
        parameters.push_back({concat(block.name, ".", p.name), p.variable});
    Adam optimizer(parameters, {.lr = adam.lr, .weight_decay = adam.weight_decay});
    Stage stage;
    stage.name = "adam";
    stage.batch = schedule().batch;
    stage.begin_step = [this](int64_t) {
      net_->zero_grad();
    };  // of those too that the optimiser does not know
    int64_t epochs = 0;
    double reached = 0;
    while (epochs < adam.max_epochs && reached <= training_accuracy - adam.slack) {
      const int64_t order = runner_.epochs_done() * adam.max_epochs + epochs;
      reached = runner_.extra_epoch(stage, *net_, optimizer, order).training;
      ++epochs;
    }
    net_->zero_grad();
    return epochs;
  }

  // A policy is its history.
  State growth_state() const {
    State state{{"validation", Tensor::from(accuracies_)}};
    std::vector<double> figures;
    for (const GrowthFacts& g : growths_)
      figures.insert(figures.end(), {g.zero_change, g.change, g.adam_epochs});
    if (!figures.empty()) state["growths"] = Tensor::from(figures);
    return state;
  }
  void load_growth_state(const State& state) {
    accuracies_ = state.at("validation").to_vector<double>();
    policy_ = GrowthPolicy(policy_options(plan_, recipe_), seed_depths());
    for (double accuracy : accuracies_) policy_.observe(100 * accuracy);
    growths_.clear();
    if (recipe_.method == Method::clock || !state.contains("growths")) return;
    const std::vector<double> figures = state.at("growths").to_vector<double>();
    for (size_t i = 0; i < figures.size(); i += 3)
      growths_.push_back({figures[i], figures[i + 1], figures[i + 2]});
    append_blocks(*net_, options_, policy_.depths());
  }

  void count_growth() {
    const bool grows = recipe_.method != Method::clock;
    for (int64_t epoch = 1; epoch <= policy_.epochs(); ++epoch)
      macs_ += epoch_macs_at(grows ? policy_.depths_in(epoch) : seed_depths());
    size_t growth = 0;
    for (const Event& event : policy_.events())
      if (grows && event.grown >= 0)
        macs_ += static_cast<int64_t>(growths_[growth++].adam_epochs) * epoch_macs_at(event.depths);
  }

  // ---- what does not grow -------------------------------------------------------------------------------------------

  void fixed() {
    if (recipe_.same_epochs) {
      const int64_t full = like().at("growing_epochs").as_integer();
      train("full-rate", full, constant());
      train("tail", schedule().tail, stairs(schedule().tail));
    } else {
      train("scratch", schedule().scratch, stairs(schedule().scratch));
    }
  }

  // The shallow network's last epoch ends with its deepening, so that a resumed run finds the one or the other.
  void morphism() {
    const int64_t epochs = schedule().scratch;
    const Depths target = depths_from(like().at("depths"));
    int64_t seen = 0;
    Stage shallow = stage("shallow", epochs, stairs(epochs));
    shallow.after_epoch = [&](const EpochOutcome& outcome) {
      if (++seen < epochs) return false;
      count(epochs, *net_);
      deepen(target, outcome.training);
      return true;
    };
    shallow.hook_state = [&] { return State{{"state", Tensor::from<int64_t>({seen, macs_})}}; };
    shallow.load_hook_state = [&](const State& state) {
      const std::vector<int64_t> kept = state.at("state").to_vector<int64_t>();
      seen = kept[0], macs_ = kept[1];
      if (seen == epochs) append_blocks(*net_, options_, target);
    };
    runner_.run(shallow, *net_);
    train("deep", epochs, stairs(epochs));
  }

  void deepen(const Depths& target, double training_accuracy) {
    Generator generator(seed(), kGrowthStream);
    std::vector<GrownBlock> blocks;
    for (size_t stage = 0; stage < target.size(); ++stage)
      for (int64_t i = 1; i < target[stage]; ++i) {
        blocks.push_back(append_block(*net_, options_, static_cast<int>(stage), generator));
        initialise(blocks.back(), recipe_.initialiser, 1, generator);
      }
    if (recipe_.initialiser == Initialiser::adam) count(train_last_norms(blocks, training_accuracy), *net_);
  }

  const Plan& plan_;
  const Recipe& recipe_;
  experiment::ArmRun& arm_;
  NetworkOptions options_;
  experiment::ImageProblem problem_;
  experiment::StageRunner runner_;
  GrowthPolicy policy_;
  std::vector<double> accuracies_;  // validation, of every epoch of growth
  std::vector<GrowthFacts> growths_;
  std::shared_ptr<Sequential> net_;
  int64_t macs_ = 0;
  Json result_;
};

}  // namespace

Depths depths_from(const Json& json) {
  Depths depths;
  for (const Json& depth : json.items()) depths.push_back(depth.as_integer());
  return depths;
}

experiment::ImageProblem load_problem(const experiment::Options& options, const Schedule& schedule) {
  const bool paper = options.scale == experiment::Scale::kPaper;
  experiment::ImageSetup setup;
  setup.train = schedule.train;
  setup.validation = schedule.validation;
  setup.test = schedule.test;
  setup.pool = paper ? 1 : 2;
  setup.augment.horizontal_flip = options.data != "mnist";
  if (options.data == "cifar10") {
    setup.augment.padding = paper ? 4 : 2;
    setup.augment.mean = {0.4914F, 0.4822F, 0.4465F};
    setup.augment.std = {0.2023F, 0.1994F, 0.2010F};  // the authors', which are known to be too small
  } else {
    setup.frame = paper ? 2 : 1;
  }
  return experiment::load_images(options.data, setup);
}

NetworkOptions network_options(const Plan& plan, Family family) {
  NetworkOptions options;
  options.family = family;
  options.width = stages_of(family) == 3 ? plan.schedule.width3 : plan.schedule.width4;
  options.image = plan.problem->image;
  options.classes = plan.problem->classes;
  return options;
}

PolicyOptions policy_options(const Plan& plan, const Recipe& recipe) {
  const Schedule& s = plan.schedule;
  const auto images = static_cast<double>(plan.problem->validation.labels.numel());
  PolicyOptions options;
  options.growth = recipe.growth;
  options.interval = recipe.slower * (recipe.growth == Growth::periodic ? s.interval : s.convergent_interval);
  options.window = s.window;
  // Between the two numbers of images, so that rounding does not decide.
  options.tau = 100 * (static_cast<double>(s.tau_images) - 0.5) / images;
  options.max_depth = s.max_depth;
  // An epoch of a part of the images is a part of an epoch.
  options.max_epochs = std::llround(static_cast<double>(s.max_epochs) / recipe.fraction);
  return options;
}

Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed) {
  return experiment::run_pair<Pair>(plan, recipe, seed);
}

}  // namespace tenon::autogrow
