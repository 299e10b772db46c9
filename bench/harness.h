// Benchmarks: a case is what Tenon does and what its peers do on the same data. The harness warms up, then
// alternates the contestants run by run (so that a noisy neighbour hits all alike), takes medians, and prints
// them against the floor: the larger of flops over the measured peak of arithmetic and bytes over the measured
// bandwidth (bench/machine.h).
//
// A family makes its cases for the host or for the card. Those of the card run in a build with CUDA=native only:
// the speed of an emulation says nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "core/random.h"
#include "core/tensor.h"
#include "cuda/runtime/settings.h"

namespace tenon::bench {

/// One contestant: a closure that does the work once.
struct Contestant {
  std::string name;
  std::function<void()> run;
};

struct Case {
  std::string name;  ///< "matmul/512", the family first
  double flops = 0;  ///< arithmetic of one run, a multiply-add counting two
  double bytes = 0;  ///< memory that one run must read and write at least
  /// Makes the data and the contestants, Tenon first. Called when the case's turn comes.
  std::function<std::vector<Contestant>()> prepare;
};

/// A family registers a function that lists its cases.
struct Family {
  Family(const char* name, std::vector<Case> (*cases)(Device));
};

/// The cases of a device whose name contains one of the words of `filter` (separated by commas), in the order of
/// the words.
std::vector<Case> cases_matching(const std::string& filter, Device device);

/// What a run works on.
using Tensors = std::vector<Tensor>;
/// Runs `run(inputs)`. On a card there are copies of the inputs, which take turns, so that none is still in the
/// card's second-level cache when its turn comes. `inputs` are drawn on the host and moved.
std::function<void()> over_inputs(Device device, const Tensors& inputs,
                                  std::function<void(const Tensors&)> run);

/// A case of Tenon alone, over inputs that `draw` makes on the host.
Case tenon_case(const std::string& name, Device device, double flops, double bytes,
                const std::function<Tensors(Generator&)>& draw,
                const std::function<void(const Tensors&)>& run);

/// `run` with these settings of the CUDA device.
std::function<void()> under_settings(const cuda::Settings& settings, const std::function<void()>& run);

/// `run` as it is, and on a card also with its products in TF32, and both ways with the products of `library`:
/// contestants "tenon", "tenon tf32", "cublas", "cublas tf32" if that is its name.
std::vector<Contestant> beside_library(Device device, const std::function<void()>& run, const char* name,
                                       cuda::Settings library);

/// Throws Error where a peer's result differs from Tenon's by more than 1e-4 of the largest magnitude there: float32
/// sums of up to 10^5 terms in another order. For the first run of a peer, which is not timed.
void check_agrees(const char* peer, const Tensor& result, const Tensor& tenon);

/// Seconds of one run, median of alternating samples.
struct Timing {
  std::string contestant;
  double seconds = 0;
  double spread = 0;         ///< interquartile range over median
  std::string refusal = {};  ///< the message of the Error that it threw instead: a library that is not there
};
struct Result {
  std::string name;
  double flops = 0, bytes = 0;
  double floor_seconds = 0;
  std::vector<Timing> timings;
  std::string refusal;  ///< the message of the Error that Tenon's own run threw: an op without a kernel
};

/// Alternates the contestants until at least `samples` samples each are taken and the medians have settled
/// (or four times as many are taken). A sample repeats its closure until it lasts 2 ms.
Result measure(const Case& c, Machine& machine, int samples);

/// Seconds of one run, over `repeats` runs in a row; on a card by its own clock, from an event to another.
double seconds_of(Device device, const std::function<void()>& run, int64_t repeats);

}  // namespace tenon::bench
