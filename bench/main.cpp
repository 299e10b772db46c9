// `make bench`: runs the cases and prints a table; --json and --markdown write it. `--serve` answers another
// process that alternates its own runs with ours (bench/peers.py). `--list` counts and runs nothing. `--probe`
// measures the ceilings alone, and fails where the device is not there. `--once` runs Tenon's contestant of each case
// for an instruction counter to watch (bench/guard.sh).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

#include "bench/harness.h"
#include "bench/results.h"
#include "core/error.h"
#include "core/parallel.h"
#include "cuda/runtime/device_runtime.h"

namespace tenon::bench {
namespace {

enum class Mode { run, serve, list, probe, once };

struct Options {
  Mode mode = Mode::run;
  Device device;
  std::string filter, json, markdown;
  int samples = 11;
  int threads = 0;
  double seconds = 0;
};

const char* kUsage =
    "usage: bench [--device cpu|cuda] [--filter WORD,...] [--threads N] [--samples N] [--seconds N]\n"
    "             [--json FILE] [--markdown FILE] [--serve | --list | --probe | --once]\n";

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    const std::map<std::string, Mode> modes = {
        {"--serve", Mode::serve}, {"--list", Mode::list}, {"--probe", Mode::probe}, {"--once", Mode::once}};
    if (auto mode = modes.find(key); mode != modes.end()) {
      o.mode = mode->second;
      continue;
    }
    TENON_CHECK(i + 1 < argc, "bench: ", key, " expects a value\n", kUsage);
    const std::string value = argv[++i];
    if (key == "--device") {
      o.device = Device::parse(value);
    } else if (key == "--filter") {
      o.filter = value;
    } else if (key == "--json") {
      o.json = value;
    } else if (key == "--markdown") {
      o.markdown = value;
    } else if (key == "--samples") {
      o.samples = std::atoi(value.c_str());
    } else if (key == "--threads") {
      o.threads = std::atoi(value.c_str());
    } else if (key == "--seconds") {
      o.seconds = std::atof(value.c_str());
    } else {
      fail("bench: no option ", key, "\n", kUsage);
    }
  }
  TENON_CHECK(o.samples >= 1, "bench: --samples expects 1 or more");
  TENON_CHECK(o.mode == Mode::list || o.device.is_cpu() || std::strcmp(cuda::build_mode(), "native") == 0,
              "bench: the card's cases run in a build with CUDA=native, and this one has CUDA=",
              cuda::build_mode(), ": the speed of an emulation says nothing");
  return o;
}

// Reads "NAME REPEATS" lines and answers each with the seconds of one run of our own contestant.
void serve(Device device) {
  std::map<std::string, std::function<void()>> prepared;
  std::string name;
  long repeats = 0;
  while (std::cin >> name >> repeats) {
    if (!prepared.count(name)) {
      for (const Case& c : cases_matching(name, device))
        if (c.name == name) prepared[name] = c.prepare()[0].run;
      TENON_CHECK(prepared.count(name), "bench: no case '", name, "'");
      prepared.at(name)();
    }
    std::printf("%.9g\n", seconds_of(device, prepared.at(name), repeats));
    std::fflush(stdout);
  }
}

void run(const Options& o) {
  const auto start = std::chrono::steady_clock::now();
  Machine machine(o.device, num_threads());
  Results results(machine, o.json, o.markdown);
  if (o.mode == Mode::probe) return;
  for (const Case& c : cases_matching(o.filter, o.device)) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (o.seconds > 0 && passed.count() > o.seconds) {
      results.add_not_run(c.name);
    } else {
      results.add(measure(c, machine, o.samples));
    }
  }
  if (results.refused() > 0) std::printf("%d case(s) did not run\n", results.refused());
}

// A function of a name that callgrind's --toggle-collect can tell.
extern "C" [[gnu::noinline]] void tenon_bench_counted(const std::function<void()>& work) {
  work();
  asm volatile("" ::: "memory");  // not a tail call, which would leave before the work is done
}

void once(const Options& o) {
  for (const Case& c : cases_matching(o.filter, o.device)) {
    if (c.name != o.filter) continue;
    const std::function<void()> work = c.prepare()[0].run;
    for (int i = 0; i < 2; ++i) work();  // first allocations
    return tenon_bench_counted(work);
  }
  fail("bench: no case '", o.filter, "'");
}

}  // namespace
}  // namespace tenon::bench

int main(int argc, char** argv) {
  using namespace tenon::bench;
  try {
    const Options options = parse(argc, argv);
    if (options.threads > 0) tenon::set_num_threads(options.threads);
    switch (options.mode) {
      case Mode::serve:
        serve(options.device);
        break;
      case Mode::list:
        std::fputs(counts_table(cases_matching(options.filter, options.device)).c_str(), stdout);
        break;
      case Mode::once:
        once(options);
        break;
      case Mode::run:
      case Mode::probe:
        run(options);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
