#include "nn/module.h"

#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "nn/activations.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "nn/models/mlp.h"
#include "tests/seed.h"

namespace tenon {
namespace {

// A module with a parameter, a buffer and a child that it shares with itself.
class Sample : public Module {
 public:
  Sample() {
    scale = add_parameter("scale", Tensor::full({2}, 3));
    mean = add_buffer("mean", Tensor::full({2}, 1));
    counts = add_buffer("counts", Tensor::zeros({1}, int64));
    child = add_module("child", std::make_shared<Linear>(2, 2));
    add_module("again", child);
  }
  Variable forward(const Variable& x) override { return (*child)(x)*scale + mean; }
  const char* kind() const override { return "Sample"; }
  using Module::add_buffer;
  using Module::add_parameter;

  Variable scale, mean, counts;
  std::shared_ptr<Linear> child;
};

std::vector<std::string> names_of(const std::vector<NamedVariable>& list) {
  std::vector<std::string> out;
  for (const NamedVariable& v : list) out.push_back(v.name);
  return out;
}

}  // namespace

TEST_CASE("module: names, modes and places") {
  Sample sample;
  CHECK(names_of(sample.named_parameters()) ==
        std::vector<std::string>{"scale", "child.weight", "child.bias"});
  CHECK(names_of(sample.named_buffers()) == std::vector<std::string>{"mean", "counts"});
  CHECK(sample.parameter_count() == 2 + 4 + 2);
  CHECK(&sample.at("child") == sample.child.get());
  CHECK_THROWS_WITH_AS(sample.at("nobody"), "Sample: at: has no module 'nobody'", Error);
  sample.eval();
  CHECK_FALSE(sample.child->is_training());
  sample.train();
  CHECK(sample.child->is_training());

  sample.to(float64);
  CHECK(sample.child->weight.dtype() == float64);
  CHECK(sample.mean.dtype() == float64);
  CHECK(sample.counts.dtype() == int64);
  Variable y = sample(Variable(Tensor::ones({1, 2}, float64)));
  backward(y, Variable(Tensor::ones({1, 2}, float64)));
  CHECK(sample.child->weight.grad().defined());
  sample.zero_grad();
  CHECK_FALSE(sample.child->weight.grad().defined());
  CHECK_THROWS_AS(sample.to(int64), Error);

  CHECK_THROWS_WITH_AS(sample.add_parameter("mean", Tensor::zeros({1})), "Sample: the name 'mean' is taken",
                       Error);
  CHECK_THROWS_AS(sample.add_buffer("a.b", Tensor::zeros({1})), Error);
  CHECK_THROWS_AS(sample.add_buffer("", Tensor::zeros({1})), Error);
  LayerUses uses;
  CHECK_THROWS_WITH_AS(sample.walk({1, 2}, uses), "Sample: walk: this module has no walk of shapes", Error);
}

TEST_CASE("module: load_state is strict, and names every misfit") {
  Generator one(1), two(2);
  auto a = make_mlp({3, 4, 2}, one), b = make_mlp({3, 4, 2}, two);
  State state = clone_state(a->state());
  b->load_state(state);
  CHECK(b->state().at("fc2.weight").to_vector<float>() == state.at("fc2.weight").to_vector<float>());

  const std::vector<float> before = b->state().at("fc1.weight").to_vector<float>();
  state["fc1.weight"].fill_(5);
  state.erase("fc1.bias");
  state["fc2.bias"] = Tensor::zeros({3});
  state["fc2.weight"] = state["fc2.weight"].to(float64);
  state["fc9.bias"] = Tensor::zeros({1});
  CHECK_THROWS_WITH_AS(
      b->load_state(state),
      "Sequential: load_state: the state does not fit; missing 'fc1.bias' [4]; 'fc2.bias' expects float32 "
      "[2], got float32 [3]; 'fc2.weight' expects float32 [2, 4], got float64 [2, 4]; unexpected "
      "'fc9.bias' [1]",
      Error);
  CHECK(b->state().at("fc1.weight").to_vector<float>() == before);  // nothing was half loaded
}

TEST_CASE("linear: against a plain loop, of any rank, with gradients") {
  Generator generator(test_seed());
  for (Bias with_bias : {Bias::yes, Bias::no}) {
    Linear layer(3, 4, with_bias, generator);
    layer.to(float64);
    Variable x(random_normal({2, 5, 3}, generator, 0, 1, float64), true);
    Variable y = layer(x);
    REQUIRE(y.shape() == Shape{2, 5, 4});
    auto xs = x.value().to_vector<double>(), ws = layer.weight.value().to_vector<double>(),
         ys = y.value().to_vector<double>();
    auto bs = with_bias == Bias::yes ? layer.bias.value().to_vector<double>() : std::vector<double>(4, 0.0);
    std::vector<double> gw(12), gx(30);
    for (size_t n = 0; n < 10; ++n)
      for (size_t o = 0; o < 4; ++o) {
        double sum = bs[o];
        for (size_t i = 0; i < 3; ++i) sum += xs[n * 3 + i] * ws[o * 3 + i];
        CHECK(ys[n * 4 + o] == doctest::Approx(sum));
        for (size_t i = 0; i < 3; ++i) {  // the gradient that comes in is y itself
          gw[o * 3 + i] += sum * xs[n * 3 + i];
          gx[n * 3 + i] += sum * ws[o * 3 + i];
        }
      }
    backward(y, y.detach());
    auto got_w = layer.weight.grad().value().to_vector<double>(),
         got_x = x.grad().value().to_vector<double>();
    for (size_t i = 0; i < gw.size(); ++i) CHECK(got_w[i] == doctest::Approx(gw[i]));
    for (size_t i = 0; i < gx.size(); ++i) CHECK(got_x[i] == doctest::Approx(gx[i]));
    CHECK(layer.weight.grad().value().is_contiguous());
  }
  CHECK_THROWS_WITH_AS(Linear(3, 4)(Variable(Tensor::zeros({2, 5}))),
                       "linear: weight [4, 3] expects an input [..., 3], got [2, 5]", Error);
}

TEST_CASE("init: moments, bounds and orthogonality") {
  Generator generator(test_seed());
  auto stats = [](const Tensor& t) {
    double sum = 0, squares = 0, largest = 0;
    for (float v : t.to_vector<float>()) {
      sum += v;
      squares += double(v) * v;
      largest = std::max(largest, std::abs(double(v)));
    }
    const double n = static_cast<double>(t.numel());
    return std::array<double, 3>{sum / n, std::sqrt(squares / n), largest};
  };
  // The values are float32, and so is the bound that they may reach.
  auto bound = [](double b) { return static_cast<double>(static_cast<float>(b)); };
  Tensor w = Tensor::empty({64, 32, 3, 3});  // fan_in 288, fan_out 576
  init::kaiming_normal(w, generator, init::relu_gain(), init::Fan::out);
  CHECK(stats(w)[1] == doctest::Approx(std::sqrt(2.0 / 576)).epsilon(0.03));
  init::kaiming_uniform(w, generator);
  CHECK(stats(w)[1] == doctest::Approx(std::sqrt(2.0 / 288)).epsilon(0.03));
  CHECK(stats(w)[2] <= bound(std::sqrt(6.0 / 288)));
  init::xavier_normal(w, generator);
  CHECK(stats(w)[1] == doctest::Approx(std::sqrt(2.0 / 864)).epsilon(0.03));
  init::xavier_uniform(w, generator, 2);
  CHECK(stats(w)[2] <= bound(2 * std::sqrt(6.0 / 864)));
  CHECK(stats(w)[2] > 1.99 * std::sqrt(6.0 / 864));
  init::layer_default(w, Tensor(), generator);
  CHECK(stats(w)[2] <= bound(1 / std::sqrt(288.0)));
  CHECK_THROWS_AS(init::kaiming_normal(Tensor::empty({3}), generator), Error);

  for (Shape shape : {Shape{5, 9}, Shape{9, 5}, Shape{4, 2, 3}}) {
    Tensor q = Tensor::empty(shape, float64);
    init::orthogonal(q, generator, 1.5);
    const int64_t rows = shape[0], columns = q.numel() / rows;
    auto v = q.to_vector<double>();
    auto at = [&](int64_t i, int64_t j) {
      return v[static_cast<size_t>(rows <= columns ? i * columns + j : j * columns + i)];
    };
    const int64_t few = std::min(rows, columns), many = std::max(rows, columns);
    for (int64_t a = 0; a < few; ++a)
      for (int64_t b = 0; b < few; ++b) {
        double dot = 0;
        for (int64_t k = 0; k < many; ++k) dot += at(a, k) * at(b, k);
        CHECK(dot == doctest::Approx(a == b ? 2.25 : 0).epsilon(1e-10));
      }
  }
}

}  // namespace tenon
