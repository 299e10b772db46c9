// The walk back: what accumulates where, what is freed when, and what is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/allocator.h"
#include "core/ops/elementwise.h"
#include "core/random.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

Variable leaf(std::vector<double> values) { return Variable(Tensor::from(values), true); }
std::vector<double> numbers(const Variable& v) { return v.value().to_vector<double>(); }
using Numbers = std::vector<double>;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("backward: gradients accumulate in leaves, over uses and over calls") {
  Variable x = leaf({1, 2}), y = leaf({3, 4});
  backward(sum(x * y + x));
  CHECK(numbers(x.grad()) == Numbers{4, 5});
  CHECK(numbers(y.grad()) == Numbers{1, 2});
  backward(sum(x * x));
  CHECK(numbers(x.grad()) == Numbers{6, 9});
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  CHECK(numbers(y.grad()) == Numbers{1, 2});
}

TEST_CASE("backward: a leaf may be the root itself") {
  Variable x = leaf({5});
  backward(x);
  CHECK(numbers(x.grad()) == Numbers{1});
  Variable v = leaf({1, 2});
  backward(v, Variable(Tensor::from<double>({3, 4})));
  CHECK(numbers(v.grad()) == Numbers{3, 4});
}

TEST_CASE("backward: refuses roots without history or of several elements, and gradients unlike the root") {
  Variable x = leaf({1, 2}), constant(Tensor::zeros({1}));
  CHECK(contains(message_of([&] { backward(constant); }), "no history"));
  CHECK(contains(message_of([&] { backward(x * x); }), "[2] needs a gradient"));
  CHECK(contains(message_of([&] { backward(x * x, Variable(Tensor::zeros({3}, float64))); }), "float64 [3]"));
  CHECK(contains(message_of([&] { backward(x * x, Variable(Tensor::zeros({2}))); }), "float32 [2]"));
}

TEST_CASE("backward: leaves that are given one gradient tensor do not share it") {
  Variable x = leaf({1, 2}), y = leaf({3, 4});
  SUBCASE("plain") { backward(sum(x + y)); }
  SUBCASE("with a graph of the gradients") { backward(sum(x + y), {}, {.create_graph = true}); }
  x.grad().value().fill_(7);
  CHECK(numbers(y.grad()) == Numbers{1, 1});

  Variable z = leaf({1, 2}), seed(Tensor::from<double>({5, 6}));
  backward(z, seed);
  z.grad().value().fill_(0);
  CHECK(numbers(seed) == Numbers{5, 6});
}

TEST_CASE("gradients: an input may be an output, stand between others, be named twice, or not matter") {
  Variable x = leaf({2}), unused = leaf({1});
  Variable y = x * x, z = y * x;
  std::vector<Variable> g = gradients({z}, {z, y, x, unused, x}, {}, {.retain_graph = true});
  CHECK(numbers(g[0]) == Numbers{1});
  CHECK(numbers(g[1]) == Numbers{2});
  CHECK(numbers(g[2]) == Numbers{12});
  CHECK_FALSE(g[3].defined());
  CHECK(numbers(g[4]) == Numbers{12});
  CHECK_FALSE(x.grad().defined());
  CHECK(numbers(gradients({x}, {x})[0]) == Numbers{1});
  // With y held fixed, z depends on x once.
  CHECK(numbers(gradients({z}, {y, x}, {}, {.stop_at_inputs = true})[1]) == Numbers{4});
}

TEST_CASE("gradients: walks only what lies between outputs and inputs") {
  Variable x = leaf({1}), w = leaf({2});
  int visits = 0;
  auto counted = [&](const Variable& v) {
    return record("counted", v.value(), {v}, [&visits](const Variable& g, Gradients& out) {
      ++visits;
      out.set(0, g);
    });
  };
  Variable side = counted(w), y = x * side;
  CHECK(numbers(gradients({y}, {x}, {}, {.retain_graph = true})[0]) == Numbers{2});
  CHECK(visits == 0);
  gradients({y}, {w});
  CHECK(visits == 1);
}

