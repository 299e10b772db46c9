// Joint Pruning's parts: networks of the published sizes, counts against counting one by one, rates, masks on weights.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/softmax.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "nn/compress/accounting.h"
#include "nn/compress/sparse.h"
#include "nn/linear.h"
#include "nn/optim.h"
#include "nn/response_norm.h"
#include "papers/joint_pruning/counting.h"
#include "papers/joint_pruning/method.h"
#include "papers/joint_pruning/published.h"
#include "papers/joint_pruning/recipes.h"

namespace tenon::joint_pruning {
namespace {

Tensor digits(int64_t count, uint64_t seed = 1) {
  Generator g(seed);
  return mul(random_uniform({count, 1, 28, 28}, g), random_bernoulli({1, 1, 28, 28}, g, 0.3).to(float32));
}

void prune(MaskedNet& net, const std::vector<double>& densities) {
  NoGrad no_grad;
  weight_masks(*net.chain, densities).apply();
}

}  // namespace

TEST_CASE("joint pruning: networks have the published weights and multiplications") {
  const auto sizes = [](Network network) {
    MaskedNet net = make_network(network, 1);
    const Account counted = account(*net.chain, net.input);
    return std::pair{counted.weights, counted.macs};
  };
  CHECK(sizes(Network::mlp3) == std::pair<int64_t, int64_t>{266200, 266200});
  // 4.8K + 102.4K + 884.7K + 73.7K + 1.92K
  CHECK(sizes(Network::convnet5).first == 4800 + 102400 + 884736 + 73728 + 1920);
  MaskedNet resnet = make_network(Network::resnet32, 1);
  const Account a = account(*resnet.chain, resnet.input);
  CHECK(static_cast<double>(a.weights) / 1e6 == doctest::Approx(45.87).epsilon(0.001));
  CHECK(static_cast<double>(a.macs) / 1e9 == doctest::Approx(7.34).epsilon(0.001));
  CHECK(resnet.masks.size() == 31);
  // Convolutions of AlexNet: 2.33 M weights.
  MaskedNet alexnet = make_network(Network::alexnet, 1);
  int64_t convolutions = 0;
  for (const LayerAccount& layer : account(*alexnet.chain, alexnet.input).layers)
    if (layer.kind == "Conv2d") convolutions += layer.weights;
  CHECK(static_cast<double>(convolutions) / 1e6 == doctest::Approx(2.33).epsilon(0.002));
}

TEST_CASE("joint pruning: ConvNet-5 is counted behind its pooling as published: 5.34 M") {
  MaskedNet net = make_network(Network::convnet5, 1);
  Generator g(2);
  const NetCount counted = count(net, random_normal({2, 3, 24, 24}, g));
  double published = 0;
  for (const LayerCount& layer : counted.layers) published += layer.published_macs;
  CHECK(published / 1e6 == doctest::Approx(5.34).epsilon(0.001));
  CHECK(counted.layers[0].published_macs / 1e6 == doctest::Approx(0.69).epsilon(0.01));
  CHECK(counted.dense_macs() == static_cast<double>(account(*net.chain, net.input).macs));
}

TEST_CASE("joint pruning: pairs are those of counting one by one, in convolutions too") {
  MaskedNet net = make_network(Network::convnet5, 3);
  prune(net, {0.5, 0.3, 0.1, 0.1, 0.2});
  set_winners(net, {0.4, 0.2, 0.1, 0.3});
  Generator g(4);
  const Tensor images = random_normal({2, 3, 24, 24}, g);
  const NetCount counted = count(net, images);
  // conv2, whose input is masked: every output, every tap.
  NoGrad no_grad;
  net.chain->eval();
  double pairs = 0, product_density = 0;
  visit_layers(net, Variable(images), [&](const std::string& name, Module& layer, const Variable& x) {
    if (name == "conv2") {
      const std::vector<float> a = x.value().to_vector<float>(),
                               w = dynamic_cast<Conv2d&>(layer).weight.value().to_vector<float>();
      const auto at = [&](int64_t n, int64_t c, int64_t i, int64_t j) {
        return i >= 0 && j >= 0 && i < 12 && j < 12 &&
               a[static_cast<size_t>(((n * 64 + c) * 12 + i) * 12 + j)] != 0;
      };
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t o = 0; o < 64; ++o)
          for (int64_t c = 0; c < 64; ++c)
            for (int64_t u = 0; u < 5; ++u)
              for (int64_t v = 0; v < 5; ++v) {
                if (w[static_cast<size_t>(((o * 64 + c) * 5 + u) * 5 + v)] == 0) continue;
                for (int64_t i = 0; i < 12; ++i)
                  for (int64_t j = 0; j < 12; ++j) pairs += at(n, c, i + u - 2, j + v - 2) ? 1 : 0;
              }
      product_density = static_cast<double>(count_nonzero(x.value())) / static_cast<double>(x.numel());
    }
    return layer(x);
  });
  CHECK(counted.layers[1].pairs == doctest::Approx(pairs / 2).epsilon(1e-12));
  CHECK(counted.layers[1].incoming == doctest::Approx(product_density).epsilon(1e-12));
  CHECK(counted.layers[1].weight_share() == doctest::Approx(0.3).epsilon(1e-3));
}

