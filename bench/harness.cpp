#include "bench/harness.h"

#include <algorithm>
#include <chrono>

namespace tenon::bench {
namespace {

struct Registered {
  const char* name;
  std::function<std::vector<Case>()> cases;
};
std::vector<Registered>& families() {
  static std::vector<Registered> all;
  return all;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  double at = q * static_cast<double>(v.size() - 1);
  size_t low = static_cast<size_t>(at);
  size_t high = std::min(low + 1, v.size() - 1);
  return v[low] + (at - static_cast<double>(low)) * (v[high] - v[low]);
}

double spread_of(const std::vector<double>& v) {
  return (quantile(v, 0.75) - quantile(v, 0.25)) / quantile(v, 0.5);
}

}  // namespace

Family::Family(const char* name, std::function<std::vector<Case>()> cases) {
  families().push_back({name, std::move(cases)});
}

std::vector<Case> cases_matching(const std::string& filter) {
  std::vector<Case> out;
  for (const Registered& family : families()) {
    // A filter that names another family need not make this one's data.
    std::string prefix = std::string(family.name) + "/";
    bool other = filter.find('/') != std::string::npos && filter.compare(0, prefix.size(), prefix) != 0;
    if (other) continue;
    for (Case& c : family.cases())
      if (c.name.find(filter) != std::string::npos) out.push_back(std::move(c));
  }
  return out;
}

double seconds_of(const std::function<void()>& run, int64_t repeats) {
  double start = now();
  for (int64_t i = 0; i < repeats; ++i) run();
  return (now() - start) / static_cast<double>(repeats);
}

Result measure(const Case& c, Machine& machine, int samples) {
  Result result;
  result.name = c.name;
  result.floor_seconds = machine.floor_seconds(c.flops, c.bytes);
  const size_t count = c.contestants.size();
  std::vector<int64_t> repeats(count);
  std::vector<std::vector<double>> times(count);
  for (size_t k = 0; k < count; ++k) {
    c.contestants[k].run();  // warm-up: first allocations, page faults
    double once = seconds_of(c.contestants[k].run, 1);
    repeats[k] = std::max<int64_t>(1, static_cast<int64_t>(2e-3 / std::max(once, 1e-9)));
  }
  for (int s = 0; s < 4 * samples; ++s) {
    for (size_t k = 0; k < count; ++k) times[k].push_back(seconds_of(c.contestants[k].run, repeats[k]));
    bool settled = std::all_of(times.begin(), times.end(), [](const auto& t) { return spread_of(t) < 0.05; });
    if (s + 1 >= samples && settled) break;
  }
  for (size_t k = 0; k < count; ++k)
    result.timings.push_back({c.contestants[k].name, quantile(times[k], 0.5), spread_of(times[k])});
  return result;
}

}  // namespace tenon::bench