TEST_CASE("backward: the graph is freed as it goes, unless retained") {
  Variable x = leaf({3});
  Variable y = sum(exp(x) * x);
  backward(y, {}, {.retain_graph = true});
  backward(y);
  CHECK(x.grad().item() == doctest::Approx(2 * 4 * std::exp(3.0)));
  std::string message = message_of([&] { backward(y); });
  CHECK(contains(message, "was freed"));
  CHECK(contains(message, "retain_graph"));
}

TEST_CASE("backward: buffers go as the walk passes them") {
  constexpr int64_t kBytes = 1 << 20;
  Variable x(Tensor::full({kBytes / 8}, 0.5, float64), true);
  Variable h = x;
  for (int i = 0; i < 12; ++i) h = sin(h);  // each keeps its input
  Variable loss = sum(h);
  h = Variable();
  const size_t before = memory_stats().current_bytes;
  reset_peak_memory();
  backward(loss);
  // A few gradients live at a time; the twelve saved inputs are gone in the end although `loss` still lives.
  CHECK(memory_stats().peak_bytes < before + 5 * kBytes);
  CHECK(memory_stats().current_bytes < before - 9 * kBytes);
}

TEST_CASE("backward: a saved tensor that was overwritten is refused, with both ops named") {
  Variable x = leaf({1, 2}), y = leaf({3, 4});
  Variable product = sum(x * y);
  y.value().fill_(0);
  std::string message = message_of([&] { backward(product); });
  CHECK(contains(message, "mul saved (float64 [2]"));
  CHECK(contains(message, "by fill_"));

  Variable e = exp(x);
  Variable total = sum(e);
  e.value().copy_(Tensor::zeros({2}, float64));
  message = message_of([&] { backward(total); });
  CHECK(contains(message, "an output of exp"));
  CHECK(contains(message, "copy_"));

  Variable w = leaf({1, 2});
  Variable squares = sum(square(w));
  {
    NoGrad no_grad;
    w.set_value(Tensor::zeros({2}, float64));
  }
  message = message_of([&] { backward(squares); });
  CHECK(contains(message, "square saved"));
  CHECK(contains(message, "by set_value"));
}

TEST_CASE("backward: an error leaves nothing behind in the graph") {
  Variable x = leaf({1, 2});
  bool broken = true;
  Variable h = x * x;
  Variable y = record("fragile", h.value(), {h}, [&broken](const Variable& g, Gradients& out) {
    TENON_CHECK(!broken, "fragile: not now");
    out.set(0, g);
  });
  Variable root = sum(y + x * 3.0);
  CHECK(contains(message_of([&] { backward(root, {}, {.retain_graph = true}); }), "not now"));
  CHECK_FALSE(x.grad().defined());
  broken = false;
  int refusals = 1;
  h.add_hook([&](const Variable& g) {
    TENON_CHECK(refusals-- == 0, "hook: not now");
    return g;
  });
  CHECK(contains(message_of([&] { backward(root, {}, {.retain_graph = true}); }), "hook: not now"));
  CHECK_FALSE(x.grad().defined());
  backward(root);
  CHECK(numbers(x.grad()) == Numbers{5, 7});
}

TEST_CASE("hooks: see the complete gradient of a leaf or of a step between, and may replace it") {
  Variable x = leaf({1, 2});
  Variable h = x * 2.0;
  std::vector<Numbers> seen;
  h.add_hook([&](const Variable& g) {
    seen.push_back(numbers(g));
    return g * 10.0;
  });
  x.add_hook([&](const Variable& g) {
    seen.push_back(numbers(g));
    return Variable();
  });
  backward(sum(h * h + h));  // dh = 2 h + 1 = {5, 9}
  CHECK(seen == std::vector<Numbers>{{5, 9}, {100, 180}});
  CHECK(numbers(x.grad()) == Numbers{100, 180});

  Variable constant(Tensor::zeros({2}));
  CHECK(contains(message_of([&] { constant.add_hook([](const Variable& g) { return g; }); }), "add_hook"));
  Variable y = leaf({1, 2});
  y.add_hook([](const Variable& g) { return sum(g); });
  std::string message = message_of([&] { backward(sum(y)); });
  CHECK(contains(message, "hook"));
  CHECK(contains(message, "float64 []"));
}

