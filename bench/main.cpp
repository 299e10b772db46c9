// `make bench`: runs the cases and prints a table; `--json FILE` writes it; `--serve` answers another process
// that alternates its own runs with ours (bench/peers.py).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

#include "bench/harness.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/json.h"
#include "core/parallel.h"

namespace tenon::bench {
namespace {

struct Options {
  std::string filter;
  std::string json;
  int samples = 11;
  int threads = 0;
  bool serve = false;
};

constexpr double kFarBeyondCaches = 1 << 28;
const char* kUsage = "usage: bench [--filter TEXT] [--threads N] [--samples N] [--json FILE] [--serve]\n";

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    std::string key = argv[i];
    if (key == "--serve") {
      o.serve = true;
      continue;
    }
    TENON_CHECK(i + 1 < argc, "bench: ", key, " expects a value\n", kUsage);
    std::string value = argv[++i];
    if (key == "--filter") {
      o.filter = value;
    } else if (key == "--json") {
      o.json = value;
    } else if (key == "--samples") {
      o.samples = std::atoi(value.c_str());
    } else if (key == "--threads") {
      o.threads = std::atoi(value.c_str());
    } else {
      fail("bench: no option ", key, "\n", kUsage);
    }
  }
  TENON_CHECK(o.samples >= 1, "bench: --samples expects 1 or more");
  return o;
}

// Reads "NAME REPEATS" lines and answers each with the seconds of one run of our own contestant.
void serve() {
  std::map<std::string, Case> prepared;
  std::string name;
  long repeats = 0;
  while (std::cin >> name >> repeats) {
    if (!prepared.count(name)) {
      for (Case& c : cases_matching(name))
        if (c.name == name) prepared.emplace(name, std::move(c));
      TENON_CHECK(prepared.count(name), "bench: no case '", name, "'");
      prepared.at(name).contestants[0].run();
    }
    Case once = prepared.at(name);
    once.contestants.resize(1);
    std::printf("%.9g\n", seconds_of(once.contestants[0].run, repeats));
    std::fflush(stdout);
  }
}

void run(const Options& o) {
  Machine machine(num_threads());
  const double memory = machine.bytes_per_second(kFarBeyondCaches);
  std::printf("%d thread(s): %.1f GFLOP/s of float32 multiply-adds, %.1f GB/s of memory\n", num_threads(),
              machine.flops_per_second() * 1e-9, memory * 1e-9);
  std::printf("%-40s %-14s %12s %9s %9s %8s\n", "case", "contestant", "us", "% floor", "vs Tenon", "spread");
  Json rows = Json::array();
  for (const Case& c : cases_matching(o.filter)) {
    Result r = measure(c, machine, o.samples);
    for (const Timing& t : r.timings) {
      double of_floor = t.seconds > 0 ? r.floor_seconds / t.seconds : 0;
      double ratio = t.seconds / r.timings[0].seconds;
      std::printf("%-40s %-14s %12.2f %8.1f%% %8.2fx %7.1f%%\n", r.name.c_str(), t.contestant.c_str(),
                  t.seconds * 1e6, 100 * of_floor, ratio, 100 * t.spread);
      std::fflush(stdout);
      Json row = Json::object();
      row["case"] = r.name;
      row["contestant"] = t.contestant;
      row["seconds"] = t.seconds;
      row["floor_seconds"] = r.floor_seconds;
      row["ratio_to_tenon"] = ratio;
      row["spread"] = t.spread;
      rows.push_back(row);
    }
  }
  if (o.json.empty()) return;
  Json out = Json::object();
  out["threads"] = num_threads();
  out["flops_per_second"] = machine.flops_per_second();
  out["bytes_per_second"] = memory;
  out["results"] = rows;
  write_file_atomically(o.json, out.dump(2) + "\n");
}

}  // namespace
}  // namespace tenon::bench

int main(int argc, char** argv) {
  try {
    tenon::bench::Options options = tenon::bench::parse(argc, argv);
    if (options.threads > 0) tenon::set_num_threads(options.threads);
    if (options.serve) {
      tenon::bench::serve();
    } else {
      tenon::bench::run(options);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
