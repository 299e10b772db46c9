#include "papers/experiment/timing.h"

#include <time.h>

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"

namespace tenon::experiment {
namespace {

constexpr double kTurn = 0.2, kShortest = 1e-4;  // milliseconds: of a turn, of a call

double thread_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace

std::vector<double> median_ms(const std::vector<std::function<void()>>& contestants, int runs, int warm) {
  TENON_CHECK(runs >= 1, "median_ms: expects at least one run, got ", runs);
  const int threads = num_threads();
  set_num_threads(1);
  std::vector<std::vector<double>> times(contestants.size());
  std::vector<int> calls(contestants.size(), 1);
  for (int i = 0; i < warm + runs; ++i)
    for (size_t c = 0; c < contestants.size(); ++c) {
      const double start = thread_ms();
      for (int call = 0; call < calls[c]; ++call) contestants[c]();
      const double each = (thread_ms() - start) / calls[c];
      if (i < warm) calls[c] = std::max(1, static_cast<int>(kTurn / std::max(each, kShortest)));
      if (i >= warm) times[c].push_back(each);
    }
  set_num_threads(threads);
  std::vector<double> medians;
  for (std::vector<double>& of_one : times) {
    const auto middle = of_one.begin() + static_cast<long>(of_one.size() / 2);
    std::nth_element(of_one.begin(), middle, of_one.end());
    medians.push_back(*middle);
  }
  return medians;
}

}  // namespace tenon::experiment
