#include "papers/deephoyer/facts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/compress/accounting.h"
#include "nn/compress/inference.h"
#include "nn/compress/shrink.h"
#include "nn/compress/sparse.h"
#include "papers/deephoyer/training.h"
#include "papers/experiment/timing.h"

namespace tenon::deephoyer {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kBatch = 128;
constexpr int kTimedRuns = 41, kTimedRunsOfResidual = 21;

// Milliseconds of a forward of one batch.
std::pair<double, double> time_both(Module& dense, Module& small, const Variable& x, int runs = kTimedRuns) {
  const std::vector<double> ms = experiment::median_ms({[&] { dense(x); }, [&] { small(x); }}, runs);
  return {ms[0], ms[1]};
}

Variable first_images(const Tensor& images, int64_t count) {
  return Variable(images.narrow(0, 0, std::min(count, images.size(0))));
}

// Largest difference of logits, over the largest logit or 1.
double largest_error(Module& net, Module& small, const Variable& x) {
  const Tensor expected = net(x).value(), got = small(x).value();
  return amax(abs(sub(got, expected))).item() / std::max(1.0, amax(abs(expected)).item());
}

// What accounting walks from: one of `images`.
Shape one_of(const Tensor& images) {
  Shape shape = images.shape();
  shape[0] = 1;
  return shape;
}

// "16: 5 9 16 | 30: 20 11 32"
std::string structure_of(const std::vector<KeptChannels>& channels) {
  std::string text;
  for (const KeptChannels& group : channels)
    text += group.shared ? concat(text.empty() ? "" : " | ", group.kept.size(), ":")
                         : concat(" ", group.kept.size());
  return text;
}

ShrunkFacts chain_facts(Sequential& net, const Tensor& images) {
  const Shape input = one_of(images);
  const Shrunk shrunk = shrink(net, input);
  ShrunkFacts facts;
  facts.macs = account(*shrunk.network, input).macs;
  // Units of every layer but the classes; an MLP is told by its inputs too.
  std::string structure;
  if (shrunk.inputs.size() > 1) structure = std::to_string(shrunk.inputs.size());
  for (size_t i = 0; i + 1 < shrunk.layers.size(); ++i)
    structure += concat(structure.empty() ? "" : "-", shrunk.layers[i].units.size());
  facts.structure = structure;
  facts.largest_error = largest_error(net, *shrunk.network, first_images(images, 1000));
  std::tie(facts.dense_ms, facts.shrunk_ms) = time_both(net, *shrunk.network, first_images(images, kBatch));
  return facts;
}

ShrunkFacts residual_facts(Network network, Sequential& net, const Tensor& images) {
  auto small = make_network(network, 0);
  small->load_state(net.state());
  ShrunkFacts facts;
  facts.channels = shrink_channels(*small);
  facts.structure = structure_of(facts.channels);
  facts.macs = account(*small, one_of(images)).macs;
  net.eval();
  small->eval();
  const auto dense = compile_inference(net), compiled = compile_inference(*small);
  for (Module* shrunk : {static_cast<Module*>(small.get()), static_cast<Module*>(compiled.get())})
    facts.largest_error =
        std::max(facts.largest_error, largest_error(net, *shrunk, first_images(images, 1000)));
  std::tie(facts.dense_ms, facts.shrunk_ms) =
      time_both(*dense, *compiled, first_images(images, kBatch), kTimedRunsOfResidual);
  return facts;
}

double test_of(const Json& result, const char* stage, const char* part) {
  const Json* found = result.find(stage);
  return found == nullptr || found->is_null() ? kNan : found->at(part).as_real();
}

// The dense net that an arm starts from, if it starts from one.
std::shared_ptr<Sequential> dense_net(const Plan& plan, const Recipe& recipe, int64_t seed) {
  auto net = make_network(recipe.network, seed);
  net->load_state(experiment::stage_state(*plan.folder, dense_recipe(recipe.network).arm, seed, "dense"));
  return net;
}

PointFacts point_facts(const Plan& plan, const Recipe& recipe, int64_t seed, const Json& result,
                       const Json& at) {
  PointFacts f;
  f.recipe = &recipe;
  f.seed = seed;
  f.point = at.at("point").as_real();
  f.before_test = test_of(result, "before", "test");
  f.cut_test = test_of(at, "cut", "test");
  f.cut_validation = test_of(at, "cut", "validation");
  f.final_test = test_of(at, "final", "test");
  f.final_validation = test_of(at, "final", "validation");
  auto net = make_point_network(recipe, f.point, seed);
  const bool starts_dense = recipe.method != Method::random_mask && recipe.method != Method::small_dense;
  f.magnitude_cut_test = f.dense_test = f.hoyer_square_before = kNan;
  if (recipe.method == Method::penalty) {
    net->load_state(experiment::stage_state(*plan.folder, recipe.arm, seed, "penalty"));
    f.hoyer_square_before = measure(PenaltyKind::hoyer_square, net->parameters());
    f.penalty_before = recipe.penalty.lambda * measure(recipe.penalty.kind, net->parameters());
  }
  net->load_state(experiment::stage_state(*plan.folder, recipe.arm, seed, point_stage(recipe, f.point)));
  f.layers = layer_facts(*net);
  for (const LayerFacts& layer : f.layers) f.weights += layer.weights, f.nonzero += layer.nonzero;
  for (const Variable& p : net->parameters())
    if (p.rank() < 2) f.biases += p.numel(), f.nonzero_biases += count_nonzero(p.value());
  // A small dense net is compared with the full one.
  auto full = make_network(recipe.network, seed);
  f.dense_macs = account(*full, one_of(plan.problem->test.images)).macs;
  if (recipe.method == Method::small_dense) {
    f.weights = 0;
    for (const Variable& p : full->parameters()) f.weights += p.rank() >= 2 ? p.numel() : 0;
  }
  f.hoyer_square = measure(PenaltyKind::hoyer_square, net->parameters());
  f.shrunk = shrunk_facts(recipe.network, *net, plan.problem->test.images);
  if (!is_residual(recipe.network)) f.sparse = sparse_facts(*net, plan.problem->test.images);
  if (starts_dense) {
    auto dense = dense_net(plan, recipe, seed);
    f.dense_test =
        plan.folder->arm(dense_recipe(recipe.network).arm, seed).result().at("final").at("test").as_real();
    if (recipe.penalty.kind == PenaltyKind::hoyer_square) {
      NoGrad no_grad;
      cut(*dense, cut_to_density(*dense, f.density())).apply();
      f.magnitude_cut_test = experiment::accuracy(*dense, plan.problem->test);
    }
  }
  return f;
}

ScaleFacts scale_facts(const Module& net) {
  const Tensor w = net.parameters().front().value();
  const Tensor ten = affine(w, 10, 0);
  auto ratio = [&](PenaltyKind kind) { return measure(kind, ten) / measure(kind, w); };
  return {std::fabs(ratio(PenaltyKind::hoyer_square) - 1), ratio(PenaltyKind::l1)};
}

}  // namespace

