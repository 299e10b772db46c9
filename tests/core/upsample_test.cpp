// Resizing: values known by heart, and what holds for any input.
#include "core/ops/upsample.h"

#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "tests/seed.h"

namespace tenon {

TEST_CASE("upsample: small examples") {
  Tensor x = Tensor::from(std::vector<float>{1, 2, 4}, {1, 1, 3});
  CHECK(upsample_nearest(x, {6}).to_vector<float>() == std::vector<float>{1, 1, 2, 2, 4, 4});
  CHECK(upsample_nearest(x, {2}).to_vector<float>() == std::vector<float>{1, 2});
  CHECK(upsample_linear(x, {6}).to_vector<float>() == std::vector<float>{1, 1.25, 1.75, 2.5, 3.5, 4});
  CHECK(upsample_linear(x, {5}, true).to_vector<float>() == std::vector<float>{1, 1.5, 2, 3, 4});
  CHECK(upsample_nearest_backward(upsample_nearest(x, {6}), {3}).to_vector<float>() ==
        std::vector<float>{2, 4, 8});
  CHECK(scaled_size(Tensor::zeros({1, 1, 5, 4}), 1.5) == Dims{7, 6});
  CHECK_THROWS_AS(scaled_size(x, 0), Error);
}

TEST_CASE("upsample: a plane stays a plane with aligned corners; constants stay constant") {
  // x[h, w] = 2 h - 3 w over a grid that is refined six times: 2 h' / 6 - 3 w' / 6
  Tensor x = Tensor::empty({1, 1, 4, 5}, float64), expected = Tensor::empty({1, 1, 19, 25}, float64);
  for (int64_t h = 0; h < 4; ++h)
    for (int64_t w = 0; w < 5; ++w)
      x.data<double>()[h * 5 + w] = 2.0 * static_cast<double>(h) - 3.0 * static_cast<double>(w);
  for (int64_t h = 0; h < 19; ++h)
    for (int64_t w = 0; w < 25; ++w)
      expected.data<double>()[h * 25 + w] = (2.0 * static_cast<double>(h) - 3.0 * static_cast<double>(w)) / 6;
  CHECK(amax(abs(sub(upsample_linear(x, {19, 25}, true), expected))).item() < 1e-12);
  Tensor flat = Tensor::full({2, 3, 4, 5, 6}, 7);
  for (bool aligned : {false, true})
    CHECK(amax(abs(affine(upsample_linear(flat, {9, 3, 13}, aligned), 1, -7))).item() < 1e-5);
}

TEST_CASE("upsample: the backward is the transposed map, <A x, g> = <x, A^T g>, in any memory order") {
  Generator generator(test_seed(), 111);
  Tensor x = random_normal({2, 6, 7, 3}, generator, 0, 1, float64)
                 .permute({0, 3, 1, 2});  // [2, 3, 6, 7], channels last
  Tensor g = random_normal({2, 3, 15, 5}, generator, 0, 1, float64);
  for (bool aligned : {false, true}) {
    Tensor y = upsample_linear(x, {15, 5}, aligned);
    CHECK(y.strides()[1] == 1);
    CHECK(sum(mul(y, g)).item() ==
          doctest::Approx(sum(mul(x, upsample_linear_backward(g, {6, 7}, aligned))).item()).epsilon(1e-12));
  }
  CHECK(sum(mul(upsample_nearest(x, {15, 5}), g)).item() ==
        doctest::Approx(sum(mul(x, upsample_nearest_backward(g, {6, 7}))).item()).epsilon(1e-12));
}

TEST_CASE("upsample: the same extents give a copy") {
  Tensor x = Tensor::ones({1, 1, 4});
  Tensor y = upsample_linear(x, {4});
  y.fill_(3);
  CHECK(sum(x).item() == 4);
}

}  // namespace tenon
