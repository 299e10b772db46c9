// AutoGrow's policy against traces that were computed apart from it, and what the growth of a block changes and does not.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/loss.h"
#include "nn/optim.h"
#include "papers/autogrow/growing.h"

namespace tenon::autogrow {
namespace {

const Family kFamilies[] = {Family::basic3, Family::basic4, Family::bottleneck4, Family::plain3,
                            Family::plain4};
const Family kResidual[] = {Family::basic3, Family::basic4, Family::bottleneck4};

NetworkOptions small(Family family) {
  return {.family = family, .width = 3, .image = {1, 9, 9}, .classes = 4};
}

Depths seed_of(Family family, int64_t depth = 1) {
  return Depths(static_cast<size_t>(stages_of(family)), depth);
}

std::unique_ptr<Optimizer> sgd(const Module& net) {
  return std::make_unique<SGD>(net.named_parameters(),
                               SgdOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 5e-4});
}

void train(Module& net, Optimizer& optimizer, int steps, Generator& generator) {
  for (int step = 0; step < steps; ++step) {
    optimizer.zero_grad();
    const Tensor images = random_uniform({6, 1, 9, 9}, generator),
                 labels = random_integers({6}, generator, 0, 4);
    backward(cross_entropy(net(Variable(images)), labels));
    optimizer.step();
  }
}

Tensor logits(Module& net, const Tensor& images) {
  NoGrad no_grad;
  return net(Variable(images)).value();
}

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(sub(a, b))).item(); }

bool same_bits(const Tensor& a, const Tensor& b) { return a.to_vector<float>() == b.to_vector<float>(); }

std::vector<double> feed(GrowthPolicy& policy, const std::vector<double>& accuracies) {
  for (double a : accuracies)
    if (!policy.ended()) policy.observe(a);
  return accuracies;
}

}  // namespace

TEST_CASE("autogrow: golden traces of the policy") {
  for (const GoldenTrace& trace : golden_traces()) {
    INFO("K ", trace.options.interval, " J ", trace.options.window, " seed ", depths_text(trace.seed));
    const GrowthPolicy policy = replayed(trace);
    CHECK(depths_text(policy.depths()) == depths_text(trace.found));
    CHECK(policy.epochs() == trace.epochs);
    CHECK_FALSE(policy.limited());
  }
}

TEST_CASE("autogrow: the stage that grew last is frozen, and the next one grows in the same step") {
  const GrowthPolicy policy = replayed(golden_traces().front());
  const std::vector<Event>& events = policy.events();
  REQUIRE(events.size() >= 4);
  const Event* last = &events.back();
  CHECK(last[-3] == Event{165, -1, 0, {20, 19, 19}});
  CHECK(last[-2] == Event{168, 0, 1, {20, 20, 19}});
  CHECK(last[-1] == Event{171, 1, 2, {20, 20, 20}});
  CHECK(last[0] == Event{174, 2, -1, {20, 20, 20}});
  CHECK(depths_text(policy.depths_in(1)) == "1-1-1");
  CHECK(depths_text(policy.depths_in(165)) == "19-19-19");
  CHECK(depths_text(policy.depths_in(166)) == "20-19-19");
}

TEST_CASE("autogrow: convergent growth waits for convergence, then judges the block that it added") {
  const GrowthPolicy policy = replayed(golden_traces().back());
  const std::vector<Event> expected = {
      {180, -1, 0, {2, 1, 1}}, {210, 0, 1, {2, 2, 1}}, {240, 1, 2, {2, 2, 2}}, {270, 2, -1, {2, 2, 2}}};
  CHECK(policy.events() == expected);
}

TEST_CASE("autogrow: accuracy may rise again, and one stage goes on alone") {
  const PolicyOptions options{.interval = 1, .window = 1, .tau = 1};
  GrowthPolicy policy(options, {1, 1, 1});
  // One epoch is no history, so the first interval always grows. The second gains nothing: stage 0 is frozen; so is stage 1
  // then. From there on accuracy rises, and stage 2 alone grows.
  feed(policy, {50, 50, 50, 60, 70, 80, 80.5});
  CHECK(depths_text(policy.depths()) == "2-2-5");
  CHECK(policy.ended());
  CHECK_THROWS_WITH_AS(policy.observe(90), doctest::Contains("ended"), Error);
}

