// The tape as users meet it: gradients of gradients, hooks, ops of one's own, recomputation, anomaly mode, and what is
// refused.
#include "autograd/tape.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/checkpoint.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "core/allocator.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "tests/seed.h"

namespace tenon {
namespace {

Variable leaf(std::vector<double> values) { return Variable(Tensor::from(values), true); }

double first(const Variable& v) { return v.value().to_vector<double>().at(0); }

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("tape: gradients of gradients") {
  Variable x = leaf({2});
  Variable y = sum(x * x * x);  // y' = 3 x^2, y'' = 6 x
  std::vector<Variable> g = gradients({y}, {x}, {}, {.create_graph = true});
  CHECK(first(g[0]) == doctest::Approx(12));
  CHECK(first(gradients({sum(g[0])}, {x})[0]) == doctest::Approx(12));
}

TEST_CASE("tape: leaves accumulate, and do not share memory") {
  Variable a = leaf({1, 2}), b = leaf({3, 4});
  backward(sum(a + b));
  unary_into(Unary::affine, a.grad().value(), a.grad().value(), 5, 0);  // in place on one of the two
  CHECK(first(a.grad()) == 5);
  CHECK(first(b.grad()) == 1);
  backward(sum(a + b));
  CHECK(first(a.grad()) == 6);
  CHECK(first(b.grad()) == 2);
}

TEST_CASE("tape: nothing is recorded under NoGrad") {
  Variable x = leaf({1});
  NoGrad no_grad;
  CHECK_FALSE((x * x).requires_grad());
}

TEST_CASE("tape: a graph is freed as backward goes, unless retained") {
  Variable x = leaf({3});
  Variable y = sum(x * x);
  backward(y, {}, {.retain_graph = true});
  backward(y);
  CHECK(first(x.grad()) == 12);
  std::string message = message_of([&] { backward(y); });
  CHECK(message.find("freed") != std::string::npos);
}

TEST_CASE("tape: what has no history, or no single element, is refused") {
  CHECK(message_of([] { backward(Variable(Tensor::ones({1}))); }).find("no history") != std::string::npos);
  Variable x = leaf({1, 2});
  CHECK(message_of([&] { backward(x * x); }).find("[2]") != std::string::npos);
}

TEST_CASE("tape: hooks on leaves and between see the whole gradient and may replace it") {
  Variable x = leaf({2});
  Variable y = x * x;
  double seen = 0;
  y.add_hook([&](const Variable& g) {
    seen = first(g);
    return g * 10.0;
  });
  x.add_hook([](const Variable& g) { return g + 1.0; });
  backward(sum(y) + sum(y));
  CHECK(seen == 2);
  CHECK(first(x.grad()) == 2 * 2 * 10 * 2 + 1);
}

TEST_CASE("tape: an op of one's own, twice differentiable") {
  // y = x^4 with a rule written by hand: dx = 4 g x^3
  auto fourth = [](const Variable& x) {
    return record(
        "fourth", square(square(x.value())), {x},
        [x = Saved(x)](const Variable& g, Gradients& out) { out.set(0, 4.0 * (g * x() * square(x()))); });
  };
  Generator generator(test_seed(), 3);
  std::vector<Tensor> inputs{random_uniform({5}, generator, 0.5, 1.5, float64)};
  VariableFunction f = [&](const std::vector<Variable>& in) { return std::vector<Variable>{fourth(in[0])}; };
  CHECK(gradcheck(f, inputs).relative_error < 1e-6);
  CHECK(gradcheck_second(f, inputs).relative_error < 1e-6);
}

TEST_CASE("tape: a wrong rule does not pass gradcheck") {
  VariableFunction wrong = [](const std::vector<Variable>& in) {
    return std::vector<Variable>{
        record("wrong", square(in[0].value()), {in[0]},
               [x = Saved(in[0])](const Variable& g, Gradients& out) { out.set(0, g * x() * 2.001); })};
  };
  CHECK(gradcheck(wrong, {Tensor::from(std::vector<double>{1, 2})}).relative_error > 1e-4);
}

TEST_CASE("tape: anomaly mode names the op whose gradient became NaN") {
  set_anomaly_mode(true);
  Variable x = leaf({0});
  std::string message = message_of([&] { backward(sum(sqrt(x * 0.0) * 0.0)); });
  set_anomaly_mode(false);
  CHECK(message.find("sqrt") != std::string::npos);
  CHECK(message.find("NaN") != std::string::npos);
}

TEST_CASE("tape: a chain of a million ops is freed without recursion") {
  Variable x(Tensor::ones({1}), true);
  Variable y = x;
  for (int i = 0; i < 1000000; ++i) y = y + 1.0;
  backward(y);
  CHECK(x.grad().item() == 1);
}

TEST_CASE("tape: only the way between outputs and inputs is walked") {
  Variable x = leaf({2}), w = leaf({5});
  Variable inner = x * w;
  std::vector<Variable> g = gradients({sum(inner * inner)}, {inner, leaf({1})});
  CHECK(first(g[0]) == 20);
  CHECK_FALSE(g[1].defined());
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("tape: after an error in a rule the graph can be walked again") {
  Variable x = leaf({1});
  bool fails = true;
  Variable mid = x * x;
  mid.add_hook([&](const Variable&) -> Variable {
    if (fails) fail("planted");
    return {};
  });
  Variable y = sum(mid * 3.0);
  CHECK_THROWS_AS(backward(y, {}, {.retain_graph = true}), Error);
  fails = false;
  backward(y);
  CHECK(first(x.grad()) == 6);
}

TEST_CASE("checkpoint: the same gradients, with less memory at the peak") {
  Generator generator(test_seed(), 9);
  Variable w(random_normal({64, 64}, generator, 0, 0.1), true);
  Variable x(random_normal({512, 64}, generator), true);
  VariableFunction segment = [&](const std::vector<Variable>& in) {
    Variable h = in[0];
    for (int i = 0; i < 6; ++i) h = tanh(matmul(h, w));
    return std::vector<Variable>{h};
  };
  auto run = [&](bool recompute, size_t& peak) {
    w.zero_grad(), x.zero_grad();
    release_cached_memory(Device::cpu());
    reset_peak_memory();
    const size_t before = memory_stats().current_bytes;
    Variable h = x;
    for (int i = 0; i < 4; ++i)
      h = recompute ? checkpoint(segment, {h}, {.parameters = {w}, .generators = {}})[0] : segment({h})[0];
    backward(sum(square(h)));
    peak = memory_stats().peak_bytes - before;
    return std::pair{w.grad().value().clone(), x.grad().value().clone()};
  };
  size_t plain_peak = 0, recomputed_peak = 0;
  auto [w1, x1] = run(false, plain_peak);
  auto [w2, x2] = run(true, recomputed_peak);
  // The sums over the segments associate differently for the shared weight; the inputs' gradient is the same bits.
  CHECK(amax(abs(sub(w1, w2))).item() <= 1e-4 * amax(abs(w1)).item());
  CHECK(amax(abs(sub(x1, x2))).item() == 0);
  CHECK(recomputed_peak < 0.7 * static_cast<double>(plain_peak));
}

TEST_CASE("checkpoint: random numbers are drawn again, and second derivatives are refused") {
  Generator generator(1);
  Variable x = leaf({1, 2, 3});
  VariableFunction noisy = [&](const std::vector<Variable>& in) {
    return std::vector<Variable>{in[0] * Variable(random_uniform({3}, generator, 0, 1, float64))};
  };
  std::vector<Variable> y = checkpoint(noisy, {x}, {.parameters = {}, .generators = {&generator}});
  const uint64_t position = generator.state().position;
  backward(sum(y[0]), {}, {.retain_graph = true});
  CHECK(generator.state().position == position);
  CHECK(first(x.grad()) * 1 == doctest::Approx(first(y[0])));
  CHECK(message_of([&] { gradients({sum(y[0])}, {x}, {}, {.create_graph = true}); }).find("checkpoint") !=
        std::string::npos);
}

}  // namespace tenon
