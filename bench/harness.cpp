#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/parallel.h"
#include "core/tensor.h"

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

Machine measure_machine(int threads) {
  Machine machine;
  const int before = num_threads();
  set_num_threads(threads);
  // 16 independent vectors of 16 floats stay in registers; each pass is 256 multiply-adds.
  constexpr int kChains = 16, kLanes = 16;
  constexpr int64_t kPasses = 200000;
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::vector<float> sink(static_cast<size_t>(threads));
    double start = now();
    parallel_for(threads, 1, [&](int64_t begin, int64_t) {
      typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
      Vector acc[kChains];
      Vector scale, shift;
      for (int l = 0; l < kLanes; ++l) scale[l] = 0.999f, shift[l] = 0.001f;
      for (int c = 0; c < kChains; ++c) acc[c] = shift;
      for (int64_t p = 0; p < kPasses; ++p)
        for (int c = 0; c < kChains; ++c) acc[c] = acc[c] * scale + shift;
      float total = 0;
      for (int c = 0; c < kChains; ++c) total += acc[c][0];
      sink[static_cast<size_t>(begin)] = total;
    });
    double flops = 2.0 * kChains * kLanes * static_cast<double>(kPasses) * threads;
    machine.flops_per_second = std::max(machine.flops_per_second, flops / (now() - start));
  }
  const int64_t n = 16 << 20;  // 64 MiB each
  Tensor a = Tensor::ones({n}), b = Tensor::ones({n}), c = Tensor::ones({n});
  float *pa = a.data<float>(), *pb = b.data<float>(), *pc = c.data<float>();
  for (int attempt = 0; attempt < 5; ++attempt) {
    double start = now();
    parallel_for(n, n / (8 * threads), [&](int64_t begin, int64_t end) {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i) pa[i] = pb[i] + 0.5f * pc[i];
    });
    machine.bytes_per_second =
        std::max(machine.bytes_per_second, 12.0 * static_cast<double>(n) / (now() - start));
  }
  set_num_threads(before);
  return machine;
}

Result measure(const Case& c, const Machine& machine, int samples) {
  Result result;
  result.name = c.name;
  result.floor_seconds = std::max(c.flops / machine.flops_per_second, c.bytes / machine.bytes_per_second);
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
