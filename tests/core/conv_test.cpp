// Convolutions of small integers: every product and every sum is exact in float32, so each kernel must give
// the bits of the naive reference, in whatever order it adds.
#include <doctest/doctest.h>

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

}  // namespace

TEST_CASE("conv: integers, bit for bit") {
  Generator generator(test_seed(), 77);
  for (int round = 0; round < 40; ++round) {
    const ConvCase c = draw_case(generator);
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
    CHECK(conv_backward_input(g, w, c.in, c.options).to_vector<float>() == gx);
    CHECK(conv_backward_weight(g, x, c.kernel, c.options).to_vector<float>() == gw);
  }
}
