#include "papers/deephoyer/arms.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "autograd/ops/elementwise.h"
#include "core/ops/elementwise.h"
#include "nn/checkpoint.h"
#include "nn/compress/accounting.h"
#include "nn/models/mlp.h"
#include "papers/deephoyer/hard_concrete.h"
#include "papers/deephoyer/training.h"
#include "papers/experiment/pair.h"

namespace tenon::deephoyer {
namespace {

constexpr double kFinetuneDecay = 1e-4;
constexpr uint64_t kMaskStream = 100;    // of the seed; models draw from streams numbered from 0
constexpr uint64_t kNoiseStream = 1000;  // and an epoch's noise from this one on

int64_t total_epochs(const Recipe& recipe, const Stages& stages) {
  const auto points = static_cast<int64_t>(recipe.points.size());
  switch (recipe.method) {
    case Method::dense:
      return stages.dense.epochs;
    case Method::penalty:
      return stages.penalty.epochs + points * stages.finetune.epochs;
    case Method::random_mask:
    case Method::small_dense:
      return points * (stages.dense.epochs + stages.penalty.epochs + stages.finetune.epochs);
    default:
      return points * stages.finetune.epochs;
  }
}

// The stages of one pair, and what they leave.
class Pair : public experiment::Pair<Plan, Recipe> {
 public:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm)
      : Pair(plan, recipe, arm, stages_of(plan.scale, recipe.network)) {}

  Json run() {
    switch (recipe_.method) {
      case Method::dense:
        dense();
        break;
      case Method::penalty:
        penalty();
        break;
      case Method::magnitude:
        magnitude();
        break;
      case Method::iterative_magnitude:
        iterative_magnitude();
        break;
      case Method::random_mask:
      case Method::small_dense:
        from_scratch();
        break;
      case Method::hard_concrete:
        hard_concrete();
        break;
    }
    return result_;
  }

 private:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm, const Stages& stages)
      : experiment::Pair<Plan, Recipe>(plan, recipe, arm, total_epochs(recipe, stages)), stages_(stages) {}

  // On the device of the run.
  std::shared_ptr<Sequential> placed(std::shared_ptr<Sequential> net) const {
    net->to(plan_.device);
    return net;
  }

  std::shared_ptr<Sequential> dense_start() {
    const Recipe& dense = dense_recipe(recipe_.network);
    auto net = placed(make_network(recipe_.network, arm_.seed()));
    net->load_state(experiment::stage_state(*plan_.folder, dense.arm, arm_.seed(), "dense"));
    return net;
  }

  experiment::Stage stage(const std::string& name, const Schedule& schedule, Module& net,
                          const StageOptions& options) const {
    return make_stage(name, recipe_.network, schedule, stages_.batch, net, options);
  }

  void dense() {
    auto net = placed(make_network(recipe_.network, arm_.seed()));
    runner_.run(stage("dense", stages_.dense, *net, {.weight_decay = info_of(recipe_.network).weight_decay}),
                *net);
    result_["final"] = accuracies(*net);
  }

  void penalty() {
    auto net = dense_start();
    // Its end, not its best epoch: nothing is small yet when validation accuracy peaks.
    runner_.run(stage("penalty", stages_.penalty, *net,
                      {.weight_decay = recipe_.weight_decay, .penalty = recipe_.penalty, .keep_best = false}),
                *net);
    result_["before"] = accuracies(*net);
    const State before = clone_state(net->state());
    for (double point : recipe_.points) {
      net->load_state(before);
      cut_and_finetune(*net, cut_at(*net, recipe_, point), point);
    }
  }

  void magnitude() {
    auto net = dense_start();
    result_["before"] = accuracies(*net);
    const State before = clone_state(net->state());
    for (double point : recipe_.points) {
      net->load_state(before);
      cut_and_finetune(*net, cut(*net, cut_to_density(*net, point)), point);
    }
  }

  void iterative_magnitude() {
    auto net = dense_start();
    result_["before"] = accuracies(*net);
    for (double point : recipe_.points) cut_and_finetune(*net, cut(*net, cut_to_density(*net, point)), point);
  }

  // The gates learn beside the weights; then they are multiplied into the weights, and what they closed is cut.
  void hard_concrete() {
    Generator generator(static_cast<uint64_t>(arm_.seed()));
    HardConcreteMlp gated({784, 300, 100, 10}, generator);
    gated.to(plan_.device);
    auto net = dense_start();
    State start = gated.state();
    for (const auto& [name, weight] : net->state()) start[name] = weight;
    gated.load_state(start);
    const double strength = recipe_.penalty.lambda / static_cast<double>(plan_.problem->train.size());
    const auto seed = static_cast<uint64_t>(arm_.seed());
    experiment::Stage penalty = stage("penalty", stages_.penalty, gated, {.keep_best = false});
    penalty.begin_epoch = [&](int64_t epoch) {
      gated.set_noise(Generator(seed, kNoiseStream + static_cast<uint64_t>(epoch)));
    };
    penalty.extra_loss = [&] { return gated.expected_weights() * strength; };
    runner_.run(penalty, gated);
    net->load_state(gated.folded());
    result_["before"] = accuracies(*net);
    cut_and_finetune(*net, cut(*net, {.fixed = std::numeric_limits<float>::min()}), recipe_.points.front());
  }

