// Layers that are more than one op: LSTM against a plain loop, batch norm's running statistics, embedding,
// walks.
#include "nn/layers.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "nn/compress/inference.h"
#include "nn/response_norm.h"
#include "tests/seed.h"

namespace tenon {
namespace {

using Rows = std::vector<std::vector<double>>;

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

// One layer over one sequence of T vectors: the textbook's loop.
Rows naive_lstm(const Rows& xs, const State& state, const std::string& layer, size_t hidden) {
  auto get = [&](const char* name) { return state.at(name + layer).to_vector<double>(); };
  const auto w_ih = get("weight_ih_"), w_hh = get("weight_hh_"), b_ih = get("bias_ih_"),
             b_hh = get("bias_hh_");
  std::vector<double> h(hidden), c(hidden);
  Rows out;
  for (const auto& x : xs) {
    std::vector<double> gates(4 * hidden);
    for (size_t r = 0; r < gates.size(); ++r) {
      gates[r] = b_ih[r] + b_hh[r];
      for (size_t i = 0; i < x.size(); ++i) gates[r] += w_ih[r * x.size() + i] * x[i];
      for (size_t i = 0; i < hidden; ++i) gates[r] += w_hh[r * hidden + i] * h[i];
    }
    for (size_t k = 0; k < hidden; ++k) {
      c[k] = sigma(gates[hidden + k]) * c[k] + sigma(gates[k]) * std::tanh(gates[2 * hidden + k]);
      h[k] = sigma(gates[3 * hidden + k]) * std::tanh(c[k]);
    }
    out.push_back(h);
  }
  return out;
}

}  // namespace

TEST_CASE("lstm: two layers against a plain loop, in one run and in two") {
  Generator g(test_seed());
  LSTM lstm(3, 4, 2, g);
  lstm.to(float64);
  CHECK(lstm.parameter_count() == 4 * 4 * (3 + 4 + 2) + 4 * 4 * (4 + 4 + 2));
  Tensor x = random_normal({2, 5, 3}, g, 0, 1, float64);
  Variable y = lstm(Variable(x));
  REQUIRE(y.shape() == Shape{2, 5, 4});
  LayerUses uses;
  CHECK(lstm.walk({2, 5, 3}, uses) == Shape{2, 5, 4});
  CHECK(uses[0].macs == 2 * 5 * 16 * (3 + 4 + 4 + 4));
  for (int64_t n = 0; n < 2; ++n) {
    Rows xs;
    for (int64_t t = 0; t < 5; ++t) xs.push_back(x.select(0, n).select(0, t).to_vector<double>());
    Rows expected = naive_lstm(naive_lstm(xs, lstm.state(), "0", 4), lstm.state(), "1", 4);
    for (int64_t t = 0; t < 5; ++t) {
      auto got = y.value().select(0, n).select(0, t).to_vector<double>();
      for (size_t k = 0; k < 4; ++k)
        CHECK(got[k] == doctest::Approx(expected[static_cast<size_t>(t)][k]).epsilon(1e-10));
    }
  }
  auto [first, states] = lstm.run(Variable(x.narrow(1, 0, 2)));
  auto second = lstm.run(Variable(x.narrow(1, 2, 3)), states).first;
  auto whole = y.value().narrow(1, 2, 3).to_vector<double>(), parts = second.value().to_vector<double>();
  for (size_t i = 0; i < whole.size(); ++i) CHECK(parts[i] == doctest::Approx(whole[i]).epsilon(1e-12));
  backward(sum(square(y)));
  for (const Variable& p : lstm.parameters()) CHECK(p.grad().defined());
  CHECK_THROWS_AS(lstm(Variable(Tensor::zeros({2, 5, 4}))), Error);
}

TEST_CASE("lstm: the gradient of the recurrent weight, put together at the end and step by step") {
  Generator g(test_seed());
  LSTM lstm(3, 4, 2, g);
  lstm.to(float64);
  const Variable x(random_normal({2, 5, 3}, g, 0, 1, float64), true);
  const std::vector<Variable> parameters = lstm.parameters();
  const auto loss = [&] { return sum(square(lstm(x))); };
  const std::vector<Variable> at_end = gradients({loss()}, parameters);
  const std::vector<Variable> by_step = gradients({loss()}, parameters, {}, {.create_graph = true});
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto a = at_end[i].value().to_vector<double>(), b = by_step[i].value().to_vector<double>();
    for (size_t k = 0; k < a.size(); ++k) CHECK(a[k] == doctest::Approx(b[k]).epsilon(1e-12));
    // Against a difference.
    double& p = parameters[i].value().data<double>()[1];
    const double before = p, h = 1e-5;
    p = before + h;
    const double above = loss().value().item();
    p = before - h;
    const double below = loss().value().item();
    p = before;
    CHECK(a[1] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-6));
  }
  if (!Device::has_cuda()) return;
  lstm.to(Device::cuda());
  const Variable y = lstm(Variable(x.value().to(Device::cuda())));
  const std::vector<Variable> there = gradients({sum(square(y))}, lstm.parameters());
  for (size_t i = 0; i < there.size(); ++i) {
    const auto a = at_end[i].value().to_vector<double>(),
               b = there[i].value().to(Device::cpu()).to_vector<double>();
    for (size_t k = 0; k < a.size(); ++k) CHECK(a[k] == doctest::Approx(b[k]).epsilon(1e-10));
  }
}

