// Each checker of the emulation against faults that were planted for it. A fault that goes unnoticed here would
// go unnoticed in every kernel. What only a sanitizer sees is checked in its build (make cuda-asan, make
// cuda-race); elsewhere the same test asserts that the program lives on, so that the difference is the
// sanitizer's.
#if defined(TENON_CUDA_EMULATED)

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "tests/cuda/child_process.h"
#include "tests/cuda/device_array.h"
#include "tests/cuda/faulty_kernels.h"
#include "tests/cuda/schedules.h"

namespace tenon::cuda {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressesChecked = true;
#else
constexpr bool kAddressesChecked = false;
#endif
#if defined(__SANITIZE_THREAD__)
constexpr bool kRacesSeen = true;
#else
constexpr bool kRacesSeen = false;
#endif

const char* const kFaultyKernels = "tests/cuda/faulty_kernels.h";

// The source lines of the faulty kernels that a sanitizer's report names, innermost first.
std::vector<std::string> lines_named(const std::string& report) {
  std::vector<std::string> source;
  std::ifstream file(kFaultyKernels);
  for (std::string line; std::getline(file, line);) source.push_back(line);
  std::vector<std::string> named;
  const std::string place = "faulty_kernels.h:";
  for (size_t at = report.find(place); at != std::string::npos; at = report.find(place, at + 1))
    named.push_back(source.at(std::stoul(report.substr(at + place.size())) - 1));
  return named;
}

// In a build with SAN=thread: the planted test case ends in a report of a data race, whose two accesses are lines
// marked `// races`.
void check_race(const char* name) {
  CAPTURE(std::string(name));
  const ChildEnd end = run_planted(name);
  INFO(end.report);
  CHECK(end.survived == !kRacesSeen);
  if (!kRacesSeen) return;
  CHECK(contains(end.report, "WARNING: ThreadSanitizer: data race"));
  const std::vector<std::string> lines = lines_named(end.report);
  REQUIRE(lines.size() >= 2);
  CHECK(lines[0].ends_with("// races"));
  CHECK(lines[1].ends_with("// races"));
}

// In a build with SAN=address: as above, with a read beyond an array.
void check_read_beyond(const char* name) {
  CAPTURE(std::string(name));
  const ChildEnd end = run_planted(name);
  INFO(end.report);
  CHECK(end.survived == !kAddressesChecked);
  if (!kAddressesChecked) return;  // elsewhere the read ends in padding
  CHECK(contains(end.report, "ERROR: AddressSanitizer: use-after-poison"));
  const std::vector<std::string> lines = lines_named(end.report);
  REQUIRE(!lines.empty());
  CHECK(lines[0].ends_with("// reads beyond"));
}

std::vector<float> ramp(size_t n) {
  std::vector<float> x(n);
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i % 13 + 1);
  return x;
}

}  // namespace

// ---- order ----------------------------------------------------------------------------------------------

// In a build with SAN=thread these launches would be reported, and end the program with its code.
TEST_CASE("cuda faults: a missing barrier gives wrong results under every schedule" *
          doctest::skip(kRacesSeen)) {
  DeviceArray<float> x(ramp(256)), sum(std::vector<float>(1, 0));
  float expected = 0;
  for (float value : ramp(256)) expected += value;
  DeviceArray<int> out(std::vector<int>(64, 0));
  std::vector<int> rounds(64);
  for (int t = 0; t < 64; ++t) rounds[static_cast<size_t>(t)] = 3 * (63 - t) + 3;
  for_schedules([&] {
    launch("sum_without_barrier", faulty::sum_without_barrier, {1}, {256}, 0, x.data(), sum.data(), 256);
    CHECK(sum.to_host()[0] != expected);
    launch("round_without_second_barrier", faulty::round_without_second_barrier, {1}, {64}, 0, out.data(), 3);
    CHECK(out.to_host() != rounds);
  });
}