TEST_CASE("joint pruning: the published shares follow from the published densities by the product") {
  // Trap: the density that counts is the incoming one.
  for (const Published& p : published()) {
    if (p.network == Network::mlp3 || p.network == Network::resnet32) continue;
    double incoming = 100;
    for (const PublishedLayer& layer : p.layers) {
      CHECK(layer.macs == doctest::Approx(layer.weights * incoming / 100).epsilon(0.02));
      incoming = layer.activations;
    }
  }
}

TEST_CASE("joint pruning: every layer keeps its own share of weights, and cuts only grow") {
  MaskedNet net = make_network(Network::mlp3, 5);
  const std::vector<double> final = {0.1, 0.1, 0.2};
  std::vector<Tensor> before;
  for (int round = 0; round < kRounds; ++round) {
    prune(net, densities_of_round(final, round));
    std::vector<Tensor> now;
    for (const Variable& p : net.chain->parameters())
      if (p.rank() >= 2) now.push_back(p.value().clone());
    for (size_t i = 0; i < before.size(); ++i)
      CHECK(count_nonzero(now[i]) == count_nonzero(mul(now[i], before[i])));  // none came back
    before = now;
  }
  CHECK(count_nonzero(before[0]) == 23520);
  CHECK(count_nonzero(before[1]) == 3000);
  CHECK(count_nonzero(before[2]) == 200);
  // Biases stay.
  CHECK(count_nonzero(net.chain->parameters()[1].value()) > 250);
}

TEST_CASE(
    "joint pruning: under the masks only winners' weights learn, and cut weights stay cut through Adadelta") {
  MaskedNet net = make_network(Network::mlp3_leaky, 6);
  prune(net, {0.1, 0.1, 0.2});
  const Masks masks = weight_masks(*net.chain, {0.1, 0.1, 0.2});
  set_winners(net, {0.12, 0.24});
  Adadelta optimizer(net.chain->named_parameters(), {.lr = 0.5, .rho = 0.95, .weight_decay = 1e-4});
  Generator g(7);
  const Tensor images = digits(20), labels = random_integers({20}, g, 0, 10);
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_grad();
    backward(softmax_cross_entropy((*net.chain)(Variable(images)), labels));
    NoGrad no_grad;
    masks.apply_to_gradients();
    optimizer.step();
    masks.apply();
  }
  const std::vector<Variable> p = net.chain->parameters();
  CHECK(count_nonzero(p[0].value()) <= 23520);
  CHECK(count_nonzero(p[2].value()) <= 3000);
  CHECK(count_nonzero(p[4].value()) <= 200);
}

TEST_CASE(
    "joint pruning: leaky activations keep exactly k winners in every sample, in training and evaluation") {
  MaskedNet net = make_network(Network::mlp3_leaky, 8);
  set_winners(net, {0.12, 0.24});
  for (bool training : {true, false}) {
    net.chain->train(training);
    NoGrad no_grad;
    size_t mask = 0;
    visit_layers(net, Variable(digits(30)), [&](const std::string&, Module& layer, const Variable& x) {
      const Variable y = layer(x);
      if (dynamic_cast<ActivationMask*>(&layer) != nullptr) {
        const int64_t k = mask++ == 0 ? 36 : 24;
        for (int64_t i = 0; i < 30; ++i) CHECK(count_nonzero(y.value().select(0, i)) == k);
      }
      return y;
    });
    CHECK(mask == 2);
  }
}

TEST_CASE("joint pruning: dropout falls with the root of the winner rate") {
  MaskedNet net = make_network(Network::mlp3, 9);
  const double dense = net.dense_dropout;
  set_winners(net, {0.25, 0.16});
  CHECK(net.dropouts[0].layer->p() == doctest::Approx(dense * 0.5));
  CHECK(net.dropouts[1].layer->p() == doctest::Approx(dense * 0.4));
  release(net);
  CHECK(net.dropouts[0].layer->p() == dense);
}

TEST_CASE(
    "joint pruning: static thresholds keep the wanted share of what they were taken on, layer by layer") {
  MaskedNet net = make_network(Network::mlp3_leaky, 10);
  const Tensor images = digits(200);
  set_static_thresholds(net, {0.12, 0.24}, images);
  const NetCount counted = count(net, images);
  CHECK(counted.layers[0].outgoing == doctest::Approx(0.12).epsilon(0.001));
  CHECK(counted.layers[1].outgoing == doctest::Approx(0.24).epsilon(0.001));
  CHECK(net.masks[0]->options().threshold > 0);
  CHECK(net.masks[0]->options().threshold != net.masks[1]->options().threshold);
}

