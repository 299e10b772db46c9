#include "papers/joint_pruning/latency.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/ops/winners.h"
#include "nn/compress/sparse.h"
#include "nn/linear.h"
#include "papers/experiment/timing.h"

namespace tenon::joint_pruning {
namespace {

constexpr int kRuns = 201, kWarm = 20;
constexpr int64_t kBatches[] = {1, 128};
constexpr int64_t kChecked = 1000, kBruteForce = 20;

// The fully connected part of a network, and what it is given for some images.
struct Tail {
  std::shared_ptr<Sequential> chain = std::make_shared<Sequential>();
  Variable input;
  std::vector<double> densities;  // of the input of each of its layers with a weight
};

Tail tail_of(const MaskedNet& net, const NetCount& count, const Tensor& images) {
  Tail tail;
  tail.input = Variable(images);
  size_t linear = 0;
  bool inside = false;
  for (size_t i = 0; i < net.chain->size(); ++i) {
    Module& module = (*net.chain)[i];
    inside = inside || net.chain->name(i) == "flatten";
    if (inside)
      tail.chain->add(net.chain->name(i), net.chain->share(i));
    else
      tail.input = module(tail.input);
    linear += dynamic_cast<Linear*>(&module) != nullptr ? 1 : 0;
  }
  for (size_t i = count.layers.size() - linear; i < count.layers.size(); ++i)
    tail.densities.push_back(count.layers[i].incoming);
  tail.chain->eval();
  return tail;
}

std::string kernels_of(const Compiled& compiled) {
  std::string text;
  for (const CompiledLayer& layer : compiled.layers)
    text += concat(text.empty() ? "" : "; ", layer.name, ": ", layer.form.str());
  return text;
}

Times time_batch(const MaskedNet& dense, const ArmFacts& dense_facts, const MaskedNet& wp,
                 const ArmFacts& wp_facts, const MaskedNet& jp, const ArmFacts& jp_facts,
                 const Tensor& images) {
  const Tail a = tail_of(dense, dense_facts.count, images), b = tail_of(wp, wp_facts.count, images),
             c = tail_of(jp, jp_facts.count, images);
  const Shape shape = a.input.shape();
  const Compiled weight_only = compile_sparse(*b.chain, shape),
                 weight_skip = compile_sparse(*b.chain, shape, b.densities),
                 joint = compile_sparse(*c.chain, shape, c.densities);
  // What the first mask within the chain has to choose from.
  size_t first = 0;
  while (first + 1 < a.chain->size() && dynamic_cast<const ActivationMask*>(&(*c.chain)[first]) == nullptr)
    ++first;
  Variable hidden = c.input;
  for (size_t i = 0; i < first; ++i) hidden = (*c.chain)[i](hidden);
  const std::vector<double> ms =
      experiment::median_ms({[&] { (*a.chain)(a.input); }, [&] { (*weight_only.network)(b.input); },
                             [&] { (*weight_skip.network)(b.input); }, [&] { (*joint.network)(c.input); },
                             [&] { (*c.chain)[first](hidden); }},
                            kRuns, kWarm);
  return {images.size(0), 1e3 * ms[0], 1e3 * ms[1],       1e3 * ms[2],
          1e3 * ms[3],    1e3 * ms[4], kernels_of(joint), kernels_of(weight_only)};
}

// Largest difference of logits over the largest logit or 1.
double largest_error(const MaskedNet& net, const NetCount& count, const Tensor& images) {
  const Tail tail = tail_of(net, count, images);
  const Tensor expected = (*tail.chain)(tail.input).value();
  double worst = 0;
  for (const Shape& shape : {tail.input.shape(), Shape{1, tail.input.numel() / tail.input.shape()[0]}}) {
    const Compiled compiled = compile_sparse(*tail.chain, shape, tail.densities);
    const Tensor got = (*compiled.network)(tail.input).value();
    worst = std::max(worst, amax(abs(sub(got, expected))).item() / std::max(1.0, amax(abs(expected)).item()));
  }
  return worst;
}

// How many values are above the (k + 1)-th largest: k, or fewer where others equal that one, as zeros do, and what a flat
// patch of an image leads to.
int64_t expected_winners(const Tensor& sample, int64_t k) {
  std::vector<float> size = abs(sample).to_vector<float>();
  if (k == static_cast<int64_t>(size.size())) return count_nonzero(sample);
  std::nth_element(size.begin(), size.begin() + k, size.end(), std::greater<>());
  const float theta = size[static_cast<size_t>(k)];
  return std::count_if(size.begin(), size.end(), [theta](float s) { return s > theta; });
}

int64_t winner_misses(MaskedNet& net, const Tensor& images) {
  int64_t misses = 0;
  visit_layers(net, Variable(images), [&](const std::string&, Module& layer, const Variable& x) -> Variable {
    const Variable y = layer(x);
    const auto* mask = dynamic_cast<const ActivationMask*>(&layer);
    if (mask == nullptr) return y;
    const int64_t size = x.numel() / x.shape()[0], k = winner_count(mask->options().rate, size);
    for (int64_t i = 0; i < x.shape()[0]; ++i)
      if (count_nonzero(y.value().select(0, i)) != expected_winners(x.value().select(0, i), k)) ++misses;
    return y;
  });
  return misses;
}

// Multiplications of two numbers that are not 0 in the fully connected layers, one by one.
double brute_force_pairs(MaskedNet& net, const Tensor& images) {
  double pairs = 0;
  visit_layers(net, Variable(images), [&](const std::string&, Module& layer, const Variable& x) {
    if (const auto* fc = dynamic_cast<const Linear*>(&layer)) {
      const std::vector<float> w = fc->weight.value().to_vector<float>(), a = x.value().to_vector<float>();
      const auto in = static_cast<size_t>(fc->in_features()), out = static_cast<size_t>(fc->out_features());
      for (size_t b = 0; b < a.size(); b += in)
        for (size_t m = 0; m < out; ++m)
          for (size_t k = 0; k < in; ++k) pairs += a[b + k] != 0 && w[m * in + k] != 0 ? 1 : 0;
    }
    return layer(x);
  });
  return pairs / static_cast<double>(images.size(0));
}

double counted_pairs(MaskedNet& net, const Tensor& images) {
  double pairs = 0;
  const NetCount counted = count(net, images);
  for (const LayerCount& layer : counted.layers)
    if (dynamic_cast<const Linear*>(&net.chain->at(layer.name)) != nullptr) pairs += layer.pairs;
  return pairs;
}

Latency measure(experiment::RunFolder& folder, const Facts& facts, const ArmFacts& jp,
                const experiment::ImageProblem& problem) {
  const ArmFacts &dense = *facts.dense_of(jp), &wp = *facts.weights_of(jp);
  MaskedNet dense_net = final_net(folder, *dense.recipe, dense.seed),
            wp_net = final_net(folder, *wp.recipe, wp.seed), jp_net = final_net(folder, *jp.recipe, jp.seed);
  NoGrad no_grad;
  Latency latency;
  latency.facts = &jp;
  for (int64_t batch : kBatches) {
    const Tensor images = problem.test.images.narrow(0, 0, std::min(batch, problem.test.images.size(0)));
    latency.times.push_back(time_batch(dense_net, dense, wp_net, wp, jp_net, jp, images));
  }
  const Tensor images = training_images(problem, kChecked), few = training_images(problem, kBruteForce);
  latency.largest_error =
      largest_error(jp_net, jp.count, images.narrow(0, 0, std::min<int64_t>(128, images.size(0))));
  latency.winner_misses = winner_misses(jp_net, images);
  latency.pair_error = std::fabs(brute_force_pairs(jp_net, few) - counted_pairs(jp_net, few));
  return latency;
}

bool is_measured(const Facts& facts, const ArmFacts& arm) {
  const Recipe& recipe = *arm.recipe;
  return recipe.method == Method::joint && recipe.rule == MaskRule::winners &&
         recipe.network != Network::resnet32 && arm.seed == facts.arms.front().seed &&
         facts.dense_of(arm) != nullptr && facts.weights_of(arm) != nullptr;
}

}  // namespace

std::vector<Latency> measure_latencies(experiment::RunFolder& folder, const Facts& facts,
                                       const experiment::ImageProblem& problem) {
  std::vector<Latency> all;
  for (const ArmFacts& arm : facts.arms)
    if (is_measured(facts, arm)) all.push_back(measure(folder, facts, arm, problem));
  return all;
}

}  // namespace tenon::joint_pruning
