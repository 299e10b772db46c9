// Recomputation of a segment: the same gradients with less memory.
#include "autograd/checkpoint.h"

#include <doctest/doctest.h>

#include <string>

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "core/allocator.h"
#include "core/random.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

Tensor normal(const Shape& shape, uint64_t stream, DType dtype = float64, double deviation = 1) {
  Generator generator(test_seed(), stream);
  return random_normal(shape, generator, 0, deviation, dtype);
}

// `depth` steps of h = tanh(h w), each with what sin and tanh keep.
Variable steps(Variable h, const Variable& w, int depth) {
  for (int i = 0; i < depth; ++i) h = tanh(sin(h * w));
  return h;
}

std::vector<double> numbers(const Variable& v) { return v.value().to_vector<double>(); }

}  // namespace

TEST_CASE("checkpoint: the same gradients, for inputs and for what the segment captures") {
  Variable x(normal({5}, 1), true), w(normal({5}, 2), true), constant(normal({5}, 3));
  auto loss = [&](bool recompute) {
    Variable inner = w * 2.0;  // captured, and itself with a history
    VariableFunction segment = [=](const std::vector<Variable>& in) {
      return std::vector<Variable>{steps(in[0], w, 3) * inner, in[0] + in[1]};
    };
    std::vector<Variable> out = recompute ? checkpoint(segment, {x, constant}) : segment({x, constant});
    return sum(out[0] * out[1]) + sum(inner);
  };
  std::vector<Variable> expected = gradients({loss(false)}, {x, w});
  std::vector<Variable> got = gradients({loss(true)}, {x, w});
  for (size_t i = 0; i < 2; ++i) CHECK(numbers(got[i]) == numbers(expected[i]));
  backward(loss(true));
  CHECK(numbers(x.grad()) == numbers(expected[0]));
  CHECK(numbers(w.grad()) == numbers(expected[1]));
  CHECK_FALSE(constant.grad().defined());
}

TEST_CASE(
    "checkpoint: first and second order, an input given twice, an input that is an output, an unused "
    "output") {
  auto f = [](const std::vector<Variable>& in) {
    std::vector<Variable> out = checkpoint(
        [](const std::vector<Variable>& given) {
          return std::vector<Variable>{sin(given[0]) * given[1] * given[2], given[1], exp(given[0])};
        },
        {in[0], in[0], in[1]});
    return std::vector<Variable>{out[0] * in[0], out[1]};
  };
  std::vector<Tensor> inputs = {normal({4}, 4), normal({4}, 5)};
  CHECK(gradcheck(f, inputs).relative_error <= 1e-6);
  CHECK(gradcheck_second(f, inputs).relative_error <= 1e-6);
}

TEST_CASE("checkpoint: segments nest") {
  auto f = [](const std::vector<Variable>& in) {
    return checkpoint(
        [=](const std::vector<Variable>& outer) {
          Variable h = steps(outer[0], in[1], 2);
          Variable g = checkpoint(
              [=](const std::vector<Variable>& inner) {
                return std::vector<Variable>{steps(inner[0], outer[0], 2)};
              },
              {h})[0];
          return std::vector<Variable>{g * h};
        },
        {in[0]});
  };
  // Halved: of the largest draws the differences' own error would show.
  std::vector<Tensor> inputs = {normal({3}, 6, float64, 0.5), normal({3}, 7, float64, 0.5)};
  CHECK(gradcheck(f, inputs).relative_error <= 1e-6);
  CHECK(gradcheck_second(f, inputs).relative_error <= 1e-6);
}

TEST_CASE("checkpoint: the second run draws the same random numbers and leaves the generator alone") {
  Variable x(normal({1000}, 8), true);
  default_generator() = Generator(test_seed(), 9);
  std::vector<bool> again;
  Variable y = checkpoint(
      [&](const std::vector<Variable>& in) {
        again.push_back(recomputing());
        Tensor mask = random_bernoulli({1000}, default_generator(), 0.5).to(float64);
        return std::vector<Variable>{in[0] * Variable(mask)};
      },
      {x})[0];
  const uint64_t position = default_generator().state().position;
  backward(sum(y));
  CHECK(again == std::vector<bool>{false, true});
  CHECK_FALSE(recomputing());
  CHECK(default_generator().state().position == position);
  // Where the first run kept x, the gradient is 1.
  CHECK(numbers(x.grad() * x) == numbers(y));
}

TEST_CASE("checkpoint: the peak of memory is lower") {
  auto peak = [](bool recompute) {
    Variable x(Tensor::full({1 << 16}, 0.1), true), w(Tensor::full({1 << 16}, 0.9), true);
    const size_t before = memory_stats().current_bytes;
    reset_peak_memory();
    Variable h = x;
    for (int i = 0; i < 6; ++i) {
      VariableFunction segment = [&](const std::vector<Variable>& in) {
        return std::vector<Variable>{steps(in[0], w, 4)};
      };
      h = recompute ? checkpoint(segment, {h})[0] : segment({h})[0];
    }
    backward(sum(h));
    CHECK(w.grad().defined());
    return memory_stats().peak_bytes - before;
  };
  const size_t whole = peak(false), recomputed = peak(true);
  // 6 segments of 4 steps of 3 tensors: 72 against some 12 + 6.
  CHECK(recomputed < whole / 2);
}

TEST_CASE("checkpoint: under no_grad a plain call; a changed parameter or shape is refused") {
  Variable x(normal({3}, 10), true), w(normal({3}, 11), true);
  VariableFunction segment = [&](const std::vector<Variable>& in) {
    return std::vector<Variable>{in[0] * w};
  };
  {
    NoGrad no_grad;
    CHECK_FALSE(checkpoint(segment, {x})[0].requires_grad());
  }
  auto message_of = [](const Variable& root) {
    try {
      backward(root);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  Variable y = sum(checkpoint(segment, {x})[0]);
  w.value().fill_(1);
  CHECK(message_of(y).find("that checkpoint saved") != std::string::npos);
  int64_t extent = 2;
  Variable z = sum(checkpoint(
      [&](const std::vector<Variable>& in) {
        return std::vector<Variable>{in[0] * Variable(Tensor::ones({extent++, 3}, float64))};
      },
      {x})[0]);
  CHECK(message_of(z).find("[2, 3], and [3, 3]") != std::string::npos);
}
