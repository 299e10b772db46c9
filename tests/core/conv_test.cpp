// Convolutions of small integers: every product and every sum is exact in float32, so each kernel must give
// the bits of the naive reference, in whatever order it adds.
#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/catalogue/naive_conv.h"
#include "tests/seed.h"

using namespace tenon;
using catalogue::ConvCase;
using catalogue::for_each_product;

namespace {

// Sizes at random, so that over the runs all paths of the kernels meet.
ConvCase draw_case(Generator& generator) {
  auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(generator.next_uniform() * static_cast<double>(high - low + 1));
  };
  ConvCase c;
  const int axes = static_cast<int>(draw(1, 3));
  c.options.groups = draw(1, 3);
  c.images = draw(1, 5);
  c.in_channels = c.options.groups * draw(1, axes == 3 ? 4 : 40);
  c.out_channels = c.options.groups * draw(1, 9);
  for (int i = 0; i < axes; ++i) {
    c.kernel.push_back(draw(1, 4));
    c.options.stride.push_back(draw(1, 3));
    c.options.padding.push_back(draw(0, 3));
    c.options.dilation.push_back(draw(1, 2));
    const int64_t reach = c.options.dilation[i] * (c.kernel[i] - 1) + 1;
    c.in.push_back(std::max<int64_t>(1, reach - 2 * c.options.padding[i]) + draw(0, axes == 1 ? 300 : 12));
  }
  return c;
}

Tensor integers(const Shape& shape, Generator& generator) {
  return random_integers(shape, generator, -4, 5, int64).to(float32);
}

// Three taps down the lines, along them, or both, between and beside the sizes that minimal filtering cuts by.
ConvCase draw_filtering_case(Generator& generator) {
  auto draw = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(generator.next_uniform() * static_cast<double>(high - low + 1));
  };
  ConvCase c;
  const int axes = static_cast<int>(draw(1, 3));
  c.options.groups = draw(1, 4) / 4 + 1;
  c.images = draw(1, 4);
  c.in_channels = c.options.groups * draw(12, axes == 3 ? 20 : 70);
  c.out_channels = c.options.groups * draw(12, axes == 3 ? 20 : 70);
  const int64_t form = axes == 1 ? 2 : draw(0, 2);  // 3 x 3, 3 x 1, 1 x 3
  for (int i = 0; i < axes; ++i) {
    const int from_last = axes - 1 - i;
    const bool three = from_last == 0 ? form != 1 : (from_last == 1 ? form != 2 : draw(0, 1) == 1);
    c.kernel.push_back(three ? 3 : 1);
    c.options.padding.push_back(three ? draw(0, 2) : 0);
    c.options.dilation.push_back(from_last == 2 ? draw(1, 2) : 1);
    const int64_t reach = c.options.dilation[i] * (c.kernel[i] - 1) + 1;
    c.in.push_back(std::max<int64_t>(1, reach - 2 * c.options.padding[i]) +
                   draw(0, axes == 1 ? 500 : 40 / axes));
  }
  return c;
}

// A channel a group.
ConvCase draw_depthwise_case(Generator& generator) {
  ConvCase c = draw_case(generator);
  c.options.groups = 2 + static_cast<int64_t>(generator.next_uniform() * 20);
  c.in_channels = c.options.groups;
  c.out_channels = c.options.groups * (generator.next_uniform() < 0.7 ? 1 : 2);
  return c;
}

