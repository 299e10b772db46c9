// What dropout promises over many elements, and about the generator that it draws from.
#include "core/ops/dropout.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "tests/seed.h"

namespace tenon {

TEST_CASE("dropout: the share of zeros is p and the mean stays, within five standard deviations") {
  Generator generator(test_seed(), 101);
  constexpr int64_t kCount = 1000000;
  Tensor x = Tensor::ones({1000, 1000});
  for (double p : {0.1, 0.5, 0.9}) {
    Dropped out = dropout(x, p, generator);
    const double deviation = std::sqrt(p * (1 - p) / kCount);
    INFO("p ", p);
    CHECK(std::fabs(1 - mean(out.mask.to(float64)).item() - p) < 5 * deviation);
    CHECK(std::fabs(mean(out.y).item() - 1) < 5 * deviation / (1 - p) + 1e-6);
  }
}

TEST_CASE("dropout: p = 0 keeps all, p = 1 nothing, not even infinities; the generator advances alike") {
  const double infinity = std::numeric_limits<double>::infinity();
  uint64_t position = 0;
  for (double p : {0.0, 0.3, 1.0}) {
    Generator generator(test_seed(), 102);
    Tensor x = Tensor::full({5, 7}, infinity);
    Tensor y = dropout(x, p, generator).y;
    if (p == 0) CHECK(amin(y).item() == infinity);
    if (p == 1) CHECK((amax(y).item() == 0 && amin(y).item() == 0));
    if (p == 0) position = generator.state().position;
    CHECK(generator.state().position == position);
  }
}

TEST_CASE(
    "dropout: one draw does not repeat the last; a restored generator does; memory order does not matter") {
  Generator generator(test_seed(), 103);
  Tensor x = Tensor::ones({16, 8, 9, 10});
  Generator::State before = generator.state();
  Tensor first = dropout(x, 0.5, generator).y;
  CHECK(norm1(sub(dropout(x, 0.5, generator).y, first)).item() > 0);
  Generator restored = Generator::from(before);
  Tensor last = Tensor::ones({16, 9, 10, 8}).permute({0, 3, 1, 2});
  Tensor again = dropout(last, 0.5, restored).y;
  CHECK(again.strides() == last.strides());
  CHECK(norm1(sub(again, first)).item() == 0);
}

TEST_CASE("dropout_channels: a channel is kept whole or lost whole") {
  Generator generator(test_seed(), 104);
  Tensor y = dropout_channels(Tensor::ones({20, 30, 6, 5}), 0.25, generator).y;
  Tensor low = amin(y, {2, 3}), high = amax(y, {2, 3});
  CHECK(norm1(sub(low, high)).item() == 0);
  CHECK(amin(low).item() == 0);
  CHECK(amax(high).item() == doctest::Approx(1 / 0.75));
}

}  // namespace tenon
