// Runs the engine of docs/autograd-in-100-lines.md: against differences, against Tenon's own, and on a
// network.
#include "docs/autograd_in_100_lines.h"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.h"
#include "core/random.h"
#include "tests/house/source_tree.h"
#include "tests/seed.h"

namespace {

// [expression]
// Anything that has +, *, exp, pow and tanh can go in: plain numbers, tiny::Variable, tenon::Variable.
template <class T, class Power>
T expression(const T& x, const T& y, Power power) {
  T both = x * y + exp(x);
  return tanh(both) * both + power(y, 3.0) / (exp(y) + x * x);  // `both` is used twice: its gradients add up
}
// [/expression]

const auto tiny_power = [](const tiny::Variable& x, double p) { return tiny::pow(x, p); };
const auto tenon_power = [](const tenon::Variable& x, double p) { return tenon::pow_scalar(x, p); };

}  // namespace

TEST_CASE("house: autograd in 100 lines agrees with Tenon's, in first and second order") {
  tenon::Generator generator(tenon::test_seed(), 77);
  for (int repetition = 0; repetition < 20; ++repetition) {
    const double a = generator.next_uniform() + 0.2, b = generator.next_uniform() + 0.2;
    tiny::Variable x = a, y = b;
    tiny::Variable z = expression(x, y, tiny_power);
    tiny::Variables first = tiny::gradients(z, {x, y});
    tiny::Variables second = tiny::gradients(first[0], {x, y});

    tenon::Variable tx(tenon::Tensor::scalar(a, tenon::float64), true),
        ty(tenon::Tensor::scalar(b, tenon::float64), true);
    tenon::Variable tz = expression(tx, ty, tenon_power);
    auto tfirst = tenon::gradients({tz}, {tx, ty}, {}, {.create_graph = true});
    auto tsecond = tenon::gradients({tfirst[0]}, {tx, ty});
    CHECK(z.value() == doctest::Approx(tz.item()).epsilon(1e-10));
    for (size_t i = 0; i < 2; ++i) {
      CHECK(first[i].value() == doctest::Approx(tfirst[i].item()).epsilon(1e-10));
      CHECK(second[i].value() == doctest::Approx(tsecond[i].item()).epsilon(1e-10));
    }

    const double h = 1e-5;
    const double difference = (expression(tiny::Variable(a + h), y, tiny_power).value() -
                               expression(tiny::Variable(a - h), y, tiny_power).value()) /
                              (2 * h);
    CHECK(first[0].value() == doctest::Approx(difference).epsilon(1e-6));
  }
}

TEST_CASE("house: autograd in 100 lines: an input that does not matter has gradient 0") {
  tiny::Variable x = 2, y = 3;
  CHECK(tiny::gradients(x * x, {y, x})[0].value() == 0);
  CHECK(tiny::gradients(x * x, {y, x})[1].value() == 4);
}

TEST_CASE("house: autograd in 100 lines trains a network on the exclusive or") {
  using namespace tiny;
  tenon::Generator generator(7);
  // [training]
  // 2 inputs, 4 hidden units, 1 output: out = tanh(b + sum_j v_j tanh(c_j + u_j0 p + u_j1 q)).
  Variables w;
  for (int i = 0; i < 17; ++i) w.emplace_back(2 * generator.next_uniform() - 1);
  auto network = [&](double p, double q) {
    Variable out = w[16];
    for (size_t j = 0; j < 4; ++j) out = out + w[12 + j] * tanh(w[4 * 2 + j] + w[j] * p + w[4 + j] * q);
    return tanh(out);
  };
  double last = 0;
  for (int step = 0; step < 200; ++step) {
    Variable loss = 0;
    for (double p : {-1.0, 1.0})
      for (double q : {-1.0, 1.0}) loss = loss + pow(network(p, q) - (p == q ? -1 : 1), 2);
    Variables g = gradients(loss, w);
    for (size_t i = 0; i < w.size(); ++i) w[i] = Variable(w[i].value() - 0.1 * g[i].value());
    last = loss.value();
  }
  // [/training]
  CHECK(last < 0.2);
}

TEST_CASE("house: autograd in 100 lines is about 100 lines") {
  int lines = 0;
  for (const std::string& line :
       tenon::house::lines_of(tenon::house::read_file("docs/autograd_in_100_lines.h")))
    lines += line.find("// [") == std::string::npos;
  CHECK(lines <= 105);
}
