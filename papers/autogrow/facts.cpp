#include "papers/autogrow/facts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/variable.h"
#include "nn/loss.h"
#include "papers/experiment/timing.h"

namespace tenon::autogrow {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
void read_growths(ArmFacts& f, const Json& result) {
  f.zero_change = f.change = kNan;
  const Json* growths = result.find("growths");
  if (growths == nullptr) return;
  double sum = 0;
  f.zero_change = 0;
  for (const Json& g : growths->items()) {
    f.zero_change = std::max(f.zero_change, g.at("zero_change").as_real());
    sum += g.at("change").as_real();
    f.adam_epochs += g.at("adam_epochs").as_real();
  }
  f.change = sum / static_cast<double>(growths->size());
}

ArmFacts facts_of(const Plan& plan, const Recipe& recipe, int64_t seed, const Json& result) {
  ArmFacts f;
  f.recipe = &recipe;
  f.seed = seed;
  f.depths = depths_from(result.at("depths"));
  f.epochs = result.at("epochs").as_integer();
  f.macs = result.at("macs").as_real();
  f.validation = 100 * result.at("final").at("validation").as_real();
  f.test = 100 * result.at("final").at("test").as_real();
  f.best = kNan;
  if (const Json* epochs = result.find("growing_epochs")) {
    f.growing_epochs = epochs->as_integer();
    f.limited = result.at("limited").as_bool();
    f.best = 100 * result.at("best").as_real();
    f.test_images_given = result.at("test_images_given").as_integer();
  }
  if (const Json* events = result.find("events"))
    for (const Json& e : events->items())
      f.events.push_back({e.at("epoch").as_integer(), static_cast<int>(e.at("frozen").as_integer()),
                          static_cast<int>(e.at("grown").as_integer()), depths_from(e.at("depths"))});
  read_growths(f, result);
  const NetworkOptions options = network_options(plan, recipe.family);
  Generator generator;
  f.scratch_epoch_macs =
      static_cast<double>(training_macs(*make_network(options, f.depths, generator), options)) *
      static_cast<double>(plan.problem->train.size());
  return f;
}

std::unique_ptr<Optimizer> sgd(const Module& net) {
  return std::make_unique<SGD>(net.named_parameters(), SgdOptions{.lr = 0.05, .momentum = 0.9});
}

void step(Module& net, Optimizer& optimizer, const Tensor& images, const Tensor& labels) {
  optimizer.zero_grad();
  backward(cross_entropy(net(Variable(images)), labels));
  optimizer.step();
}

int64_t differing(const State& before, const State& after) {
  int64_t count = 0;
  for (const auto& [name, value] : before) {
    const auto at = after.find(name);
    const bool same = at != after.end() &&
                      at->second.to(float64).to_vector<double>() == value.to(float64).to_vector<double>();
    count += same ? 0 : 1;
  }
  return count;
}

// A block in every stage of a small network whose norms and momentum have moved.
int64_t values_changed_by_growth(Family family) {
  Generator generator(1);
  const NetworkOptions options{.family = family, .width = 3, .image = {1, 8, 8}, .classes = 3};
  auto net = make_network(options, Depths(static_cast<size_t>(stages_of(family)), 1), generator);
  auto optimizer = sgd(*net);
  int64_t changed = 0;
  for (int stage = 0; stage < stages_of(family); ++stage) {
    step(*net, *optimizer, random_uniform({4, 1, 8, 8}, generator), random_integers({4}, generator, 0, 3));
    const State values = clone_state(net->state()), momentum = clone_state(optimizer->state());
    initialise(append_block(*net, options, stage, generator), Initialiser::gaussian, 1, generator);
    auto fresh = sgd(*net);
    fresh->inherit(*optimizer);
    const State kept = fresh->state();
    changed += differing(values, net->state()) + differing(momentum, kept) +
               static_cast<int64_t>(kept.size() - momentum.size());
    optimizer = std::move(fresh);
  }
  return changed;
}

}  // namespace

const ArmFacts* Facts::find(const std::string& arm, int64_t seed) const {
  for (const ArmFacts& f : arms)
    if (f.recipe->arm == arm && f.seed == seed) return &f;
  return nullptr;
}

std::vector<const ArmFacts*> Facts::seeds_of(const std::string& arm) const {
  std::vector<const ArmFacts*> found;
  for (const ArmFacts& f : arms)
    if (f.recipe->arm == arm) found.push_back(&f);
  return found;
}

Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms,
                   const std::vector<int64_t>& seeds) {
  Facts facts;
  for (const std::string& arm : arms)
    for (int64_t seed : seeds) {
      const experiment::ArmRun run = plan.folder->arm(arm, seed);
      if (run.finished()) facts.arms.push_back(facts_of(plan, recipe_of(arm), seed, run.result()));
    }
  for (const GoldenTrace& trace : golden_traces()) {
    const GrowthPolicy policy = replayed(trace);
    facts.traces_missed += policy.depths() == trace.found && policy.epochs() == trace.epochs ? 0 : 1;
  }
  for (Family family : {Family::basic3, Family::basic4, Family::bottleneck4, Family::plain3, Family::plain4})
    facts.values_changed += values_changed_by_growth(family);
  return facts;
}

double measured_rate(const Plan& plan, int runs) {
  const NetworkOptions options = network_options(plan, Family::basic3);
  Generator generator(1);
  auto net = make_network(options, {3, 3, 3}, generator);
  auto optimizer = sgd(*net);
  const int64_t batch = plan.schedule.batch;
  const Tensor images =
                   random_uniform({batch, options.image[0], options.image[1], options.image[2]}, generator),
               labels = random_integers({batch}, generator, 0, options.classes);
  const double ms = experiment::median_ms({[&] { step(*net, *optimizer, images, labels); }}, runs).front();
  return static_cast<double>(training_macs(*net, options) * batch) / (ms * 1e6);
}

}  // namespace tenon::autogrow
