// The shrunk network computes what the masked one does, for random masks that kill inputs, units, whole
// layers.
#include "nn/compress/shrink.h"

#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/compress/accounting.h"
#include "nn/compress/mask.h"
#include "nn/conv.h"
#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/norm.h"
#include "nn/pool.h"
#include "tests/seed.h"

namespace tenon {
namespace {

double largest_difference(Module& a, Module& b, const Tensor& x) {
  NoGrad no_grad;
  a.eval();
  b.eval();
  return amax(abs(sub(a(Variable(x)).value(), b(Variable(x)).value()))).item();
}

// Zeroes random rows (outputs) and columns (inputs) of every weight, some biases, and single weights.
void prune_at_random(Module& net, Generator& g, double rows, double columns) {
  for (const NamedVariable& p : net.named_parameters()) {
    const Tensor& w = p.variable.value();
    for (int64_t i = 0; i < w.size(0); ++i)
      if (g.next_uniform() < (w.rank() == 1 ? 0.5 : rows)) w.select(0, i).fill_(0);
    if (w.rank() < 2) continue;
    for (int64_t i = 0; i < w.size(1); ++i)
      if (g.next_uniform() < columns) w.select(1, i).fill_(0);
    w.copy_(mul(w, random_bernoulli(w.shape(), g, 0.8).to(w.dtype())));
  }
}

std::shared_ptr<Sequential> conv_chain(Generator& g, int64_t padding) {
  ConvOptions options{.padding = {padding}};
  auto net = std::make_shared<Sequential>();
  net->add("conv1", std::make_shared<Conv2d>(3, 6, Dims{3}, options, Bias::yes, g))
      .add("leaky", std::make_shared<LeakyReLU>(0.1))
      .add("conv2", std::make_shared<Conv2d>(6, 5, Dims{3}, options, Bias::no, g))
      .add("relu", std::make_shared<ReLU>())
      .add("pool", std::make_shared<MaxPool2d>(PoolOptions{.kernel = {2}}))
      .add("mean", std::make_shared<AvgPool2d>(PoolOptions{.kernel = {2}, .stride = {1}}))
      .add("flatten", std::make_shared<Flatten>())
      .add("drop", std::make_shared<Dropout>(0.5))
      .add("fc1", std::make_shared<Linear>(padding ? 125 : 45, 12, Bias::no, g))
      .add("tanh", std::make_shared<Tanh>())
      .add("fc2", std::make_shared<Linear>(12, 4, Bias::yes, g));
  return net;
}

}  // namespace

TEST_CASE("shrink: random masked networks and their shrunk forms give the same logits") {
  Generator g(test_seed(), 41);
  int64_t smaller = 0;
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    const int64_t padding = round % 3 == 0 ? 1 : 0;
    const bool mlp = round % 2 == 0;
    auto net = mlp ? make_mlp({27, 20, 15, 8, 4}, g) : conv_chain(g, padding);
    const Shape sample = mlp ? Shape{1, 3, 3, 3} : Shape{1, 3, 12, 12};
    if (round % 5 == 0) net->to(float64);
    // From light pruning to whole layers dead.
    const double strength = round == 39 ? 1.0 : 0.15 * (round % 6);
    prune_at_random(*net, g, strength, 0.7 * strength);
    const State before = clone_state(net->state());

    Shrunk shrunk = shrink(*net, sample);
    Shape batch = sample;
    batch[0] = 50;
    Tensor x = random_normal(batch, g, 0, 1, net->parameters()[0].dtype());
    CHECK(largest_difference(*net, *shrunk.network, x) < 1e-4);
    for (const auto& [name, tensor] : net->state())  // the original is left as it was
      CHECK(sum(not_equal(tensor, before.at(name)).to(int64)).item() == 0);

    Account big = account(*net, sample), small = account(*shrunk.network, sample);
    CHECK(small.macs <= big.macs);
    CHECK(small.output == big.output);
    smaller += small.macs < big.macs;

    // A fixed point: shrinking again removes nothing.
    Shrunk again = shrink(*shrunk.network, sample);
    CHECK(account(*again.network, sample).macs == small.macs);
  }
  CHECK(smaller >= 25);
}

TEST_CASE("shrink: which units go, worked out by hand") {
  // 4 inputs - 3 - 2. Unit 0 lives; unit 1 has no weights and bias 2, so that it emits relu(2) = 2; nobody
  // reads unit 2.
  auto net = make_mlp({4, 3, 2});
  auto& fc1 = static_cast<Linear&>(net->at("fc1"));
  auto& fc2 = static_cast<Linear&>(net->at("fc2"));
  fc1.weight.value().copy_(Tensor::from<float>({1, 0, 2, 0, 0, 0, 0, 0, 0, 5, 0, 0}, {3, 4}));
  fc1.bias.value().copy_(Tensor::from<float>({0.5, 2, 1}));
  fc2.weight.value().copy_(Tensor::from<float>({1, 3, 0, -1, 4, 0}, {2, 3}));
  fc2.bias.value().copy_(Tensor::from<float>({0, 10}));
  Shrunk shrunk = shrink(*net, {1, 4});
  CHECK(shrunk.inputs == std::vector<int64_t>{0, 2});  // input 1 fed only unit 2
  REQUIRE(shrunk.layers.size() == 2);
  CHECK(shrunk.layers[0].name == "fc1");
  CHECK(shrunk.layers[0].units == std::vector<int64_t>{0});
  CHECK(shrunk.layers[1].units == std::vector<int64_t>{0, 1});
  State state = shrunk.network->state();
  CHECK(state.at("fc1.weight").to_vector<float>() == std::vector<float>{1, 2});
  CHECK(state.at("fc2.weight").to_vector<float>() == std::vector<float>{1, -1});
  CHECK(state.at("fc2.bias").to_vector<float>() == std::vector<float>{6, 18});
}

