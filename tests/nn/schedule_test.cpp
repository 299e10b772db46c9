#include "nn/schedule.h"

#include <doctest/doctest.h>

namespace tenon {
namespace {

std::vector<NamedVariable> one_parameter() { return {{"w", Variable(Tensor::zeros({2}), true)}}; }

// Rates at t = 0, 1, ... of an optimiser that starts at 0.1.
void check_rates(const RateFactor& factor, const std::vector<double>& expected) {
  SGD optimizer(one_parameter(), {.lr = 0.1});
  Schedule schedule(optimizer, factor);
  for (size_t t = 0; t < expected.size(); ++t) {
    CAPTURE(t);
    CHECK(optimizer.groups()[0].lr == doctest::Approx(expected[t]).epsilon(1e-12));
    schedule.step();
  }
}

}  // namespace

// Golden values worked out by hand.
TEST_CASE("schedule: golden rates") {
  check_rates(steps(2, 0.1), {0.1, 0.1, 0.01, 0.01, 0.001});
  check_rates(multi_step({1, 3}, 0.5), {0.1, 0.05, 0.05, 0.025, 0.025});
  check_rates(exponential(0.5), {0.1, 0.05, 0.025, 0.0125});
  check_rates(cosine(4), {0.1, 0.085355339059327376, 0.05, 0.014644660940672624, 0, 0});
  check_rates(cosine(2, 0.2), {0.1, 0.06, 0.02, 0.02});
  check_rates(warm_up(4, 0.2, multi_step({5}, 0.1)), {0.02, 0.04, 0.06, 0.08, 0.1, 0.01});
  CHECK_THROWS_AS(steps(0, 0.1), Error);
  CHECK_THROWS_AS(multi_step({3, 1}, 0.1), Error);
}

TEST_CASE("schedule: groups keep the ratio of their base rates, and the position comes back") {
  SGD a(one_parameter(), {.lr = 0.4});
  a.add_group({{"v", Variable(Tensor::zeros({1}), true)}}, 0.1, 0);
  Schedule first(a, steps(1, 0.5));
  first.step();
  first.step();
  CHECK(a.groups()[0].lr == 0.1);
  CHECK(a.groups()[1].lr == 0.025);

  SGD b(one_parameter(), {.lr = 7});
  b.add_group({{"v", Variable(Tensor::zeros({1}), true)}}, 9, 0);
  Schedule second(b, steps(1, 0.5));
  second.load_state(first.state());
  CHECK(b.groups()[0].lr == 0.1);
  second.step();
  CHECK(b.groups()[1].lr == 0.0125);
  CHECK_THROWS_WITH_AS(second.load_state({}), "Schedule: load_state: missing 'position'", Error);
}

TEST_CASE("schedule: plateau") {
  SGD optimizer(one_parameter(), {.lr = 1});
  PlateauSchedule plateau(optimizer, {.factor = 0.1, .patience = 1, .min_lr = 0.05});
  CHECK_FALSE(plateau.step(1.0));
  CHECK_FALSE(plateau.step(0.5));
  CHECK_FALSE(plateau.step(0.5));  // waits once
  State state = clone_state(plateau.state());
  CHECK(plateau.step(0.49999));  // too little: the threshold is 1e-4 of the best
  CHECK(optimizer.groups()[0].lr == doctest::Approx(0.1));
  CHECK_FALSE(plateau.step(0.4));
  CHECK_FALSE(plateau.step(0.6));
  CHECK(plateau.step(0.6));
  CHECK(optimizer.groups()[0].lr == 0.05);
  plateau.load_state(state);
  CHECK(plateau.step(0.5));

  PlateauSchedule rising(optimizer, {.patience = 0, .smaller_is_better = false});
  CHECK_FALSE(rising.step(0.9));
  CHECK_FALSE(rising.step(0.95));
  CHECK(rising.step(0.95));
}

}  // namespace tenon
