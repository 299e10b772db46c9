// Activation masks: who stays under each rule, and who learns.
#include "nn/activation_mask.h"

#include <doctest/doctest.h>

#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/winners.h"

namespace tenon {
namespace {

int64_t alive(const Tensor& x) { return count_nonzero(x); }

Tensor masked(const ActivationMaskOptions& options, const Tensor& x) {
  ActivationMask mask;
  mask.set(options);
  return mask(Variable(x)).value();
}

}  // namespace

TEST_CASE("activation mask: each sample keeps its own winners, however weak it is beside the others") {
  // The second sample is a hundredth of the first: a threshold over the batch starves it.
  const Tensor x =
      Tensor::from(std::vector<float>{5, -4, 3, -2, 1, 0.5f, 0.05f, -0.04f, 0.03f, -0.02f, 0.01f, 0.005f})
          .reshape({2, 6});
  const Tensor each = masked({.rule = MaskRule::winners, .rate = 1.0 / 3}, x);
  CHECK(each.to_vector<float>() == std::vector<float>{5, -4, 0, 0, 0, 0, 0.05f, -0.04f, 0, 0, 0, 0});
  const Tensor batch = masked({.rule = MaskRule::batch_winners, .rate = 1.0 / 3}, x);
  CHECK(batch.to_vector<float>() == std::vector<float>{5, -4, 3, -2, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("activation mask: a fixed threshold keeps what is above it, by magnitude") {
  const Tensor x = Tensor::from(std::vector<float>{5, -4, 3, -2, 1, 0}).reshape({1, 6});
  CHECK(masked({.rule = MaskRule::threshold, .threshold = 2}, x).to_vector<float>() ==
        std::vector<float>{5, -4, 3, 0, 0, 0});
}

TEST_CASE("activation mask: random winners are as many as winners, among those that are not 0") {
  Generator generator(3), noise(4);
  const Tensor x = relu(random_normal({20, 100}, generator));
  ActivationMask mask(noise);
  mask.set({.rule = MaskRule::random, .rate = 0.2});
  const Tensor y = mask(Variable(x)).value(), again = mask(Variable(x)).value();
  for (int64_t i = 0; i < 20; ++i) CHECK(alive(y.select(0, i)) == 20);
  CHECK(alive(sub(y, again)) > 0);
  CHECK(alive(sub(y, masked({.rule = MaskRule::winners, .rate = 0.2}, x))) > 0);
}

TEST_CASE("activation mask: only winners receive a gradient") {
  Generator generator(3);
  Variable x(random_normal({4, 50}, generator), true);
  ActivationMask mask;
  mask.set({.rule = MaskRule::winners, .rate = 0.1});
  const Variable y = mask(x);
  backward(sum(y));
  CHECK(alive(y.value()) == 4 * 5);
  const Tensor won = not_equal(y.value(), Tensor::scalar(0)).to(float32);
  CHECK(alive(sub(x.grad().value(), won)) == 0);
}

TEST_CASE(
    "activation mask: an estimate looks at small samples in full and keeps about as many of large ones") {
  CHECK(sample_count({.sampled = 0.1}, 300) == 0);
  CHECK(sample_count({.sampled = 0.1}, 9216) == 922);
  CHECK(sample_count({.sampled = 1}, 9216) == 0);
  CHECK(sample_count({.sampled = 0.1, .exact_below = 0}, 300) == 30);
  Generator generator(5);
  const Tensor x = random_normal({3, 64, 12, 12}, generator);
  const Tensor y = masked({.rule = MaskRule::winners, .rate = 0.3, .sampled = 0.1}, x);
  for (int64_t i = 0; i < 3; ++i) {
    const double rate = static_cast<double>(alive(y.select(0, i))) / 9216;
    CHECK(rate > 0.25);
    CHECK(rate < 0.35);
  }
}

TEST_CASE("winners: samples spread over rows, columns and channels of an image") {
  // One channel, row or column is large. Samples that see about their share of it estimate a threshold below 2 when more
  // winners are wanted than it has elements, and of 2, to which all of it loses, when fewer are. A step that divides an
  // extent would see the whole share of some and nothing of others.
  for (int64_t axis : {1, 2, 3})
    for (int64_t i = 0; i < 8; ++i) {
      const Tensor x = Tensor::ones({1, 16, 8, 8});
      x.select(axis, i).fill_(2);
      const int64_t large = 1024 / x.size(axis);
      INFO("axis ", axis, " index ", i);
      CHECK(alive(winners(x, large * 3 / 2, 256)) == large);
      CHECK(alive(winners(x, large / 2, 256)) == 0);
    }
}

TEST_CASE("activation mask: refuses fractions that are none") {
  ActivationMask mask;
  CHECK_THROWS_WITH_AS(mask.set({.rate = 1.5}), doctest::Contains("rate in [0, 1]"), Error);
  CHECK_THROWS_WITH_AS(mask.set({.sampled = 0}), doctest::Contains("fraction in (0, 1]"), Error);
  CHECK_THROWS_WITH_AS(mask.set({.threshold = -1}), doctest::Contains("threshold >= 0"), Error);
  CHECK_THROWS_WITH_AS(mask.remembered(), doctest::Contains("remembered"), Error);
}

}  // namespace tenon