std::vector<LayerFacts> layer_facts(const Module& net) {
  std::vector<LayerFacts> layers;
  for (const NamedVariable& p : net.named_parameters()) {
    const Tensor& w = p.variable.value();
    if (w.rank() < 2) continue;
    layers.push_back({p.name.substr(0, p.name.rfind('.')), w.numel(), count_nonzero(w), w.size(0),
                      count_live(w, 0), w.size(1), count_live(w, 1)});
  }
  return layers;
}

ShrunkFacts shrunk_facts(Network network, Sequential& net, const Tensor& images) {
  NoGrad no_grad;
  return is_residual(network) ? residual_facts(network, net, images) : chain_facts(net, images);
}

SparseFacts sparse_facts(Sequential& net, const Tensor& images) {
  NoGrad no_grad;
  SparseFacts facts;
  auto timed = [&](const Variable& x, SparseFacts::Times& times) {
    const auto compiled = compile_sparse(net, x.shape()).network;
    facts.largest_error = std::max(facts.largest_error, largest_error(net, *compiled, x));
    std::tie(times.dense_ms, times.sparse_ms) = time_both(net, *compiled, x);
  };
  timed(first_images(images, kBatch), facts.batch_128);
  timed(first_images(images, 1), facts.batch_1);
  return facts;
}

Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms,
                   const std::vector<int64_t>& seeds) {
  Facts facts;
  for (const std::string& name : arms) {
    const Recipe& recipe = recipe_of(name);
    for (int64_t seed : seeds) {
      experiment::ArmRun arm = plan.folder->arm(name, seed);
      if (!arm.finished()) continue;
      const Json result = arm.result();
      if (recipe.method == Method::dense) {
        facts.dense.push_back(
            {&recipe, seed, test_of(result, "final", "test"), test_of(result, "final", "validation")});
        if (!facts.scale) facts.scale = scale_facts(*dense_net(plan, recipe, seed));
        continue;
      }
      for (const Json& at : result.at("points").items())
        facts.points.push_back(point_facts(plan, recipe, seed, result, at));
    }
  }
  return facts;
}

Json facts_json(const PointFacts& f) {
  Json layers = Json::array();
  for (const LayerFacts& layer : f.layers)
    layers.push_back(Json::object({{"name", layer.name},
                                   {"weights", layer.weights},
                                   {"nonzero", layer.nonzero},
                                   {"rows", layer.rows},
                                   {"live_rows", layer.live_rows},
                                   {"columns", layer.columns},
                                   {"live_columns", layer.live_columns}}));
  return Json::object(
      {{"arm", f.recipe->arm},
       {"seed", f.seed},
       {"point", f.point},
       {"test", Json::object({{"dense", f.dense_test},
                              {"before", f.before_test},
                              {"cut", f.cut_test},
                              {"final", f.final_test}})},
       {"validation", Json::object({{"cut", f.cut_validation}, {"final", f.final_validation}})},
       {"layers", std::move(layers)},
       {"weights", f.weights},
       {"nonzero", f.nonzero},
       {"biases", f.biases},
       {"nonzero_biases", f.nonzero_biases},
       {"density", f.density()},
       {"hoyer_square", f.hoyer_square},
       {"hoyer_square_before_cut", f.hoyer_square_before},
       {"penalty_before_cut", f.penalty_before},
       {"magnitude_cut_test", f.magnitude_cut_test},
       {"dense_macs", f.dense_macs},
       {"shrunk", Json::object({{"structure", f.shrunk.structure},
                                {"macs", f.shrunk.macs},
                                {"largest_error", f.shrunk.largest_error},
                                {"dense_ms", f.shrunk.dense_ms},
                                {"shrunk_ms", f.shrunk.shrunk_ms}})},
       {"sparse", Json::object({{"largest_error", f.sparse.largest_error},
                                {"dense_ms", f.sparse.batch_128.dense_ms},
                                {"sparse_ms", f.sparse.batch_128.sparse_ms},
                                {"dense_ms_batch_1", f.sparse.batch_1.dense_ms},
                                {"sparse_ms_batch_1", f.sparse.batch_1.sparse_ms}})}});
}

}  // namespace tenon::deephoyer