  void from_scratch() {
    for (double point : recipe_.points) {
      auto net = placed(make_point_network(recipe_, point, arm_.seed()));
      Masks masks;
      if (recipe_.method == Method::random_mask) {
        auto dense = dense_start();
        masks = random_masks(*net, cut(*dense, cut_to_density(*dense, point)), arm_.seed());
      }
      Schedule whole = stages_.dense;
      whole.epochs = stages_.dense.epochs + stages_.penalty.epochs + stages_.finetune.epochs;
      runner_.run(stage(point_stage(recipe_, point), whole, *net, {.masks = &masks}), *net);
      add_point(point, Json(), *net);
    }
  }

  void cut_and_finetune(Sequential& net, const Masks& masks, double point) {
    const experiment::Stage finetune = stage(point_stage(recipe_, point), stages_.finetune, net,
                                             {.weight_decay = kFinetuneDecay, .masks = &masks});
    const Json after_cut = accuracies(net);
    runner_.run(finetune, net);
    add_point(point, after_cut, net);
  }

  void add_point(double point, Json after_cut, Module& net) {
    result_["points"].push_back(
        Json::object({{"point", point}, {"cut", std::move(after_cut)}, {"final", accuracies(net)}}));
  }

  const Stages stages_;
};

}  // namespace

std::shared_ptr<Sequential> make_small_network(double fraction, int64_t seed) {
  auto macs = [](int64_t h) { return 784 * h + h * (h / 3) + 10 * (h / 3); };
  int64_t width = 3;
  while (macs(width + 1) <= fraction * 266200) ++width;
  Generator generator(static_cast<uint64_t>(seed));
  return make_mlp({784, width, width / 3, 10}, generator);
}

std::shared_ptr<Sequential> make_point_network(const Recipe& recipe, double point, int64_t seed) {
  return recipe.method == Method::small_dense ? make_small_network(point, seed)
                                              : make_network(recipe.network, seed);
}

double CutRule::threshold(const Tensor& w) const { return std::max(std_multiple * std_of(w), fixed); }

Masks cut(const Module& net, const CutRule& rule) {
  Masks masks;
  for (const NamedVariable& p : net.named_parameters())
    masks.add(p, mask_by_value(p.variable.value(), rule.threshold(p.variable.value())));
  return masks;
}

Masks cut_weights(const Module& net, double threshold, const std::vector<ChannelGroup>& groups) {
  std::map<std::string, Tensor> keep;
  for (const NamedVariable& p : net.named_parameters())
    if (p.name.ends_with("weight")) keep[p.name] = mask_by_value(p.variable.value(), threshold);
  for (const ChannelGroup& group : groups)
    for (const ChannelGroup::Writer& writer : group.writers) {
      if (writer.norm.empty()) continue;
      const Tensor filters = live_along(keep.at(writer.conv + ".weight"), 0);
      Tensor& scale = keep.at(writer.norm + ".weight");
      scale = where(filters, scale, Tensor::scalar(0, uint8, scale.device()));
      keep[writer.norm + ".bias"] = filters;
    }
  Masks masks;
  for (const NamedVariable& p : net.named_parameters())
    if (const auto mask = keep.find(p.name); mask != keep.end()) masks.add(p, mask->second);
  return masks;
}

Masks cut_at(Sequential& net, const Recipe& recipe, double point) {
  if (info_of(recipe.network).cuts_by_std) return cut(net, {.std_multiple = point});
  return cut_weights(net, point,
                     is_residual(recipe.network) ? channel_groups(net) : std::vector<ChannelGroup>());
}

CutRule cut_to_density(const Module& net, double density) {
  // The weights by their size in standard deviations of their own tensor: the rule is where the wanted number ends.
  std::vector<double> sizes;
  for (const Variable& p : net.parameters()) {
    if (p.rank() < 2) continue;
    const double std = std_of(p.value());
    for (float w : p.value().to_vector<float>()) sizes.push_back(std > 0 ? std::fabs(w) / std : 0);
  }
  TENON_CHECK(density > 0 && density <= 1 && !sizes.empty(),
              "cut_to_density: expects a density in (0, 1], got ", density);
  const auto kept = std::max<int64_t>(1, std::llround(density * static_cast<double>(sizes.size())));
  std::nth_element(sizes.begin(), sizes.begin() + (kept - 1), sizes.end(), std::greater<>());
  return {.std_multiple = sizes[static_cast<size_t>(kept - 1)]};
}

Masks random_masks(const Module& net, const Masks& like, int64_t seed) {
  Generator generator(static_cast<uint64_t>(seed), kMaskStream);
  Masks masks;
  const std::vector<NamedVariable> parameters = net.named_parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& w = parameters[i].variable.value();
    Tensor keep = Tensor::ones(w.shape(), uint8);
    if (w.rank() >= 2) {
      const int64_t kept = count_nonzero(like.entries().at(i).keep);
      const Tensor place = random_permutation(w.numel(), generator);
      keep = less(place, Tensor::scalar(static_cast<double>(kept), int64)).reshape(w.shape());
    }
    masks.add(parameters[i], keep.to(w.device()));
  }
  return masks;
}

Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed) {
  return experiment::run_pair<Pair>(plan, recipe, seed);
}

}  // namespace tenon::deephoyer
