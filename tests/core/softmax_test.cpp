// Properties of softmax and cross-entropy that hold for any input, checked where naive formulas would
// overflow.
#include "core/ops/softmax.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "tests/seed.h"

namespace tenon {
namespace {

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(sub(a, b))).item(); }

}  // namespace

TEST_CASE("softmax: rows sum to 1 for huge numbers, along any axis") {
  Generator generator(test_seed(), 81);
  for (const Shape& shape : {Shape{33, 70}, Shape{3, 65, 5}})
    for (int axis = 0; axis < shape.rank(); ++axis) {
      Tensor y = softmax(random_normal(shape, generator, 1e30, 1e29), axis);
      Tensor totals = sum(y, {axis});
      INFO(shape.str(), " axis ", axis);
      CHECK(largest_difference(totals, Tensor::ones(totals.shape())) < 1e-5);
      CHECK(amin(y).item() >= 0);
    }
}

TEST_CASE("softmax: a shift of all numbers of a row changes nothing") {
  Generator generator(test_seed(), 82);
  // Multiples of 1/8 below 4096 keep their value when 10^5 is added in float32 (steps of 1/128).
  Tensor x = affine(random_integers({20, 100}, generator, -64, 64).to(float32), 0.125, 0);
  Tensor shifted = affine(x, 1, 1e5);
  Tensor labels = random_integers({20}, generator, 0, 100);
  CHECK(largest_difference(softmax(x, 1), softmax(shifted, 1)) == 0);
  CHECK(largest_difference(log_softmax(x, 1), log_softmax(shifted, 1)) == 0);
  CHECK(softmax_cross_entropy(x, labels).item() == softmax_cross_entropy(shifted, labels).item());
  CHECK(largest_difference(logsumexp(shifted, 1), affine(logsumexp(x, 1), 1, 1e5)) < 0.01);
}

TEST_CASE("softmax: infinities and NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  Tensor masked = Tensor::from(std::vector<float>{0, -infinity, 0, -infinity}, {1, 4});
  CHECK(softmax(masked, 1).to_vector<float>() == std::vector<float>{0.5f, 0, 0.5f, 0});
  CHECK(log_softmax(masked, 1).to_vector<float>()[1] == -infinity);
  CHECK(logsumexp(Tensor::full({3}, -std::numeric_limits<double>::infinity()), 0).item() == -infinity);
  Tensor poisoned = Tensor::zeros({70});
  poisoned.data<float>()[65] = std::numeric_limits<float>::quiet_NaN();
  for (float v : softmax(poisoned, 0).to_vector<float>()) CHECK(std::isnan(v));
}

TEST_CASE("softmax_cross_entropy: uniform logits cost log C, and a sure right answer nothing") {
  Tensor labels = Tensor::from(std::vector<int64_t>{2, 0, 1});
  for (double smoothing : {0.0, 0.1})
    CHECK(softmax_cross_entropy(Tensor::full({3, 5}, 7), labels, smoothing).item() ==
          doctest::Approx(std::log(5.0)).epsilon(1e-6));
  Tensor sure = Tensor::zeros({3, 5});
  for (int64_t i = 0; i < 3; ++i) sure.data<float>()[i * 5 + labels.data<int64_t>()[i]] = 1e4f;
  CHECK(softmax_cross_entropy(sure, labels).item() == 0);
}

}  // namespace tenon