TEST_CASE("lstm: a walk that ends within the sequence counts the steps that it reached") {
  Generator g(test_seed());
  LSTM lstm(3, 4, 1, g);
  lstm.to(float64);
  const Variable x(random_normal({2, 5, 3}, g, 0, 1, float64));
  const Variable weight = lstm.named_parameters()[1].variable;
  // From the third step's output alone: what comes after has no gradient, as if it were not there.
  const Variable whole = gradients({sum(select(lstm(x), 1, 2))}, {weight})[0];
  const Variable start =
      gradients({sum(select(lstm(Variable(x.value().narrow(1, 0, 3))), 1, 2))}, {weight})[0];
  const auto a = whole.value().to_vector<double>(), b = start.value().to_vector<double>();
  for (size_t k = 0; k < a.size(); ++k) CHECK(a[k] == doctest::Approx(b[k]).epsilon(1e-12));
}

TEST_CASE("batch norm: running statistics follow, and evaluation uses them") {
  BatchNorm2d norm(2);
  norm.to(float64);
  // Channel 0: 1, 3 (mean 2, unbiased variance 2); channel 1: 10, 10 (mean 10, variance 0).
  Variable x(Tensor::from<double>({1, 10, 3, 10}, {2, 2, 1, 1}));
  Variable y = norm(x);
  CHECK(y.value().to_vector<double>()[0] == doctest::Approx(-1 / std::sqrt(1 + 1e-5)));
  CHECK(norm.running_mean.value().to_vector<double>() == std::vector<double>{0.2, 1});
  auto variance = norm.running_var.value().to_vector<double>();
  CHECK(variance[0] == doctest::Approx(0.9 + 0.1 * 2));
  CHECK(variance[1] == doctest::Approx(0.9));
  norm.eval();
  auto eval = norm(x).value().to_vector<double>();
  CHECK(eval[0] == doctest::Approx((1 - 0.2) / std::sqrt(1.1 + 1e-5)));
  CHECK(norm.running_mean.value().to_vector<double>() == std::vector<double>{0.2, 1});
  CHECK_THROWS_WITH_AS(norm(Variable(Tensor::zeros({2, 3, 1, 1}))),
                       "BatchNorm2d: expects 2 channels and rank 4, got [2, 3, 1, 1]", Error);
}

TEST_CASE(
    "batch norm: statistics are estimated anew as means over batches, whatever they were, and momentum "
    "stays") {
  auto norm = std::make_shared<BatchNorm2d>(1);
  Sequential net;
  net.add("norm", norm);
  norm->running_mean.value().fill_(77);
  net.eval();
  // Batches of two images: {1, 3} has mean 2 and variance 2, {4, 4} mean 4 and variance 0, {6, 10} mean 8 and variance 8.
  const Tensor images = Tensor::from<float>({1, 3, 4, 4, 6, 10}, {6, 1, 1, 1});
  estimate_statistics(net, images, 2);
  CHECK(norm->running_mean.value().item() == doctest::Approx(14.0 / 3));
  CHECK(norm->running_var.value().item() == doctest::Approx(10.0 / 3));
  CHECK(norm->momentum() == 0.1);
  CHECK_FALSE(norm->is_training());
  CHECK_THROWS_AS(estimate_statistics(net, images, 0), Error);
}

