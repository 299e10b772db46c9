#include "bench/harness.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>

#include "core/error.h"
#include "cuda/runtime/event.h"

namespace tenon::bench {
namespace {

struct Registered {
  const char* name;
  std::vector<Case> (*cases)(Device);
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

std::vector<std::string> words_of(const std::string& filter) {
  std::vector<std::string> words;
  std::istringstream in(filter);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  if (words.empty()) words.push_back("");
  return words;
}

}  // namespace

Family::Family(const char* name, std::vector<Case> (*cases)(Device)) { families().push_back({name, cases}); }

std::vector<Case> cases_matching(const std::string& filter, Device device) {
  std::vector<Case> all, out;
  std::sort(families().begin(), families().end(), [](const Registered& a, const Registered& b) {
    return std::string(a.name) < b.name;  // the linker's order is nobody's
  });
  for (const Registered& family : families())
    for (Case& c : family.cases(device)) all.push_back(std::move(c));
  for (const std::string& word : words_of(filter))
    for (Case& c : all)
      if (c.prepare && c.name.find(word) != std::string::npos) {
        out.push_back(c);
        c.prepare = nullptr;
      }
  return out;
}

std::function<void()> over_inputs(Device device, const Tensors& inputs,
                                  std::function<void(const Tensors&)> run) {
  // Twice the 50 MB of an H100.
  constexpr double kBeyondCache = 100e6;
  double bytes = 1;
  for (const Tensor& x : inputs)
    bytes += static_cast<double>(x.numel()) * static_cast<double>(size_of(x.dtype()));
  const int count =
      device.is_cpu() ? 1 : static_cast<int>(std::clamp(std::ceil(kBeyondCache / bytes), 1., 64.));
  std::vector<Tensors> sets(static_cast<size_t>(count));
  for (Tensors& set : sets)
    for (const Tensor& x : inputs) set.push_back(x.to(device));
  return [sets = std::move(sets), run = std::move(run), turn = size_t{0}]() mutable {
    run(sets[turn++ % sets.size()]);
  };
}

Case tenon_case(const std::string& name, Device device, double flops, double bytes,
                const std::function<Tensors(Generator&)>& draw,
                const std::function<void(const Tensors&)>& run) {
  return {name, flops, bytes, [=] {
            Generator generator(1);
            return std::vector<Contestant>{{"tenon", over_inputs(device, draw(generator), run)}};
          }};
}

double seconds_of(Device device, const std::function<void()>& run, int64_t repeats) {
  const double count = static_cast<double>(repeats);
  if (device.is_cpu()) {
    const double start = now();
    for (int64_t i = 0; i < repeats; ++i) run();
    return (now() - start) / count;
  }
  cuda::Event start, end;
  start.record();
  for (int64_t i = 0; i < repeats; ++i) run();
  end.record();
  return cuda::milliseconds_between(start, end) * 1e-3 / count;
}

namespace {

void alternate(const std::vector<Contestant>& contestants, Device device, int samples, Result& result) {
  const size_t count = contestants.size();
  std::vector<int64_t> repeats(count);
  std::vector<std::vector<double>> times(count);
  for (size_t k = 0; k < count; ++k) {
    seconds_of(device, contestants[k].run, 2);  // warm-up: first allocations, page faults, loading of kernels
    double once = seconds_of(device, contestants[k].run, 1);
    repeats[k] = std::max<int64_t>(1, static_cast<int64_t>(2e-3 / std::max(once, 1e-9)));
  }
  for (int s = 0; s < 4 * samples; ++s) {
    for (size_t k = 0; k < count; ++k) times[k].push_back(seconds_of(device, contestants[k].run, repeats[k]));
    bool settled = std::all_of(times.begin(), times.end(), [](const auto& t) { return spread_of(t) < 0.05; });
    if (s + 1 >= samples && settled) break;
  }
  for (size_t k = 0; k < count; ++k)
    result.timings.push_back({contestants[k].name, quantile(times[k], 0.5), spread_of(times[k])});
}

}  // namespace

Result measure(const Case& c, Machine& machine, int samples) {
  Result result;
  result.name = c.name;
  result.flops = c.flops, result.bytes = c.bytes;
  result.floor_seconds = machine.floor_seconds(c.flops, c.bytes);
  try {
    alternate(c.prepare(), machine.device(), samples, result);
  } catch (const Error& error) {
    result.refusal = error.what();
  }
  return result;
}

}  // namespace tenon::bench
