// Contestants take turns: what is short is called many times a turn, what is long once.
#include "papers/experiment/timing.h"

#include <doctest/doctest.h>

#include "core/error.h"

namespace tenon::experiment {

TEST_CASE("experiment: a turn of median_ms is many calls of what is short, one of what is long") {
  constexpr int kRuns = 5, kWarm = 2;
  int64_t short_calls = 0, long_calls = 0;
  volatile double sum = 0;
  const auto add_up = [&](int n) {
    for (int i = 0; i < n; ++i) sum = sum + 1;
  };
  const std::vector<double> ms =
      median_ms({[&] { ++short_calls, add_up(10); }, [&] { ++long_calls, add_up(1000000); }}, kRuns, kWarm);
  CHECK(long_calls == kRuns + kWarm);
  CHECK(short_calls > 10 * long_calls);
  CHECK(ms[0] > 0);
  CHECK(ms[1] > 100 * ms[0]);
  CHECK_THROWS_AS(median_ms({}, 0), Error);
}

}  // namespace tenon::experiment