TEST_CASE("BatchNorm2d: forward_relu is relu of the sum, with the same statistics and gradients") {
  Generator g(test_seed(), 17);
  const Tensor x = random_normal({3, 4, 5, 6}, g, 2, 3), r = random_normal({3, 4, 5, 6}, g);
  const Tensor of_y = random_normal({3, 4, 5, 6}, g);
  for (bool residual : {false, true}) {
    std::vector<Tensor> outcome[2];
    for (int fused : {0, 1}) {
      BatchNorm2d norm(4);
      Variable in(x, true), add(r, true);
      Variable y = fused != 0 ? norm.forward_relu(in, residual ? add : Variable())
                              : relu(residual ? norm(in) + add : norm(in));
      backward(sum(y * Variable(of_y)));
      outcome[fused] = {y.value(),
                        in.grad().value(),
                        norm.weight.grad().value(),
                        norm.bias.grad().value(),
                        norm.running_mean.value(),
                        norm.running_var.value()};
      if (residual) outcome[fused].push_back(add.grad().value());
      norm.eval();
      outcome[fused].push_back(fused != 0 ? norm.forward_relu(in, residual ? add : Variable()).value()
                                          : relu(residual ? norm(in) + add : norm(in)).value());
    }
    for (size_t i = 0; i < outcome[0].size(); ++i) {
      CAPTURE(i);
      CHECK(outcome[0][i].to_vector<float>() == outcome[1][i].to_vector<float>());
    }
  }
}

TEST_CASE("embedding: rows by number, and their gradients add up") {
  Embedding table(4, 2);
  table.to(float64);
  Variable y = table(Variable(Tensor::from<int64_t>({1, 3, 1}, {3, 1})));
  REQUIRE(y.shape() == Shape{3, 1, 2});
  CHECK(y.value().select(0, 2).to_vector<double>() == table.weight.value().select(0, 1).to_vector<double>());
  backward(sum(y));
  CHECK(table.weight.grad().value().to_vector<double>() == std::vector<double>{0, 0, 2, 2, 0, 0, 1, 1});
  CHECK_THROWS_AS(table(Variable(Tensor::from<int64_t>({4}))), Error);
}

TEST_CASE("dropout: passes all in evaluation, keeps the mean in training, follows its generator") {
  Generator g(4), same(4);
  Dropout drop(0.25, g), twin(0.25, same);
  Variable x(Tensor::ones({100, 100}));
  const std::vector<float> y = drop(x).value().to_vector<float>();
  CHECK(twin(x).value().to_vector<float>() == y);
  int64_t zeros = 0;
  for (float v : y) {
    zeros += v == 0;
    if (v != 0) CHECK(v == doctest::Approx(1 / 0.75));
  }
  CHECK(zeros > 2300);
  CHECK(zeros < 2700);
  drop.eval();
  CHECK(drop(x).value().to_vector<float>() == x.value().to_vector<float>());
  CHECK_THROWS_AS(Dropout(1.5), Error);
}

