// Device memory: copies round trip on any device; in emulated builds the host cannot touch it behind the
// runtime's back, and addresses that are not device memory are refused.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "tests/cuda/device_array.h"

namespace tenon::cuda {

TEST_CASE("cuda memory: copies to, from and on the device") {
  if (!available()) return;
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

TEST_CASE("cuda memory: with the guard on, a host access to device memory ends the process") {
  DeviceArray<int> device(std::vector<int>(8, 42));
  // The child touches the memory as a kernel called by mistake from the host would; exit status 0 means that
  // it could, 7 that address sanitizer or the system stopped it.
  const auto child_can_read = [&](bool guarded) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const rlimit no_core{0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      std::signal(SIGSEGV, SIG_DFL);
      set_memory_guard(guarded);
      const volatile int* pointer = device.data();
      _exit(*pointer == 42 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0;
    CHECK(WTERMSIG(status) == SIGSEGV);
    return false;
  };
  CHECK(child_can_read(false));
  CHECK(!child_can_read(true));

  const bool before = set_memory_guard(true);
  DeviceArray<int> later(std::vector<int>(8, 7));
  CHECK(device.to_host()[3] == 42);  // copies open the memory and close it again
  CHECK(later.to_host()[3] == 7);
  CHECK(!child_can_read(true));
  set_memory_guard(before);
}

#endif

}  // namespace tenon::cuda

#endif
