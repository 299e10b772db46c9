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

std::function<void()> under_settings(const cuda::Settings& settings, const std::function<void()>& run) {
  return [=] {
    // Given back whatever happens: a library that is not there throws.
    struct Scope {
      cuda::Settings before;
      ~Scope() { cuda::set_settings(before); }
    } scope{cuda::set_settings(settings)};
    run();
  };
}

std::vector<Contestant> beside_library(Device device, const std::function<void()>& run, const char* name,
                                       cuda::Settings library) {
  std::vector<Contestant> out = {{"tenon", run}};
  if (device.is_cpu()) return out;
  const auto append = [&](const std::string& contestant, cuda::Settings settings, bool tf32) {
    settings.tf32 = tf32;
    out.push_back({contestant, under_settings(settings, run)});
  };
  append("tenon tf32", {}, true);
  append(name, library, false);
  append(concat(name, " tf32"), library, true);
  return out;
}

void check_agrees(const char* peer, const Tensor& result, const Tensor& tenon) {
  const float *const theirs = result.data<float>(), *const ours = tenon.data<float>();
  float largest = 0, error = 0;
  for (int64_t i = 0; i < tenon.numel(); ++i) {
    largest = std::max(largest, std::fabs(ours[i]));
    error = std::max(error, std::fabs(ours[i] - theirs[i]));
  }
  TENON_CHECK(error <= 1e-4F * largest, "bench: ", peer, " differs by ", error, " where the largest is ",
              largest);
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

// Warms up (first allocations, page faults, loading of kernels) and says how many runs last 2 ms.
int64_t repeats_of(const std::function<void()>& run, Device device) {
  seconds_of(device, run, 2);
  const double once = seconds_of(device, run, 1);
  return std::max<int64_t>(1, static_cast<int64_t>(2e-3 / std::max(once, 1e-9)));
}

void alternate(const std::vector<Contestant>& contestants, Device device, int samples, Result& result) {
  struct Running {
    const Contestant* contestant;
    int64_t repeats;
    std::vector<double> times;
  };
  std::vector<Running> running;
  for (const Contestant& contestant : contestants) {
    try {
      running.push_back({&contestant, repeats_of(contestant.run, device), {}});
    } catch (const Error& error) {
      if (running.empty()) throw;
      result.timings.push_back({contestant.name, 0, 0, error.what()});
    }
  }
  for (int s = 0; s < 4 * samples; ++s) {
    for (Running& r : running) r.times.push_back(seconds_of(device, r.contestant->run, r.repeats));
    bool settled = std::all_of(running.begin(), running.end(),
                               [](const Running& r) { return spread_of(r.times) < 0.05; });
    if (s + 1 >= samples && settled) break;
  }
  std::vector<Timing> timings;
  for (const Running& r : running)
    timings.push_back({r.contestant->name, quantile(r.times, 0.5), spread_of(r.times)});
  result.timings.insert(result.timings.begin(), timings.begin(), timings.end());
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
