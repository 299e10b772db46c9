// Deformable convolutions where they must equal plain ones, and their gradients as a whole.
#include <doctest/doctest.h>

#include "autograd/gradcheck.h"
#include "autograd/ops/conv.h"
#include "autograd/ops/deformable.h"
#include "core/ops/conv.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "core/random.h"

namespace tenon {
namespace {

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(sub(a, b))).item(); }

struct Operands {
  Tensor x, weight, bias;
  explicit Operands(Generator& generator)
      : x(random_normal({2, 3, 6, 7}, generator, 0, 1, float64)),
        weight(random_normal({4, 3, 3, 3}, generator, 0, 1, float64)),
        bias(random_normal({4}, generator, 0, 1, float64)) {}
};

Tensor run(const Tensor& x, const Tensor& offset, const Tensor& mask, const Tensor& weight,
           const Tensor& bias, const ConvOptions& options) {
  const auto variable = [](const Tensor& t) { return t.defined() ? Variable(t) : Variable(); };
  return deform_conv(Variable(x), Variable(offset), variable(mask), Variable(weight), variable(bias), options)
      .value();
}

}  // namespace

TEST_CASE("deform_conv: offsets of zero are the plain convolution, masks of a half give half of it") {
  Generator generator(1);
  const Operands o(generator);
  const ConvOptions options{.stride = {2, 1}, .padding = {1}, .dilation = {1, 2}};
  const Tensor plain = conv(o.x, o.weight, o.bias, options);
  const Tensor zero = Tensor::zeros({2, 18, plain.size(2), plain.size(3)}, float64);
  CHECK(largest_difference(run(o.x, zero, {}, o.weight, o.bias, options), plain) < 1e-12);
  const Tensor half = Tensor::full({2, 9, plain.size(2), plain.size(3)}, 0.5, float64);
  CHECK(largest_difference(run(o.x, zero, half, o.weight, {}, options),
                           affine(conv(o.x, o.weight, {}, options), 0.5, 0)) < 1e-12);
}

TEST_CASE("deform_conv: whole offsets shift the image") {
  Generator generator(2);
  const Operands o(generator);
  // One down and two to the left for all taps: x read at (h + 1, w - 2).
  Tensor offset = Tensor::ones({2, 18, 6, 7}, float64);
  for (int64_t tap = 0; tap < 9; ++tap) offset.select(1, 2 * tap + 1).fill_(-2);
  const Tensor shifted = pad(o.x.slice(2, 1, 6).slice(3, 0, 5), {0, 0, 0, 2}, {0, 0, 1, 0});
  const ConvOptions options{.padding = {1}};
  const Tensor expected = conv(shifted, o.weight, {}, options);
  const Tensor got = run(o.x, offset, {}, o.weight, {}, options);
  // At the borders the plain convolution pads what the shifted one can still see.
  const auto inside = [](const Tensor& y) { return y.slice(2, 1, 5).slice(3, 1, 6); };
  CHECK(largest_difference(inside(got), inside(expected)) < 1e-12);
}

TEST_CASE("deform_conv: gradients of x, offset, mask, weight and bias; no second ones") {
  Generator generator(3);
  const Operands o(generator);
  const Tensor offset = random_uniform({2, 18, 6, 7}, generator, 0.1, 0.9, float64);
  const Tensor mask = random_uniform({2, 9, 6, 7}, generator, 0.2, 1, float64);
  const auto call = [](const std::vector<Variable>& in) {
    return std::vector<Variable>{deform_conv(in[0], in[1], in[2], in[3], in[4], {.padding = {1}})};
  };
  const std::vector<Tensor> inputs = {o.x, offset, mask, o.weight, o.bias};
  CHECK(gradcheck(call, inputs).relative_error <= 1e-6);
  CHECK_THROWS_AS(gradcheck_second(call, inputs), Error);
  const Tensor thin = random_normal({4, 2, 3, 3}, generator, 0, 1, float64);
  CHECK_THROWS_AS(run(o.x, offset, {}, thin, {}, {.padding = {1}}), Error);
}

}  // namespace tenon