TEST_CASE("shrink: LeNet-5 with 5 - 12 - 139 - 13 left has the MACs of the published structure") {
  // Yang et al. (2020): 169.9k MACs. Units are cut by zeroing weights and biases, as the masks do.
  Generator g(5);
  auto net = make_lenet_5(g);
  auto keep_first = [&](const char* name, int64_t count) {
    for (const NamedVariable& p : net->at(name).named_parameters()) {
      const Tensor& w = p.variable.value();
      w.narrow(0, count, w.size(0) - count).fill_(0);
    }
  };
  keep_first("conv1", 5);
  keep_first("conv2", 12);
  keep_first("fc1", 13);
  // 139 of the 12 * 16 inputs of fc1 are read.
  const Tensor& fc1 = static_cast<Linear&>(net->at("fc1")).weight.value();
  fc1.narrow(1, 139, 800 - 139).fill_(0);
  Shrunk shrunk = shrink(*net, {1, 1, 28, 28});
  Account small = account(*shrunk.network, {1, 1, 28, 28});
  CHECK(shrunk.layers[0].units.size() == 5);
  // 139 columns reach into the ninth channel of 16: the other three channels are read by nobody.
  CHECK(shrunk.layers[1].units.size() == 9);
  CHECK(small.macs == 5 * 25 * 576 + 9 * 125 * 64 + 9 * 16 * 13 + 13 * 10);
  CHECK(largest_difference(*net, *shrunk.network, random_uniform({20, 1, 28, 28}, g)) < 1e-4);
  // It trains on.
  shrunk.network->train();
  backward(cross_entropy((*shrunk.network)(Variable(random_uniform({4, 1, 28, 28}, g))),
                         Tensor::zeros({4}, int64)));
  CHECK(shrunk.network->named_parameters()[0].variable.grad().defined());
}

TEST_CASE("shrink: what it cannot go through is refused by name") {
  auto net = std::make_shared<Sequential>();
  net->add("conv", std::make_shared<Conv2d>(4, 4, Dims{1}, ConvOptions{.groups = 2}));
  CHECK_THROWS_WITH_AS(shrink(*net, {1, 4, 2, 2}), "shrink: 'conv' (Conv2d) has groups", Error);
  auto norm = std::make_shared<Sequential>();
  norm->add("conv", std::make_shared<Conv2d>(4, 4, Dims{1})).add("bn", std::make_shared<BatchNorm2d>(4));
  CHECK_THROWS_WITH_AS(shrink(*norm, {1, 4, 2, 2}),
                       "shrink: 'bn' (BatchNorm2d) is of a kind that cannot be shrunk through", Error);
  auto empty = std::make_shared<Sequential>();
  empty->add("relu", std::make_shared<ReLU>());
  CHECK_THROWS_AS(shrink(*empty, {1, 4}), Error);
}

TEST_CASE("mask: thresholds, liveness, and masks that are applied") {
  Tensor w = Tensor::from<float>({3, -1, 0, 0.5, 0, 0}, {2, 3});
  CHECK(mask_by_value(w, 1).to_vector<uint8_t>() == std::vector<uint8_t>{1, 1, 0, 0, 0, 0});
  // mean 2.5/6, variance (9 + 1 + 0.25)/6 - mean^2: std 1.2388
  CHECK(std_of(w) == doctest::Approx(1.238839).epsilon(1e-5));
  CHECK(mask_by_std(w, 0.5).to_vector<uint8_t>() == std::vector<uint8_t>{1, 1, 0, 0, 0, 0});
  CHECK(mask_by_std(w, 0.4).to_vector<uint8_t>() == std::vector<uint8_t>{1, 1, 0, 1, 0, 0});
  CHECK(count_nonzero(w) == 3);
  CHECK(live_along(w, 0).to_vector<uint8_t>() == std::vector<uint8_t>{1, 1});
  CHECK(live_along(w, 1).to_vector<uint8_t>() == std::vector<uint8_t>{1, 1, 0});
  CHECK(count_live(w, 1) == 2);
  CHECK(live_along(Tensor::from<float>({0, 2}), 0).to_vector<uint8_t>() == std::vector<uint8_t>{0, 1});

  Variable p(w.clone(), true);
  p.set_grad(Variable(Tensor::ones({2, 3})));
  Masks masks;
  masks.add({"w", p}, mask_by_value(w, 1));
  masks.apply();
  masks.apply_to_gradients();
  CHECK(p.value().to_vector<float>() == std::vector<float>{3, -1, 0, 0, 0, 0});
  CHECK(p.grad().value().to_vector<float>() == std::vector<float>{1, 1, 0, 0, 0, 0});
  CHECK(masks.kept() == 2);
  CHECK(masks.total() == 6);
  CHECK(masks.state().at("w").dtype() == uint8);
  CHECK_THROWS_AS(masks.add({"w", p}, mask_by_value(w, 1)), Error);
  CHECK_THROWS_WITH_AS(masks.add({"v", p}, Tensor::ones({2, 3})),
                       "Masks: 'v' expects a uint8 mask of shape [2, 3], got float32 [2, 3] on cpu", Error);
}

TEST_CASE("shrink: a last layer without units") {
  Sequential net;
  net.add("fc", std::make_shared<Linear>(4, 0));
  const Shrunk small = shrink(net, {1, 4});
  CHECK((*small.network)(Variable(Tensor::ones({2, 4}))).shape() == Shape{2, 0});
}

}  // namespace tenon