TEST_CASE("hooks: may walk back themselves, over the same leaves") {
  Variable x = leaf({3}), w = leaf({2});
  Variable h = x * w;
  double inner = 0;
  h.add_hook([&](const Variable&) {
    RecordingScope on(true);
    inner = gradients({w * w}, {w})[0].item();
    return Variable();
  });
  backward(sum(h * w));  // d/dw x w^2 = 12, part of which has arrived at w when the hook runs
  CHECK(inner == 4);
  CHECK(numbers(w.grad()) == Numbers{12});
  CHECK(numbers(x.grad()) == Numbers{4});
}

TEST_CASE("no_grad: nothing is recorded in its scope, and only there") {
  Variable x = leaf({1});
  {
    NoGrad no_grad;
    CHECK_FALSE(recording());
    Variable y = x * x;
    CHECK_FALSE(y.requires_grad());
    {
      RecordingScope on(true);
      CHECK((x * x).requires_grad());
    }
    x.set_value(Tensor::from<double>({4}));
  }
  CHECK(recording());
  CHECK((x * x).requires_grad());
  CHECK(contains(message_of([&] { x.set_value(Tensor::from<double>({5})); }), "NoGrad"));
  CHECK(numbers(x) == Numbers{4});
}

TEST_CASE("anomaly mode: names the op whose gradient became NaN") {
  Variable x = leaf({0, 1});
  Variable y = sum(sqrt(x * 0.0) * 1.0);  // d sqrt at 0 is infinite, times 0 is NaN
  set_anomaly_mode(true);
  std::string message = message_of([&] { backward(y, {}, {.retain_graph = true}); });
  set_anomaly_mode(false);
  CHECK(contains(message, "gradient of affine"));
  CHECK(contains(message, "input 0"));
  CHECK(contains(message, "NaN"));
  backward(y);
  CHECK(std::isnan(numbers(x.grad())[0]));
}

TEST_CASE("a chain of a million ops is freed without recursion") {
  Variable x(Tensor::scalar(1), true);
  Variable h = x;
  SUBCASE("walked") {
    for (int i = 0; i < 1000000; ++i) h = h + 1.0;
    backward(h);
    CHECK(x.grad().item() == 1);
  }
  SUBCASE("dropped") {
    for (int i = 0; i < 1000000; ++i) h = h + 1.0;
    CHECK(h.item() == 1000001);
  }
  SUBCASE("dropped, each op holding its input") {
    for (int i = 0; i < 1000000; ++i) h = sin(h);
  }
  h = Variable();
}

TEST_CASE("second order through a network of two layers") {
  Generator generator(test_seed(), 31);
  std::vector<Tensor> inputs = {random_normal({3, 4}, generator, 0, 1, float64),
                                random_normal({4, 5}, generator, 0, 1, float64),
                                random_normal({5, 2}, generator, 0, 1, float64)};
  auto network = [](const std::vector<Variable>& in) {
    return std::vector<Variable>{mean(square(matmul(tanh(matmul(in[0], in[1])), in[2])))};
  };
  CHECK(gradcheck(network, inputs).relative_error <= 1e-6);
  CHECK(gradcheck_second(network, inputs).relative_error <= 1e-6);
}

TEST_CASE("gradient penalty: a loss made of gradients reaches the parameters") {
  // f = w x^2, penalty = (df/dx)^2 = 4 w^2 x^2: d/dw = 8 w x^2, d/dx = 8 w^2 x
  Variable x = leaf({3}), w = leaf({2});
  Variable slope = gradients({w * x * x}, {x}, {}, {.create_graph = true})[0];
  backward(slope * slope);
  CHECK(w.grad().item() == doctest::Approx(8 * 2 * 9));
  CHECK(x.grad().item() == doctest::Approx(8 * 4 * 3));
}

