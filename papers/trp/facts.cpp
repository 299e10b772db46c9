#include "papers/trp/facts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "nn/compress/accounting.h"
#include "nn/compress/inference.h"
#include "nn/loss.h"
#include "nn/optim.h"
#include "papers/experiment/timing.h"

namespace tenon::trp {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kControlCuts = 40;

double test_of(const Json& at, const char* stage) {
  const Json* found = at.find(stage);
  return found == nullptr ? kNan : found->at("test").as_real();
}

int64_t conv_weights(Module& net, const Shape& image) {
  int64_t weights = 0;
  for (const LayerAccount& layer : account(net, experiment::one_image(image)).layers)
    if (layer.kind == "Conv2d") weights += layer.weights;
  return weights;
}

ForwardTimes forward_times(const Sequential& dense_net, const Sequential& cut_net, const Tensor& images,
                           int64_t count, int runs, int threads = 1) {
  NoGrad no_grad;
  const auto dense_form = compile_inference(dense_net), form = compile_inference(cut_net);
  Module &dense = *dense_form, &net = *form;
  const Variable x(images.narrow(0, 0, std::min(count, images.size(0))));
  const std::vector<double> ms =
      experiment::median_ms({[&] { dense(x); }, [&] { net(x); }}, runs, 3, threads);
  return {ms[0], ms[1]};
}

PointFacts point_facts(const Plan& plan, const Recipe& recipe, int64_t seed, const Json& result,
                       const Json& point) {
  PointFacts f;
  f.recipe = &recipe;
  f.seed = seed;
  f.name = point.at("name").as_string();
  f.dense_test = test_of(result, "dense");
  f.cut_test = test_of(point, "cut");
  f.estimated_test = test_of(point, "estimated");
  f.final_test = test_of(point, "final");
  f.dense_macs = result.at("macs").as_integer();
  if (const Json* ranks = point.find("ranks")) f.ranks = ranks_of(*ranks);
  const auto dense = fresh_network(plan, seed), net = point_network(plan, recipe, seed, point);
  f.dense_weights = conv_weights(*dense, plan.problem->image);
  f.weights = conv_weights(*net, plan.problem->image);
  f.macs = conv_macs(*net, plan.problem->image);  // of the network as it was built, not as it was planned
  // Of each pair the faster of its two forms, by the time at a batch of 32.
  Shape images = experiment::one_image(plan.problem->image);
  images[0] = 32;
  keep_faster_forms(*net, images);
  f.batch_128 = forward_times(*dense, *net, plan.problem->test.images, 128, plan.timed_runs);
  f.batch_1 = forward_times(*dense, *net, plan.problem->test.images, 1, plan.timed_runs);
  if (const int threads = num_threads(); threads > 1)
    f.batch_128_all_threads =
        forward_times(*dense, *net, plan.problem->test.images, 128, plan.timed_runs, threads);
  return f;
}

RankFacts rank_facts(const Recipe& recipe, int64_t seed, const std::vector<Json>& log) {
  RankFacts facts;
  facts.recipe = &recipe;
  facts.seed = seed;
  for (const Json& line : log) {
    if (line.at("arm").as_string() != recipe.arm || line.at("seed").as_integer() != seed) continue;
    for (NetworkCut& cut : cuts_of(line.at("cuts"))) {
      facts.cuts.push_back(std::move(cut));
      facts.epochs.push_back(line.at("epoch").as_integer());
    }
  }
  return facts;
}

ControlFacts control_facts(const Plan& plan, const Recipe& recipe, int64_t seed) {
  auto net = fresh_network(plan, seed);
  RankTruncation truncation(trained_convs(*net),
                            {.scheme = recipe.scheme, .energy = recipe.energy, .period = 1});
  NoGrad no_grad;
  for (int64_t step = 0; step < kControlCuts; ++step) truncation.begin_step(step);
  return {&recipe, truncation.take_cuts()};
}

// Pairs of a layer and a cut from the second one on, and those at which the rank rose, among those that `counts`.
template <class Counts>
RankFacts::Rises rises_among(const RankFacts& facts, const Counts& counts) {
  RankFacts::Rises out;
  for (size_t z = 1; z < facts.cuts.size(); ++z)
    for (size_t i = 0; i < facts.cuts[z].layers.size(); ++i) {
      const LayerCut& layer = facts.cuts[z].layers[i];
      if (!counts(z, layer)) continue;
      ++out.pairs;
      out.rises += layer.rank > facts.cuts[z - 1].layers[i].rank ? 1 : 0;
    }
  return out;
}

}  // namespace

double PointFacts::delivered_test() const {
  return recipe->method == Method::trp || recipe->method == Method::scratch ? cut_test : final_test;
}

double RankFacts::Rises::share() const {
  return pairs == 0 ? kNan : static_cast<double>(rises) / static_cast<double>(pairs);
}

RankFacts::Rises RankFacts::after_first_epoch() const {
  return rises_among(*this, [&](size_t z, const LayerCut&) { return epochs[z] > 1; });
}

RankFacts::Rises RankFacts::under_theorem() const {
  const double bound = std::sqrt(recipe->energy);
  return rises_among(*this, [=](size_t, const LayerCut& layer) { return layer.steps_ratio < bound; });
}

RankFacts::Rises RankFacts::under_proof() const {
  const double bound = std::sqrt(recipe->energy);
  return rises_among(*this, [=](size_t, const LayerCut& layer) { return layer.moved_ratio < bound; });
}

