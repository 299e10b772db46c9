#include "papers/svd_training/facts.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/compress/inference.h"
#include "nn/loss.h"
#include "nn/optim.h"
#include "papers/experiment/timing.h"
#include "papers/svd_training/pruning.h"

namespace tenon::svd_training {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kZeroEnergy = 0.1;  // at which zeroed and removed columns are compared

Accuracy accuracy_of(const Json* at) {
  if (at == nullptr || at->is_null()) return {kNan, kNan};
  return {at->at("validation").as_real(), at->at("test").as_real()};
}

Variable first_images(const experiment::ImageProblem& problem, int64_t count) {
  return Variable(problem.test.images.narrow(0, 0, std::min(count, problem.test.images.size(0))));
}

// Logits of up to 500 test images in evaluation mode.
Tensor logits_of(const Plan& plan, Module& net) {
  const NoGrad no_grad;
  net.eval();
  return net(first_images(*plan.problem, 500)).value();
}

double relative_error(const Tensor& got, const Tensor& expected) {
  return amax(abs(sub(got, expected))).item() / std::max(1e-30, amax(abs(expected)).item());
}

int64_t dense_macs_of(const Plan& plan) { return inference_macs(*make_dense(plan, 0), plan.problem->image); }

// The accuracy after stage 1 of the arm that this one goes on from.
Accuracy stage1_of(const Plan& plan, const Recipe& recipe, int64_t seed) {
  if (recipe.method != Method::sparsified) return {kNan, kNan};
  return accuracy_of(plan.folder->arm(recipe.start, seed).result().find("before"));
}

int64_t full_rank_of(Module& net) {
  int64_t total = 0;
  for (const auto& [name, layer] : svd_layers(net)) total += layer->full_rank();
  return total;
}

// What the log says of a pair's last stage before pruning.
void read_log(const std::vector<Json>& log, ArmFacts& facts) {
  const std::string stage = last_stage(*facts.recipe);
  for (const Json& line : log) {
    if (line.at("arm").as_string() != facts.recipe->arm || line.at("seed").as_integer() != facts.seed)
      continue;
    if (const Json* calls = line.find("svd_calls")) facts.svd_calls += calls->as_integer();
    if (line.at("stage").as_string() != stage || line.find("gradient_ratio") == nullptr) continue;
    facts.gradient_ratio = line.at("gradient_ratio").as_real();
  }
}

void measure_factors(const Plan& plan, ArmFacts& facts) {
  auto net = load_stage(plan, *facts.recipe, facts.seed, last_stage(*facts.recipe));
  const std::vector<NamedSvdLayer> layers = svd_layers(*net);
  facts.full_rank = full_rank_of(*net);
  facts.rank_99 = total_rank(layers, 0.01);
  facts.orthogonality = orthogonality(layers);
  facts.orthogonality_rms = orthogonality_error(layers).mean_rms;
  facts.spectrum_error = spectrum_error(*net);
  const Kept kept = columns_to_keep(*net, kZeroEnergy);
  zero_columns(*net, kept);
  const Tensor zeroed = logits_of(plan, *net);
  remove_columns(*net, kept);
  facts.zero_error = relative_error(logits_of(plan, *net), zeroed);
}

ArmFacts arm_facts(const Plan& plan, const Recipe& recipe, int64_t seed, const Json& result,
                   const std::vector<Json>& log) {
  ArmFacts f;
  f.recipe = &recipe;
  f.seed = seed;
  f.stage1 = stage1_of(plan, recipe, seed);
  f.before = accuracy_of(result.find("before"));
  f.dense_macs = dense_macs_of(plan);
  read_log(log, f);
  if (recipe.method == Method::full_rank || recipe.method == Method::sparsified) measure_factors(plan, f);
  if (const Json* curve = result.find("curve"))
    for (const Json& at : curve->items())
      f.curve.push_back({at.at("e").as_real(), at.at("energy_lost").as_real(), at.at("rank").as_integer(),
                         at.at("macs").as_integer(), accuracy_of(at.find("raw")),
                         accuracy_of(at.find("estimated"))});
  return f;
}

WallFacts wall_facts(const Plan& plan, Module& dense, Module& net, int64_t batch) {
  const NoGrad no_grad;
  const Variable x = first_images(*plan.problem, batch);
  const std::vector<double> ms =
      experiment::median_ms({[&] { dense(x); }, [&] { net(x); }}, batch == 1 ? 101 : 51);
  return {ms[0], ms[1]};
}

// Both in the form for inference; of each pair the faster of its two forms, by the time at a batch of 32.
void time_forwards(const Plan& plan, Sequential& folded, PointFacts& f) {
  const NoGrad no_grad;
  auto dense = make_dense(plan, f.seed);
  dense->eval();
  folded.eval();
  const auto whole = compile_inference(*dense);
  keep_faster_forms(folded, first_images(*plan.problem, 32).shape());
  const auto small = compile_inference(folded);
  f.batch_1 = wall_facts(plan, *whole, *small, 1);
  f.batch_32 = wall_facts(plan, *whole, *small, 32);
  f.batch_128 = wall_facts(plan, *whole, *small, 128);
}

PointFacts point_facts(const Plan& plan, const Recipe& recipe, int64_t seed, const Json& result,
                       const Json& at, bool timed) {
  PointFacts f;
  f.recipe = &recipe;
  f.seed = seed;
  f.point = at.at("point").as_real();
  f.stage1 = stage1_of(plan, recipe, seed);
  f.stage2 = accuracy_of(result.find("before"));
  f.raw = accuracy_of(at.find("raw"));
  f.estimated = accuracy_of(at.find("estimated"));
  f.final = accuracy_of(at.find("final"));
  auto net = load_stage(plan, recipe, seed, point_stage(f.point));
  auto dense = make_dense(plan, seed);
  f.parameters = net->parameter_count();
  f.dense_parameters = dense->parameter_count();
  f.macs = inference_macs(*net, plan.problem->image);
  f.dense_macs = inference_macs(*dense, plan.problem->image);
  for (const auto& [name, layer] : svd_layers(*net))
    f.ranks.push_back(layer->rank()), f.rank += layer->rank();
  f.full_rank = full_rank_of(*net);
  const Tensor expected = logits_of(plan, *net);
  fold_factors(*net, plan.problem->image);
  f.fold_error = relative_error(logits_of(plan, *net), expected);
  f.fold_error = std::max(f.fold_error, relative_error(logits_of(plan, *compile_inference(*net)), expected));
  if (timed) time_forwards(plan, *net, f);
  return f;
}

ExactFacts exact_facts(const Plan& plan, LowRankScheme scheme) {
  auto dense = make_dense(plan, 1), net = make_dense(plan, 1);
  Generator unused(0);
  factorise(*net, scheme, Start::dense, unused);
  return {scheme, relative_error(logits_of(plan, *net), logits_of(plan, *dense))};
}

// A network with its optimiser, and one step of it.
struct Stepper {
  std::shared_ptr<Sequential> net;
  std::unique_ptr<Adam> optimizer;
  Variable images;
  Tensor labels;