TEST_CASE("cuda faults: blocks that rely on their order give wrong results in another" *
          doctest::skip(kRacesSeen)) {
  const uint64_t before = emulation::schedule_seed();
  int wrong = 0;
  for (uint64_t seed : {1, 2, 3}) {
    emulation::set_schedule_seed(seed);
    DeviceArray<int> out(std::vector<int>(16, 0));
    launch("after_the_block_before", faulty::after_the_block_before, {16}, {32}, 0, out.data());
    wrong += out.to_host()[15] != 16;
  }
  emulation::set_schedule_seed(before);
  CHECK(wrong == 3);
}

TENON_PLANTED("sum_without_barrier") {
  begin_planted();
  DeviceArray<float> x(ramp(256)), sum(std::vector<float>(1, 0));
  launch("sum_without_barrier", faulty::sum_without_barrier, {1}, {256}, 0, x.data(), sum.data(), 256);
}
TENON_PLANTED("round_without_second_barrier") {
  begin_planted();
  DeviceArray<int> out(std::vector<int>(64, 0));
  launch("round_without_second_barrier", faulty::round_without_second_barrier, {1}, {64}, 0, out.data(), 3);
}
TENON_PLANTED("shuffle_as_barrier") {
  begin_planted();
  DeviceArray<int> out(std::vector<int>(32, 0));
  launch("shuffle_as_barrier", faulty::shuffle_as_barrier, {1}, {32}, 0, out.data());
}
TENON_PLANTED("sum_over_blocks") {
  begin_planted();
  DeviceArray<int> sum(std::vector<int>(1, 0));
  launch("sum_over_blocks", faulty::sum_over_blocks, {2}, {32}, 0, sum.data());
}
TENON_PLANTED("after_the_block_before") {
  begin_planted();
  DeviceArray<int> out(std::vector<int>(8, 0));
  launch("after_the_block_before", faulty::after_the_block_before, {8}, {32}, 0, out.data());
}

TEST_CASE("cuda faults: ThreadSanitizer names the two lines of a race") {
  check_race("sum_without_barrier");
  check_race("round_without_second_barrier");
  check_race("shuffle_as_barrier");
  check_race("sum_over_blocks");
  check_race("after_the_block_before");
}

// ---- place ----------------------------------------------------------------------------------------------

namespace {
void read_global(int at) {
  DeviceArray<int> x(std::vector<int>(10, 1)), y(std::vector<int>(1, 0));
  launch("read_global", faulty::read_global, {1}, {1}, 0, x.data(), y.data(), at);
}
void read_shared(int at) {
  DeviceArray<int> y(std::vector<int>(1, 0));
  launch("read_shared", faulty::read_shared, {1}, {1}, 0, y.data(), at);
}
void read_dynamic_shared(unsigned at) {
  DeviceArray<float> y(std::vector<float>(1, 0));
  launch("read_dynamic_shared", faulty::read_dynamic_shared, {1}, {1}, 40, y.data(), 10u, at);
}
}  // namespace

TENON_PLANTED("reads within") {
  begin_planted();
  read_global(9);
  read_shared(9);
  read_dynamic_shared(9);
}
TENON_PLANTED("read_global") {
  begin_planted();
  read_global(10);
}
TENON_PLANTED("read_shared") {
  begin_planted();
  read_shared(10);
}
TENON_PLANTED("read_dynamic_shared") {
  begin_planted();
  read_dynamic_shared(10);
}

TEST_CASE("cuda faults: AddressSanitizer names the line of a read beyond an array") {
  CHECK(run_planted("reads within").survived);
  check_read_beyond("read_global");
  check_read_beyond("read_shared");
  check_read_beyond("read_dynamic_shared");
}

TEST_CASE("cuda faults: shared memory read before it is written is NaN, in every block") {
  DeviceArray<float> x(ramp(4 * 64)), y(ramp(4 * 64));
  launch("one_value_unwritten", faulty::one_value_unwritten, {4}, {64}, 64 * sizeof(float), x.data(),
         y.data());
  const std::vector<float> host = y.to_host();
  for (size_t i = 0; i < host.size(); ++i) CHECK(std::isnan(host[i]) == (i % 64 == 0));
}

namespace {
int host_reads_device_memory(bool guarded) {
  DeviceArray<int> device(std::vector<int>(8, 42));
  set_memory_guard(guarded);
  return *static_cast<const volatile int*>(device.data());
}
}  // namespace