TEST_CASE("autogrow: a running maximum, percentage points, limits, and the same accuracies again") {
  GrowthPolicy dips({.interval = 1, .window = 2, .tau = 0.05}, {1, 1});
  feed(dips, {60, 40, 60.04});  // m is 60, 60, 60.04: it gained less than 0.05 points
  CHECK(dips.events().back().frozen == 1);

  const PolicyOptions tight{.interval = 2, .window = 4, .tau = 0.05, .max_depth = 2, .max_epochs = 100};
  GrowthPolicy deep(tight, {1, 1});
  feed(deep, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(depths_text(deep.depths()) == "2-2");
  CHECK(deep.ended());
  CHECK(deep.limited());

  const PolicyOptions brief{.interval = 2, .window = 4, .tau = 0.05, .max_epochs = 5};
  GrowthPolicy tired(brief, {1, 1});
  const std::vector<double> told = feed(tired, {1, 2, 3, 4, 5, 6});
  CHECK(tired.epochs() == 6);
  CHECK(depths_text(tired.depths()) == "2-2");
  CHECK(tired.limited());
  GrowthPolicy again(brief, {1, 1});
  feed(again, told);
  CHECK(again.events() == tired.events());

  CHECK_THROWS_WITH_AS(GrowthPolicy(tight, {3, 1}), doctest::Contains("1 to 2"), Error);
  CHECK_THROWS_AS(GrowthPolicy({.interval = 0}, {1}), Error);
}

TEST_CASE("autogrow: families are the networks that they are named after") {
  const auto parameters = [](Family family, int64_t width, const Depths& depths) {
    Generator generator(1);
    return make_network({.family = family, .width = width, .image = {3, 32, 32}}, depths, generator)
        ->parameter_count();
  };
  // ResNet-20; ResNet-18 and ResNet-50 with a 3x3 stem for ten classes.
  CHECK(parameters(Family::basic3, 16, {3, 3, 3}) == make_cifar_resnet(20)->parameter_count());
  CHECK(parameters(Family::basic4, 64, {2, 2, 2, 2}) == 11173962);
  CHECK(parameters(Family::bottleneck4, 64, {3, 4, 6, 3}) == 23520842);
  Generator generator(1);
  NetworkOptions options{.family = Family::basic3, .width = 16, .image = {3, 32, 32}};
  CHECK(forward_macs(*make_network(options, {42, 42, 42}, generator), options) ==
        doctest::Approx(593e6).epsilon(0.01));
  CHECK_THROWS_WITH_AS(make_network(options, {1, 1, 1, 1}, generator), doctest::Contains("3 depths"), Error);
}

TEST_CASE(
    "autogrow: growth changes no parameter, buffer or momentum that was there, and new momentum is none") {
  for (Family family : kFamilies) {
    INFO(name_of(family));
    Generator generator(3);
    const NetworkOptions options = small(family);
    auto net = make_network(options, seed_of(family), generator);
    auto optimizer = sgd(*net);
    train(*net, *optimizer, 3, generator);
    for (int round = 0; round < 2; ++round)
      for (int stage = 0; stage < stages_of(family); ++stage) {
        const State before = clone_state(net->state()), momentum = clone_state(optimizer->state());
        const GrownBlock grown = append_block(*net, options, stage, generator);
        initialise(grown, Initialiser::gaussian, 1, generator);
        CHECK(grown.name == concat("layer", stage + 1, ".", round + 1));
        auto fresh = sgd(*net);
        fresh->inherit(*optimizer);
        const State now = net->state(), kept = fresh->state();
        for (const auto& [name, value] : before) {
          REQUIRE(now.contains(name));
          CHECK(same_bits(now.at(name), value));
        }
        CHECK(now.size() > before.size());
        for (const auto& [name, value] : now)
          if (!before.contains(name)) CHECK(name.rfind(grown.name + ".", 0) == 0);
        CHECK(kept.size() == momentum.size());  // nothing yet for the new block
        for (const auto& [name, value] : momentum)
          CHECK(kept.at(name).to(float64).to_vector<double>() == value.to(float64).to_vector<double>());
        optimizer = std::move(fresh);
        train(*net, *optimizer, 1, generator);
      }
    CHECK(depths_of(*net, family) == seed_of(family, 3));
  }
}

TEST_CASE("autogrow: ZeroInit preserves the function, in every stage and at every depth; GauInit does not") {
  for (Family family : kResidual) {
    INFO(name_of(family));
    Generator generator(5);
    const NetworkOptions options = small(family);
    auto net = make_network(options, seed_of(family), generator);
    auto optimizer = sgd(*net);
    train(*net, *optimizer, 8, generator);  // running statistics have moved
    const Tensor images = random_uniform({5, 1, 9, 9}, generator);
    for (int step = 0; step < 2 * stages_of(family); ++step) {
      net->eval();
      const Tensor before = logits(*net, images);
      const GrownBlock grown = append_block(*net, options, step % stages_of(family), generator);
      initialise(grown, Initialiser::zero, 1, generator);
      CHECK(largest_difference(logits(*net, images), before) == 0);
      CHECK(norm2(grown.last_norm->weight.value()).item() == 0);
      initialise(grown, Initialiser::gaussian, 1, generator);
      CHECK(norm2(grown.last_norm->weight.value()).item() > 0);
      CHECK(norm2(grown.last_norm->bias.value()).item() > 0);
      CHECK(largest_difference(logits(*net, images), before) > 1e-2);
      initialise(grown, Initialiser::zero, 1, generator);
      net->train();
    }
  }
}

TEST_CASE("autogrow: a ZeroInit block learns: first its last norm, then its convolutions") {
  Generator generator(7);
  const NetworkOptions options = small(Family::basic3);
  auto net = make_network(options, {1, 1, 1}, generator);
  const GrownBlock grown = append_block(*net, options, 1, generator);
  initialise(grown, Initialiser::zero, 1, generator);
  auto optimizer = sgd(*net);
  const auto conv = [&] { return net->state().at("layer2.1.conv1.weight").clone(); };
  const auto gradient = [&] {
    return norm2(dynamic_cast<Conv2d&>(net->at("layer2.1.conv1")).weight.grad().value()).item();
  };
  train(*net, *optimizer, 1, generator);
  CHECK(gradient() == 0);  // through gamma = 0
  CHECK(norm2(grown.last_norm->weight.value()).item() > 0);
  const Tensor before = conv();
  train(*net, *optimizer, 1, generator);
  CHECK(gradient() > 0);
  CHECK_FALSE(same_bits(conv(), before));
}

TEST_CASE("autogrow: what the initialisers draw") {
  Generator generator(9);
  const NetworkOptions options{.family = Family::basic3, .width = 512, .image = {1, 9, 9}};
  auto net = make_network(options, {1, 1, 1}, generator);
  const GrownBlock grown = append_block(*net, options, 0, generator);
  const auto check = [&](Initialiser initialiser, double scale, double average, double deviation) {
    initialise(grown, initialiser, scale, generator);
    for (const Variable& p : {grown.last_norm->weight, grown.last_norm->bias}) {
      INFO(name_of(initialiser));
      // 512 numbers: within five deviations of the mean's, and a quarter of the deviation.
      CHECK(std::fabs(mean(p.value()).item() - average) <= 5 * deviation / std::sqrt(512));
      CHECK(std::fabs(std::sqrt(variance(p.value()).item()) - deviation) <= 0.25 * deviation);
    }
  };
  check(Initialiser::gaussian, 1, 0, 1);
  check(Initialiser::gaussian, 0.5, 0, 0.5);
  check(Initialiser::uniform, 1, 0.5, std::sqrt(1.0 / 12));
  check(Initialiser::centred, 1, 0, 1);
  check(Initialiser::zero, 1, 0, 0);
  // The first norm of the block keeps its default.
  const auto& first = dynamic_cast<const ResidualBlock&>(*grown.block).norms().front();
  CHECK(same_bits(first->weight.value(), Tensor::ones({512})));
}

TEST_CASE("autogrow: blocks are appended until a checkpoint fits") {
  Generator generator(11);
  const NetworkOptions options = small(Family::bottleneck4);
  auto deep = make_network(options, {2, 1, 3, 1}, generator);
  auto net = make_network(options, {1, 1, 1, 1}, generator);
  append_blocks(*net, options, {2, 1, 3, 1});
  net->load_state(deep->state());
  const Tensor images = random_uniform({2, 1, 9, 9}, generator);
  CHECK(same_bits(logits(*net, images), logits(*deep, images)));
  CHECK_THROWS_WITH_AS(append_blocks(*net, options, {1, 1, 3, 1}), doctest::Contains("2-1-3-1"), Error);
}

}  // namespace tenon::autogrow