TEST_CASE(
    "joint pruning: rates are the smallest that cost little alone, and go up where the curve is steepest") {
  MaskedNet net = make_network(Network::mlp3, 11);
  // Alone, mask 1 may go to 0.4, mask 2 to 0.1; mask 1 is steep there.
  const auto alone = [&](size_t mask, double rate) {
    return mask == 0 ? (rate >= 0.4 ? 0.98 - 0.01 * (1 - rate) * 0.5 : 0.5) : (rate >= 0.1 ? 0.979 : 0.6);
  };
  std::vector<Curve> curves(2);
  for (size_t mask : {size_t{0}, size_t{1}})
    for (double rate : rate_grid()) {
      curves[mask].rates.push_back(rate);
      curves[mask].accuracy.push_back(rate == 1 ? 0.98 : alone(mask, rate));
    }
  int asked = 0;
  const auto joint = [&] {  // too low until mask 1 is at 0.6
    ++asked;
    return net.masks[0]->options().rate >= 0.6 ? 0.97 : 0.9;
  };
  const std::vector<double> rates = choose_rates(net, curves, joint);
  CHECK(rates == std::vector<double>{0.6, 0.1});
  CHECK(asked == 3);
  CHECK(net.masks[1]->options().rate == 0.1);
}

TEST_CASE("joint pruning: sparse products of weights and activations compute what the masked network does") {
  MaskedNet net = make_network(Network::mlp3, 12);
  prune(net, {0.1, 0.1, 0.2});
  set_winners(net, {0.12, 0.24});
  net.chain->eval();
  NoGrad no_grad;
  const Tensor images = digits(128);
  const NetCount counted = count(net, images);
  std::vector<double> densities;
  for (const LayerCount& layer : counted.layers) densities.push_back(layer.incoming);
  const Tensor expected = (*net.chain)(Variable(images)).value();
  for (int64_t batch : {1, 128}) {
    const Compiled compiled = compile_sparse(*net.chain, {batch, 1, 28, 28}, densities);
    bool skips = false;
    for (const CompiledLayer& layer : compiled.layers) skips = skips || layer.form.skips;
    if (batch == 1) CHECK(skips);
    for (int64_t first = 0; first < 128; first += batch) {
      const Tensor got = (*compiled.network)(Variable(images.narrow(0, first, batch))).value();
      CHECK(amax(abs(sub(got, expected.narrow(0, first, batch)))).item() < 1e-5);
    }
  }
  CHECK_THROWS_WITH_AS(compile_sparse(*net.chain, {1, 1, 28, 28}, {0.2}), doctest::Contains("too few"),
                       Error);
}

TEST_CASE("local response norm: by its definition, and zeros stay") {
  Generator g(13);
  const Tensor x = relu(random_normal({2, 7, 3, 3}, g));
  LocalResponseNorm norm(7, {.radius = 2, .bias = 1, .alpha = 0.5, .beta = 0.75});
  const Tensor y = norm(Variable(x)).value();
  const std::vector<float> in = x.to_vector<float>(), out = y.to_vector<float>();
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t c = 0; c < 7; ++c)
      for (int64_t p = 0; p < 9; ++p) {
        double near = 0;
        for (int64_t j = std::max<int64_t>(0, c - 2); j <= std::min<int64_t>(6, c + 2); ++j) {
          const double v = in[static_cast<size_t>((n * 7 + j) * 9 + p)];
          near += v * v;
        }
        const auto at = static_cast<size_t>((n * 7 + c) * 9 + p);
        CHECK(out[at] == doctest::Approx(in[at] / std::pow(1 + 0.5 * near, 0.75)).epsilon(1e-5));
      }
  CHECK(count_nonzero(y) == count_nonzero(x));
  CHECK_THROWS_AS(norm(Variable(Tensor::zeros({2, 6, 3, 3}))), Error);
}

TEST_CASE("joint pruning: a block is masked after its activation and after its addition") {
  Generator noise(1), weights(2), g(3);
  MaskedBlock block(4, 8, 2, 0.1, weights, noise);
  for (const auto& mask : block.masks()) mask->set({.rule = MaskRule::winners, .rate = 0.25});
  const Tensor y = block(Variable(random_normal({3, 4, 6, 6}, g))).value();
  CHECK(y.shape() == Shape{3, 8, 3, 3});
  for (int64_t i = 0; i < 3; ++i) CHECK(count_nonzero(y.select(0, i)) == 18);
}

}  // namespace tenon::joint_pruning
