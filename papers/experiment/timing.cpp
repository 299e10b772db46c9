#include "papers/experiment/timing.h"

#include <time.h>

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"

namespace tenon::experiment {
namespace {

constexpr double kTurn = 0.2, kShortest = 1e-4;  // milliseconds: of a turn, of a call

double clock_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace

std::vector<double> median_ms(const std::vector<std::function<void()>>& contestants, int runs, int warm,
                              int threads) {
  TENON_CHECK(runs >= 1, "median_ms: expects at least one run, got ", runs);
  TENON_CHECK(threads >= 1, "median_ms: expects at least one thread, got ", threads);
  const clockid_t clock = threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  const int threads_before = num_threads();
  set_num_threads(threads);
  std::vector<std::vector<double>> times(contestants.size());
  std::vector<int> calls(contestants.size(), 1);
  for (int i = 0; i < warm + runs; ++i)
    for (size_t c = 0; c < contestants.size(); ++c) {
      const double start = clock_ms(clock);
      for (int call = 0; call < calls[c]; ++call) contestants[c]();
      const double each = (clock_ms(clock) - start) / calls[c];
      if (i < warm) calls[c] = std::max(1, static_cast<int>(kTurn / std::max(each, kShortest)));
      if (i >= warm) times[c].push_back(each);
    }
  set_num_threads(threads_before);
  std::vector<double> medians;
  for (std::vector<double>& of_one : times) {
    const auto middle = of_one.begin() + static_cast<long>(of_one.size() / 2);
    std::nth_element(of_one.begin(), middle, of_one.end());
    medians.push_back(*middle);
  }
  return medians;
}

}  // namespace tenon::experiment