  Stepper(const Plan& plan, const LowRankScheme* scheme, Path path, int64_t batch)
      : net(make_dense(plan, 1)) {
    Generator g(1);
    if (scheme != nullptr) factorise(*net, *scheme, Start::dense, g);
    for (const auto& [name, layer] : svd_layers(*net)) layer->set_path(path);
    Shape shape = plan.problem->image;
    shape.insert(0, batch);
    images = Variable(random_normal(shape, g));
    labels = random_integers({batch}, g, 0, plan.problem->classes);
    optimizer = std::make_unique<Adam>(net->named_parameters(), AdamOptions{});
  }
  void run(bool penalised) {
    optimizer->zero_grad();
    backward(cross_entropy((*net)(images), labels));
    if (penalised) penalise();
    optimizer->step();
  }
  void penalise() {
    const NoGrad no_grad;
    const std::vector<NamedSvdLayer> layers = svd_layers(*net);
    add_orthogonality_gradient(layers, 1);
    add_sparsity_gradient(Sparsifier::hoyer, layers, 0.1);
  }
  // M of every layer, and the gradients of its factors from one of M.
  void algebra() {
    for (const auto& [name, layer] : svd_layers(*net)) {
      const Variable m = product(layer->factors());
      backward(m, Variable(m.value()));
    }
  }
};

Json accuracy_json(const Accuracy& a) {
  return Json::object({{"validation", a.validation}, {"test", a.test}});
}
Json wall_json(const WallFacts& w) { return Json::object({{"dense_ms", w.dense_ms}, {"ms", w.ms}}); }

Json arm_json(const ArmFacts& f) {
  Json curve = Json::array();
  for (const CurvePoint& at : f.curve)
    curve.push_back(Json::object({{"e", at.e},
                                  {"energy_lost", at.energy_lost},
                                  {"rank", at.rank},
                                  {"macs", at.macs},
                                  {"raw", accuracy_json(at.raw)},
                                  {"estimated", accuracy_json(at.estimated)}}));
  return Json::object({{"arm", f.recipe->arm},
                       {"seed", f.seed},
                       {"stage1", accuracy_json(f.stage1)},
                       {"before", accuracy_json(f.before)},
                       {"dense_macs", f.dense_macs},
                       {"full_rank", f.full_rank},
                       {"rank_99", f.rank_99},
                       {"orthogonality", f.orthogonality},
                       {"orthogonality_rms", f.orthogonality_rms},
                       {"spectrum_error", f.spectrum_error},
                       {"zero_error", f.zero_error},
                       {"gradient_ratio", f.gradient_ratio},
                       {"svd_calls", f.svd_calls},
                       {"curve", std::move(curve)}});
}

Json point_json(const PointFacts& f) {
  Json ranks = Json::array();
  for (int64_t r : f.ranks) ranks.push_back(r);
  return Json::object({{"arm", f.recipe->arm},
                       {"seed", f.seed},
                       {"point", f.point},
                       {"stage2", accuracy_json(f.stage2)},
                       {"raw", accuracy_json(f.raw)},
                       {"estimated", accuracy_json(f.estimated)},
                       {"final", accuracy_json(f.final)},
                       {"ranks", std::move(ranks)},
                       {"rank", f.rank},
                       {"full_rank", f.full_rank},
                       {"parameters", f.parameters},
                       {"dense_parameters", f.dense_parameters},
                       {"macs", f.macs},
                       {"dense_macs", f.dense_macs},
                       {"fold_error", f.fold_error},
                       {"batch_1", wall_json(f.batch_1)},
                       {"batch_32", wall_json(f.batch_32)},
                       {"batch_128", wall_json(f.batch_128)}});
}

}  // namespace