// The three passes, against the definition.
void check_bits(const ConvCase& c, Generator& generator) {
  INFO(c.label());
  const Tensor x = integers(c.x_shape(), generator), w = integers(c.w_shape(), generator);
  const Tensor g = integers(c.y_shape(), generator);
  const std::vector<float> vx = x.to_vector<float>(), vw = w.to_vector<float>(), vg = g.to_vector<float>();
  std::vector<float> y(vg.size()), gx(vx.size()), gw(vw.size());
  for_each_product(c, [&](int64_t at_y, int64_t at_x, int64_t at_w) {
    const size_t iy = static_cast<size_t>(at_y), ix = static_cast<size_t>(at_x),
                 iw = static_cast<size_t>(at_w);
    y[iy] += vx[ix] * vw[iw];
    gx[ix] += vg[iy] * vw[iw];
    gw[iw] += vg[iy] * vx[ix];
  });
  CHECK(conv(x, w, {}, c.options).to_vector<float>() == y);
  const Tensor b = integers({c.out_channels}, generator);
  Shape per_channel = Dims::filled(g.rank(), 1);
  per_channel[1] = c.out_channels;
  const Tensor finished = relu(add(add(conv(x, w, {}, c.options), b.reshape(per_channel)), g));
  CHECK(conv(x, w, b, c.options, Epilogue::relu, g).to_vector<float>() == finished.to_vector<float>());
  CHECK(conv(x, w, b, c.options, Epilogue::relu).to_vector<float>() ==
        relu(conv(x, w, b, c.options)).to_vector<float>());
  CHECK(conv_backward_input(g, w, c.in, c.options).to_vector<float>() == gx);
  CHECK(conv_backward_weight(g, x, c.kernel, c.options).to_vector<float>() == gw);
}

double relative_error(const Tensor& got, const Tensor& exact) {
  return amax(abs(sub(got.to(float64), exact))).item() / amax(abs(exact)).item();
}

}  // namespace

TEST_CASE("conv: integers, bit for bit") {
  Generator generator(test_seed(), 77);
  for (int round = 0; round < 40; ++round) check_bits(draw_case(generator), generator);
}

TEST_CASE("conv: integers, bit for bit, where kernels have three taps") {
  Generator generator(test_seed(), 78);
  for (int round = 0; round < 30; ++round) check_bits(draw_filtering_case(generator), generator);
}

TEST_CASE("conv: integers, bit for bit, a channel a group") {
  Generator generator(test_seed(), 80);
  for (int round = 0; round < 40; ++round) check_bits(draw_depthwise_case(generator), generator);
}

// Of 60 draws the worst errors, beside the largest result: 2.0e-6, 2.5e-6 of the input's gradient, 2.7e-6 of the weights';
// the direct kernel has 1.4e-6.
TEST_CASE("conv: minimal filtering rounds hardly worse than sums do, and gives one result for any threads") {
  constexpr double kBound = 5e-6;
  Generator generator(test_seed(), 79);
  const ConvOptions options{.padding = {1}};
  const Dims in{21, 18};
  const Tensor x = random_normal({3, 64, 21, 18}, generator), w = random_normal({96, 64, 3, 3}, generator);
  const Tensor b = random_normal({96}, generator), r = random_normal({3, 96, 21, 18}, generator);
  const auto of = [](const Tensor& t) { return t.to(float64); };
  const Tensor y = conv(x, w, b, options, Epilogue::relu, r);
  CHECK(relative_error(y, conv(of(x), of(w), of(b), options, Epilogue::relu, of(r))) < kBound);
  const Tensor gx = conv_backward_input(r, w, in, options), gw = conv_backward_weight(r, x, {3, 3}, options);
  CHECK(relative_error(gx, conv_backward_input(of(r), of(w), in, options)) < kBound);
  CHECK(relative_error(gw, conv_backward_weight(of(r), of(x), {3, 3}, options)) < kBound);

  const int threads = num_threads();
  for (int count : {1, 3}) {
    set_num_threads(count);
    CHECK(conv(x, w, b, options, Epilogue::relu, r).to_vector<float>() == y.to_vector<float>());
    CHECK(conv_backward_input(r, w, in, options).to_vector<float>() == gx.to_vector<float>());
    CHECK(conv_backward_weight(r, x, {3, 3}, options).to_vector<float>() == gw.to_vector<float>());
  }
  set_num_threads(threads);
}