TEST_CASE("ops that can be differentiated once refuse a graph of their gradient, with the reason") {
  Variable x = leaf({1, 2});
  auto once = [](const Variable& v) {
    return record("single", v.value(), {v}, [](const Variable& g, Gradients& out) { out.set(0, g); },
                  {.once_reason = "its gradient comes out of a table"});
  };
  backward(sum(once(x)));
  CHECK(numbers(x.grad()) == Numbers{1, 1});
  std::string message = message_of([&] { gradients({sum(once(x))}, {x}, {}, {.create_graph = true}); });
  CHECK(contains(message, "gradient of single"));
  CHECK(contains(message, "out of a table"));
}

TEST_CASE("hooks: those of leaves run newest first, wherever in memory the leaves lie") {
  std::vector<int> seen;
  auto hooked = [&](int i) {
    Variable x = leaf({1});
    x.add_hook([&seen, i](const Variable&) {
      seen.push_back(i);
      return Variable();
    });
    return x;
  };
  // The last one is likely to take the place in memory that the second one leaves behind.
  std::vector<Variable> x = {hooked(0), hooked(1), hooked(2)};
  x[1] = Variable();
  x[1] = hooked(3);
  backward(sum(x[0] * x[1] * x[2]));
  CHECK(seen == std::vector<int>{3, 2, 0});
}

TEST_CASE("variable: a gradient goes with numbers of its shape; a leaf is given numbers that it may have") {
  Variable w = leaf({1});
  backward(sum(w));
  NoGrad no_grad;
  w.set_value(Tensor::ones({3}, float64));
  CHECK_FALSE(w.grad().defined());
  w.set_grad(Variable(Tensor::ones({3}, float64)));
  w.set_value(Tensor::zeros({3}, float64));
  CHECK(w.grad().defined());
  CHECK(contains(message_of([&] { w.set_value(Tensor()); }), "set_value: undefined"));
  CHECK(contains(message_of([&] { w.set_value(Tensor::zeros({3}, int64)); }), "set_value: expects float"));
}

TEST_CASE("gradients in corners: powers of 0, quotients at the ends of the range, the norm of 0") {
  const double infinity = std::numeric_limits<double>::infinity();
  Variable x = leaf({0, 0, 0, 2}), y = leaf({2, 0, -1, 0});
  backward(sum(pow(x, y)));
  CHECK(numbers(x.grad()) == Numbers{0, 0, -infinity, 0});
  CHECK(numbers(y.grad()) == Numbers{0, 0, -infinity, std::log(2.0)});

  Variable a(Tensor::from<float>({1e-25F, 1e20F}), true), b(Tensor::from<float>({1e-23F, 1e20F}), true);
  backward(sum(a / b));
  const std::vector<float> got = b.grad().value().to_vector<float>();
  CHECK(got[0] == doctest::Approx(-1e21));
  CHECK(got[1] == doctest::Approx(-1e-20).epsilon(1e-6));
  CHECK(got[1] != 0);

  // Where the norm is 0 its gradient is a constant 0.
  Variable rows = Variable(Tensor::from<double>({0, 0, 3, 4}, {2, 2}), true);
  const Variable first = gradients({sum(norm2(rows, {1}))}, {rows}, {}, {.create_graph = true})[0];
  CHECK(numbers(first)[0] == 0);
  CHECK(numbers(first)[1] == 0);
  CHECK(numbers(first)[2] == doctest::Approx(0.6));
  CHECK(numbers(first)[3] == doctest::Approx(0.8));
  const Variable second = gradients({sum(first)}, {rows})[0];
  CHECK(numbers(second)[0] == 0);
  CHECK(numbers(second)[1] == 0);
  CHECK(numbers(second)[2] == doctest::Approx((16 - 12) / 125.0));  // sum_j (delta_ij - x_i x_j / 25) / 5
}