double RankFacts::largest_steps_ratio() const {
  double largest = 0;
  for (size_t z = 0; z < cuts.size(); ++z)
    for (const LayerCut& layer : cuts[z].layers)
      if (epochs[z] > 1) largest = std::max(largest, layer.steps_ratio);
  return largest;
}

int64_t RankFacts::largest_final_rank() const {
  int64_t largest = 0;
  for (const LayerCut& layer : cuts.back().layers) largest = std::max(largest, layer.rank);
  return largest;
}

ShareFacts measured_share(Sequential& net, LowRankScheme scheme, const Shape& image, int64_t classes,
                          int64_t batch, int runs) {
  Generator g(1);
  Shape shape = image;
  shape.insert(0, batch);
  const Variable x(random_normal(shape, g));
  const Tensor labels = random_integers({batch}, g, 0, classes);
  SGD optimizer(net.named_parameters(), {.lr = 1e-3, .momentum = 0.9, .weight_decay = 1e-4});
  RankTruncation truncation(trained_convs(net), {.scheme = scheme, .energy = 0.02, .period = 1});
  net.train();
  const auto step = [&] {
    optimizer.zero_grad();
    backward(cross_entropy(net(x), labels));
    NoGrad no_grad;
    optimizer.step();
  };
  const auto cut = [&] {
    NoGrad no_grad;
    truncation.begin_step(0);
  };
  const std::vector<double> ms = experiment::median_ms({step, cut}, runs, runs > 1 ? 1 : 0);
  return {scheme, ms[0], ms[1]};
}

Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms,
                   const std::vector<int64_t>& seeds) {
  Facts facts;
  const std::vector<Json> log = plan.folder->read_log();
  for (const NamedConv& conv : trained_convs(*fresh_network(plan, 0))) facts.layers.push_back(conv.name);
  for (const std::string& name : arms) {
    const Recipe& recipe = recipe_of(plan.row, name);
    for (int64_t seed : seeds) {
      experiment::ArmRun arm = plan.folder->arm(name, seed);
      if (!arm.finished()) continue;
      const Json result = arm.result();
      if (recipe.method == Method::dense || recipe.method == Method::trp)
        facts.dense.push_back(
            {&recipe, seed, test_of(result, "dense"), result.at("dense").at("validation").as_real()});
      if (recipe.method == Method::trp) facts.ranks.push_back(rank_facts(recipe, seed, log));
      if (const Json* points = result.find("points"))
        for (const Json& point : points->items())
          facts.points.push_back(point_facts(plan, recipe, seed, result, point));
    }
    if (recipe.method != Method::trp) continue;
    if (recipe.lambda == 0) facts.controls.push_back(control_facts(plan, recipe, seeds.front()));
    const auto same = [&](const ShareFacts& s) { return s.scheme == recipe.scheme; };
    if (std::none_of(facts.shares.begin(), facts.shares.end(), same))
      facts.shares.push_back(measured_share(*fresh_network(plan, seeds.front()), recipe.scheme,
                                            plan.problem->image, plan.problem->classes, plan.schedule.batch));
  }
  return facts;
}

Json facts_json(const Facts& facts) {
  Json points = Json::array(), ranks = Json::array(), shares = Json::array();
  for (const PointFacts& f : facts.points)
    points.push_back(Json::object({{"arm", f.recipe->arm},
                                   {"seed", f.seed},
                                   {"name", f.name},
                                   {"test", Json::object({{"dense", f.dense_test},
                                                          {"cut", f.cut_test},
                                                          {"estimated", f.estimated_test},
                                                          {"final", f.final_test}})},
                                   {"dense_macs", f.dense_macs},
                                   {"macs", f.macs},
                                   {"dense_weights", f.dense_weights},
                                   {"weights", f.weights},
                                   {"ranks", ranks_json(f.ranks)},
                                   {"dense_ms", f.batch_128.dense_ms},
                                   {"ms", f.batch_128.ms},
                                   {"dense_ms_batch_1", f.batch_1.dense_ms},
                                   {"ms_batch_1", f.batch_1.ms},
                                   {"dense_ms_all_threads", f.batch_128_all_threads.dense_ms},
                                   {"ms_all_threads", f.batch_128_all_threads.ms}}));
  const auto rises = [](const RankFacts::Rises& r) {
    return Json::object({{"pairs", r.pairs}, {"rises", r.rises}});
  };
  for (const RankFacts& f : facts.ranks)
    ranks.push_back(Json::object({{"arm", f.recipe->arm},
                                  {"seed", f.seed},
                                  {"cuts", static_cast<int64_t>(f.cuts.size())},
                                  {"after_first_epoch", rises(f.after_first_epoch())},
                                  {"under_theorem", rises(f.under_theorem())},
                                  {"under_proof", rises(f.under_proof())},
                                  {"largest_steps_ratio", f.largest_steps_ratio()},
                                  {"largest_final_rank", f.largest_final_rank()}}));
  for (const ShareFacts& s : facts.shares)
    shares.push_back(
        Json::object({{"scheme", name_of(s.scheme)}, {"step_ms", s.step_ms}, {"cut_ms", s.cut_ms}}));
  return Json::object(
      {{"points", std::move(points)}, {"ranks", std::move(ranks)}, {"shares", std::move(shares)}});
}

}  // namespace tenon::trp