TEST_CASE("layers: each gives the shape that its walk says") {
  Generator g(test_seed());
  struct Layer {
    std::shared_ptr<Module> module;
    Shape input;
  };
  const ConvOptions odd{.stride = {2}, .padding = {1}, .dilation = {2}};
  const std::vector<Layer> layers = {
      {std::make_shared<Conv1d>(3, 4, Dims{3}, odd), {2, 3, 11}},
      {std::make_shared<Conv2d>(4, 6, Dims{3, 2},
                                ConvOptions{.stride = {2, 1}, .padding = {0, 1}, .groups = 2}),
       {2, 4, 9, 7}},
      {std::make_shared<Conv3d>(2, 3, Dims{2}, odd), {1, 2, 5, 6, 7}},
      {std::make_shared<ConvTranspose1d>(3, 4, Dims{3}, odd, Dims{1}), {2, 3, 5}},
      {std::make_shared<ConvTranspose2d>(4, 6, Dims{3}, ConvOptions{.stride = {2}, .groups = 2}),
       {2, 4, 3, 4}},
      {std::make_shared<ConvTranspose3d>(2, 3, Dims{2}), {1, 2, 2, 3, 4}},
      {std::make_shared<MaxPool1d>(PoolOptions{.kernel = {3}, .stride = {2}, .ceil_mode = true}), {2, 3, 8}},
      {std::make_shared<MaxPool2d>(
           PoolOptions{.kernel = {3}, .stride = {2}, .padding = {1}, .ceil_mode = true}),
       {2, 3, 7, 8}},
      {std::make_shared<AvgPool3d>(PoolOptions{.kernel = {2}}), {1, 2, 4, 5, 6}},
      {std::make_shared<AdaptiveAvgPool>(Dims{2, 3}), {2, 3, 5, 7}},
      {std::make_shared<GlobalAvgPool>(), {2, 3, 5, 7}},
      {std::make_shared<BatchNorm1d>(5), {3, 5}},
      {std::make_shared<BatchNorm3d>(2), {3, 2, 2, 2, 2}},
      {std::make_shared<GroupNorm>(2, 4), {2, 4, 3, 3}},
      {std::make_shared<LayerNorm>(Shape{3, 4}), {2, 5, 3, 4}},
      {std::make_shared<Flatten>(), {2, 3, 4, 5}},
      {std::make_shared<Identity>(), {2, 3}},
      {std::make_shared<ELU>(), {2, 3}},
      {std::make_shared<Softplus>(), {2, 3}},
      {std::make_shared<Sigmoid>(), {2, 3}},
  };
  for (const Layer& layer : layers) {
    CAPTURE(layer.module->kind());
    LayerUses uses;
    Variable x(random_normal(layer.input, g), true);
    Variable y = (*layer.module)(x);
    CHECK(y.shape() == layer.module->walk(layer.input, uses));
    backward(sum(square(y)));
    CHECK(x.grad().defined());
    for (const Variable& p : layer.module->parameters()) CHECK(p.grad().defined());
  }
  LayerUses uses;
  Conv2d grouped(4, 6, Dims{3, 2}, {.groups = 2});
  grouped.walk({1, 4, 5, 5}, uses);
  CHECK(uses[0].macs == 6 * 3 * 4 * (2 * 3 * 2));
  ConvTranspose2d up(4, 6, Dims{3});
  up.walk({1, 4, 5, 5}, uses);
  CHECK(uses[1].macs == 4 * 25 * 6 * 9);
  CHECK_THROWS_AS(Conv2d(3, 4, Dims{3}, {.groups = 2}), Error);
  CHECK_THROWS_AS(Conv2d(3, 4, Dims{3, 3, 3}), Error);
  CHECK_THROWS_AS(MaxPool2d(PoolOptions{}), Error);
  CHECK_THROWS_WITH_AS(Conv2d(3, 4, Dims{3})(Variable(Tensor::zeros({2, 3, 8}))),
                       "Conv2d: expects an input of rank 4, got [2, 3, 8]", Error);
}

TEST_CASE("layers: no channels, no filters, no samples") {
  BatchNorm2d norm(0);
  CHECK(norm(Variable(Tensor::zeros({2, 0, 3, 3}))).shape() == Shape{2, 0, 3, 3});
  LocalResponseNorm response(4, {});
  CHECK(response(Variable(Tensor::zeros({0, 4, 3, 3}))).shape() == Shape{0, 4, 3, 3});
  const InferenceConv conv(Tensor::zeros({0, 2, 3, 3}), Tensor::zeros({0}), {}, Epilogue::none);
  LayerUses uses;
  CHECK(conv.walk({1, 2, 5, 5}, uses) == Shape{1, 0, 3, 3});
  CHECK(uses[0].macs == 0);
}

}  // namespace tenon
