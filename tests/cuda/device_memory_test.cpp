// Device memory: copies round trip on any device; the emulation refuses addresses that are not device memory.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <vector>

#include "core/error.h"
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

#endif

}  // namespace tenon::cuda

#endif
