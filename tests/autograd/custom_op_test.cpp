// Ops of a user's own, written as a program outside the library would (autograd/tape.h).
#include <doctest/doctest.h>

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/tape.h"
#include "core/ops/elementwise.h"
#include "core/random.h"
#include "tests/seed.h"

namespace a_program {

using tenon::Gradients;
using tenon::Saved;
using tenon::Tensor;
using tenon::Variable;

// y = x / (1 + |x|)        dx = g / (1 + |x|)^2
Variable softsign(const Variable& x) {
  Tensor scale = tenon::affine(tenon::abs(x.value()), 1, 1);
  return tenon::record(
      "softsign", tenon::div(x.value(), scale), {x},
      [x = Saved(x)](const Variable& g, Gradients& out) { out.set(0, g / square(abs(x()) + 1.0)); });
}

// y = e^x from its own output      dx = g y
Variable exponential(const Variable& x) {
  return tenon::record("exponential", tenon::exp(x.value()), {x},
                       [](const Variable& g, Gradients& out) { out.set(0, g * out.output()); },
                       {.outputs = true});
}

// (a + b, a b), b optional (absent: 1)
std::vector<Variable> sum_and_product(const Variable& a, const Variable& b) {
  Tensor one = Tensor::scalar(1, a.dtype());
  const Tensor& vb = b.defined() ? b.value() : one;
  std::vector<Variable> inputs = {a, b};
  return tenon::record_many("sum_and_product", {tenon::add(a.value(), vb), tenon::mul(a.value(), vb)}, inputs,
                            [a, b](std::span<const Variable> g, Gradients& out) {
                              Variable da, db;  // a gradient that nobody asked for stays undefined
                              auto add_to = [](Variable& total, const Variable& part) {
                                total = total.defined() ? total + part : part;
                              };
                              if (g[0].defined()) add_to(da, g[0]), add_to(db, g[0]);
                              if (g[1].defined())
                                add_to(da, b.defined() ? g[1] * b : g[1]), add_to(db, g[1] * a);
                              if (out.needed(0)) out.set(0, da);
                              if (out.needed(1)) out.set(1, db);
                            });
}

}  // namespace a_program

using namespace tenon;

TEST_CASE("custom ops: first and second order, from inputs and from outputs") {
  Generator generator(test_seed(), 32);
  std::vector<Tensor> x = {random_uniform({2, 3}, generator, 0.2, 2, float64)};
  for (Variable (*op)(const Variable&) : {a_program::softsign, a_program::exponential}) {
    auto f = [op](const std::vector<Variable>& in) { return std::vector<Variable>{op(in[0])}; };
    CHECK(gradcheck(f, x).relative_error <= 1e-6);
    CHECK(gradcheck_second(f, x).relative_error <= 1e-6);
  }
}

TEST_CASE("custom ops: several outputs, unused ones, and an input that is left out") {
  Generator generator(test_seed(), 33);
  std::vector<Tensor> inputs = {random_normal({4}, generator, 0, 1, float64),
                                random_normal({4}, generator, 0, 1, float64)};
  auto both = [](const std::vector<Variable>& in) { return a_program::sum_and_product(in[0], in[1]); };
  auto product = [](const std::vector<Variable>& in) {
    return std::vector<Variable>{a_program::sum_and_product(in[0], in[1])[1]};
  };
  auto alone = [](const std::vector<Variable>& in) { return a_program::sum_and_product(in[0], Variable()); };
  CHECK(gradcheck(both, inputs).relative_error <= 1e-6);
  CHECK(gradcheck_second(both, inputs).relative_error <= 1e-6);
  CHECK(gradcheck(product, inputs).relative_error <= 1e-6);
  CHECK(gradcheck(alone, {inputs[0]}).relative_error <= 1e-6);
}

TEST_CASE("custom ops: a gradient of the wrong shape is refused where it arrives") {
  Variable x(Tensor::zeros({3}), true);
  Variable y = record("wrong", x.value(), {x}, [](const Variable& g, Gradients& out) { out.set(0, sum(g)); });
  CHECK_THROWS_AS(backward(sum(y)), Error);
}

TEST_CASE("custom ops: a wrong rule does not pass gradcheck") {
  auto wrong = [](const std::vector<Variable>& in) {
    return std::vector<Variable>{
        record("wrong", square(in[0].value()), {in[0]},
               [x = Saved(in[0])](const Variable& g, Gradients& out) { out.set(0, g * x() * 2.001); })};
  };
  CHECK(gradcheck(wrong, {Tensor::from<double>({1, 2})}).relative_error > 1e-4);
}
