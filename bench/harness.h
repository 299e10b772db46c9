// Benchmarks: a case is what Tenon does and what its peers do on the same data. The harness warms up, then
// alternates the contestants run by run (so that a noisy neighbour hits all alike), takes medians, and prints
// them against the floor: the larger of flops over the measured peak of arithmetic and bytes over the measured
// bandwidth (bench/machine.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/machine.h"

namespace tenon::bench {

/// One contestant: a closure that does the work once.
struct Contestant {
  std::string name;
  std::function<void()> run;
};

struct Case {
  std::string name;                     ///< "matmul/512", the family first
  double flops = 0;                     ///< arithmetic of one run, a multiply-add counting two
  double bytes = 0;                     ///< memory that one run must read and write at least
  std::vector<Contestant> contestants;  ///< Tenon first
};

/// A family registers a function that makes its cases; data are made only for the families that run.
struct Family {
  Family(const char* name, std::function<std::vector<Case>()> cases);
};

/// Seconds of one run, median of alternating samples.
struct Timing {
  std::string contestant;
  double seconds = 0;
  double spread = 0;  ///< interquartile range over median
};
struct Result {
  std::string name;
  double floor_seconds = 0;
  std::vector<Timing> timings;
};

/// Alternates the contestants until at least `samples` samples each are taken and the medians have settled
/// (or four times as many are taken). A sample repeats its closure until it lasts 2 ms.
Result measure(const Case& c, Machine& machine, int samples);

/// Seconds of one run, over `repeats` runs in a row.
double seconds_of(const std::function<void()>& run, int64_t repeats);

/// The cases whose name contains `filter`.
std::vector<Case> cases_matching(const std::string& filter);

}  // namespace tenon::bench
