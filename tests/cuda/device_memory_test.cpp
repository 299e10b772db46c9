// Device memory: copies round trip on any device; in emulated builds the host cannot touch it behind the
// runtime's back, and addresses that are not device memory are refused.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>
#include <vector>

#include "core/error.h"
#if defined(TENON_CUDA_EMULATED)
#include "cuda/runtime/kernel.h"
#endif
#include "tests/cuda/device_array.h"

namespace tenon::cuda {

TEST_CASE("cuda memory: copies to, from and on the device") {
  if (skip_without_device()) return;
  for (size_t n : {size_t{1}, size_t{4097}, size_t{100003}}) {
    std::vector<uint8_t> bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i * 31 + n);
    DeviceArray<uint8_t> a(bytes), b(std::vector<uint8_t>(n, 0));
    CHECK(reinterpret_cast<uintptr_t>(a.data()) % 256 == 0);
    copy_on_device(b.data(), a.data(), n);
    synchronize();
    CHECK(b.to_host() == bytes);
    copy_to_device(b.data() + n / 2, bytes.data(), 1);  // the middle of an allocation
    CHECK(b.to_host()[n / 2] == bytes[0]);
  }
  CHECK(!device_name().empty());
}

#if defined(TENON_CUDA_EMULATED)

TEST_CASE("cuda memory: host addresses and overruns are refused") {
  std::vector<int> host(1024, 1);
  DeviceArray<int> device(host);
  CHECK_THROWS_WITH_AS(copy_to_device(host.data(), host.data(), 4),
                       "copy_to_device: the destination is not device memory (4 bytes)", Error);
  CHECK_THROWS_AS(copy_to_host(host.data(), host.data(), 4), Error);
  CHECK_THROWS_AS(copy_on_device(device.data(), host.data(), 4), Error);
  CHECK_THROWS_AS(copy_to_host(host.data(), device.data() + 1023, 8192), Error);
  CHECK(raw_allocate(size_t{1} << 60) == nullptr);
}

namespace {

// Runs `f` in a child process. True if it came to its end, false if a signal or address sanitizer stopped it.
template <class F>
bool child_survives(F&& f) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(2);  // the sanitizer's report is expected
    std::signal(SIGSEGV, SIG_DFL);
    f();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int read_at(const int* pointer) { return *static_cast<const volatile int*>(pointer); }

__global__ void read_global_kernel(const int* x, int* y, int at) { *y = x[at]; }

__global__ void read_shared_kernel(int* y, int at) {
  TENON_SHARED(int, tile, 10);
  tile[at % 10] = at;
  *y = tile[at];
}

}  // namespace

TEST_CASE("cuda memory: with the guard on, a host access to device memory ends the process") {
  DeviceArray<int> device(std::vector<int>(8, 42));
  const auto survives = [&](bool guarded) {
    return child_survives([&] {
      set_memory_guard(guarded);
      if (read_at(device.data()) != 42) _exit(1);
    });
  };
  CHECK(survives(false));
  CHECK(!survives(true));

  const bool before = set_memory_guard(true);
  DeviceArray<int> later(std::vector<int>(8, 7));
  CHECK(device.to_host()[3] == 42);  // copies open the memory and close it again
  CHECK(later.to_host()[3] == 7);
  CHECK(!survives(true));
  set_memory_guard(before);
}

TEST_CASE("cuda memory: address sanitizer sees a kernel read beyond global and shared arrays") {
#if defined(__SANITIZE_ADDRESS__)
  constexpr bool seen = true;
#else
  constexpr bool seen = false;  // the reads end in padding
#endif
  DeviceArray<int> x(std::vector<int>(10, 1)), y(std::vector<int>(1, 0));
  const auto survives = [&](int at) {
    return std::pair(
        child_survives(
            [&] { launch("read_global", read_global_kernel, {1}, {1}, 0, x.data(), y.data(), at); }),
        child_survives([&] { launch("read_shared", read_shared_kernel, {1}, {1}, 0, y.data(), at); }));
  };
  CHECK(survives(9) == std::pair(true, true));
  CHECK(survives(10) == std::pair(!seen, !seen));
}

#endif

}  // namespace tenon::cuda

#endif