TENON_PLANTED("host access without guard") {
  begin_planted();
  CHECK(host_reads_device_memory(false) == 42);
}
TENON_PLANTED("host access") {
  begin_planted();
  CHECK(host_reads_device_memory(true) == 42);
}

TEST_CASE("cuda faults: with the guard on, a host access to device memory ends the process") {
  CHECK(run_planted("host access without guard").survived);
  const ChildEnd end = run_planted("host access");
  CHECK(!end.survived);
  CHECK((end.faulted || contains(end.report, "SEGV")));  // sanitizers report the fault themselves

  const bool before = set_memory_guard(true);
  DeviceArray<int> first(std::vector<int>(8, 42)), second(std::vector<int>(8, 7));
  CHECK(first.to_host()[3] == 42);  // copies open the memory and close it again
  CHECK(second.to_host()[3] == 7);
  set_memory_guard(before);
}

TEST_CASE("cuda faults: too much shared memory is refused") {
  CHECK(contains(error_of([] { launch("too_much_shared", faulty::too_much_shared, {1}, {32}, 0); }),
                 "65536 bytes of shared memory"));
  // A launch that asks for more gets it, up to what the device has; its kernel's own arrays count, too.
  const auto ask = [](size_t bytes) {
    return error_of([&] { launch("asking", faulty::static_beside_dynamic_shared, {1}, {32}, bytes); });
  };
  const size_t limit = shared_memory_limit();
  CHECK(contains(ask(40 * 1024), "57344 bytes of shared memory, of which a block has 49152"));
  CHECK_NOTHROW(launch("asking", faulty::static_beside_dynamic_shared, {1}, {32}, limit - 16 * 1024));
  CHECK(contains(ask(limit), "bytes of shared memory, of which a block has"));
  CHECK(contains(ask(limit + 1), concat("launch of 'asking': a block asks for ", limit + 1,
                                        " bytes of shared memory, of which the device has ", limit)));
  CHECK(contains(
      error_of([] { launch("too_much_shared", faulty::too_much_shared, {1}, {32}, size_t{100} * 1024); }),
      "65536 bytes of static shared memory"));
}

// ---- rendezvous -----------------------------------------------------------------------------------------

TEST_CASE("cuda faults: a rendezvous that cannot take place is reported with kernel, block and thread") {
  DeviceArray<int> out(std::vector<int>(64, 0));
  for_schedules([&] {
    std::string error = error_of([] { launch("early_return", faulty::early_return, {2}, {64}, 0, 9u); });
    CHECK(contains(error, "kernel 'early_return', block (0, 0, 0): deadlock"));
    CHECK(contains(error, "waits at __syncthreads"));
    CHECK(contains(error, "for thread (9, 0, 0), which has returned"));

    error = error_of([] { launch("two_barriers", faulty::two_barriers, {1}, {64}, 0); });
    CHECK(contains(error, "kernel 'two_barriers', block (0, 0, 0): divergent __syncthreads"));
    CHECK(contains(error, "faulty_kernels.h:"));

    error = error_of([&] { launch("missing_lane", faulty::missing_lane, {1}, {64}, 0, out.data()); });
    CHECK(contains(error, "kernel 'missing_lane', block (0, 0, 0): deadlock"));
    CHECK(contains(error, "waits at __shfl_xor_sync"));
    CHECK(contains(error, "for thread (37, 0, 0), which has returned"));

    error = error_of([&] { launch("crossed", faulty::crossed, {1}, {64}, 0, out.data()); });
    CHECK(contains(error, "kernel 'crossed', block (0, 0, 0): "));

    error = error_of([&] { launch("foreign_lane", faulty::foreign_lane, {1}, {16}, 0, out.data()); });
    CHECK(contains(error, "reads lane 20, which is not in its mask"));

    error = error_of([&] { launch("partial_warp", faulty::partial_warp, {1}, {24}, 0, out.data()); });
    CHECK(contains(error, "lane 24 is in the mask, but the warp"));
    CHECK(contains(error, "has only 24 threads"));
  });
}

}  // namespace tenon::cuda

#endif