StepFacts step_facts(const Plan& plan, LowRankScheme scheme, int64_t batch) {
  Stepper dense(plan, nullptr, Path::cheaper, batch), recomposed(plan, &scheme, Path::recomposed, batch),
      pair(plan, &scheme, Path::pair, batch), cheaper(plan, &scheme, Path::cheaper, batch);
  const std::vector<double> ms = experiment::median_ms(
      {[&] { dense.run(false); }, [&] { recomposed.run(true); }, [&] { pair.run(true); },
       [&] { cheaper.run(true); }, [&] { recomposed.penalise(); }, [&] { recomposed.algebra(); }},
      15, 3);
  return {scheme, ms[0], ms[1], ms[2], ms[3], ms[4], ms[5]};
}

Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms, const std::vector<int64_t>& seeds,
                   bool timed) {
  Facts facts;
  const std::vector<Json> log = plan.folder->read_log();
  for (const std::string& name : arms) {
    const Recipe& recipe = plan.study->recipe(name);
    for (int64_t seed : seeds) {
      const experiment::ArmRun arm = plan.folder->arm(name, seed);
      if (!arm.finished()) continue;
      const Json result = arm.result();
      facts.arms.push_back(arm_facts(plan, recipe, seed, result, log));
      if (const Json* points = result.find("points"))
        for (const Json& at : points->items())
          facts.points.push_back(point_facts(plan, recipe, seed, result, at, timed));
    }
  }
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial}) {
    facts.exact.push_back(exact_facts(plan, scheme));
    if (timed) facts.steps.push_back(step_facts(plan, scheme, plan.task.schedule.batch));
    if (plan.task.network == Network::lenet_300_100) break;  // one matrix, whatever the scheme
  }
  return facts;
}

Json facts_json(const Facts& facts) {
  Json arms = Json::array(), points = Json::array(), steps = Json::array(), exact = Json::array();
  for (const ArmFacts& f : facts.arms) arms.push_back(arm_json(f));
  for (const PointFacts& f : facts.points) points.push_back(point_json(f));
  for (const StepFacts& f : facts.steps)
    steps.push_back(Json::object({{"scheme", name_of(f.scheme)},
                                  {"dense_ms", f.dense_ms},
                                  {"recomposed_ms", f.recomposed_ms},
                                  {"pair_ms", f.pair_ms},
                                  {"cheaper_ms", f.cheaper_ms},
                                  {"penalty_ms", f.penalty_ms},
                                  {"algebra_ms", f.algebra_ms}}));
  for (const ExactFacts& f : facts.exact)
    exact.push_back(Json::object({{"scheme", name_of(f.scheme)}, {"error", f.error}}));
  return Json::object({{"arms", std::move(arms)},
                       {"points", std::move(points)},
                       {"steps", std::move(steps)},
                       {"exact", std::move(exact)}});
}

}  // namespace tenon::svd_training
