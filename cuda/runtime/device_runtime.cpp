// The launch counter, and the device runtime of native builds (on the CUDA runtime) and of builds without a
// device. That of emulated builds is cuda/emulation/device_memory.cpp. The native half is written
// against CUDA 13.
#include "cuda/runtime/device_runtime.h"

#include <atomic>

#include "core/error.h"

#if defined(TENON_CUDA_NATIVE)
#include "cuda/runtime/native_check.h"
#endif

namespace tenon::cuda {
namespace {
std::atomic<uint64_t> launches{0}, served{0};
std::atomic<const char*> last_name{""};
}  // namespace

uint64_t launch_count() { return launches.load(std::memory_order_relaxed); }
uint64_t library_calls() { return served.load(std::memory_order_relaxed); }
const char* last_kernel() { return last_name.load(std::memory_order_relaxed); }

void detail::count_launch(const char* name) {
  launches.fetch_add(1, std::memory_order_relaxed);
  last_name.store(name, std::memory_order_relaxed);
}
void detail::check_shared_memory(const char* name, size_t bytes) {
  TENON_CHECK(bytes <= kSharedUnasked || bytes <= shared_memory_limit(), "launch of '", name,
              "': a block asks for ", bytes, " bytes of shared memory, of which the device has ",
              shared_memory_limit());
}
void detail::count_library_call(const char* library) {
  served.fetch_add(1, std::memory_order_relaxed);
  count_launch(library);
}

#if defined(TENON_CUDA_NATIVE)

const char* build_mode() { return "native"; }

std::string why_unavailable() {
  static const std::string why = [] {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess) return std::string(cudaGetErrorString(status));
    return std::string(count > 0 ? "" : "the driver lists none");
  }();
  return why;
}
bool available() { return why_unavailable().empty(); }

std::string device_name() {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  return properties.name;
}

size_t shared_memory_limit() {
  static const size_t limit = [] {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0),
          "cudaDeviceGetAttribute");
    return static_cast<size_t>(bytes);
  }();
  return limit;
}

void* raw_allocate(size_t bytes) {
  void* pointer = nullptr;
  const cudaError_t status = cudaMalloc(&pointer, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // clears it: running out of memory is the allocator's business and no lasting fault
    return nullptr;
  }
  check(status, "cudaMalloc");
  return pointer;
}

void raw_release(void* pointer, size_t) noexcept {
  cudaFree(pointer);  // an error here belongs to earlier work, and surfaces at the next checked call
}

void copy_to_device(void* device_destination, const void* host_source, size_t bytes) {
  check(cudaMemcpy(device_destination, host_source, bytes, cudaMemcpyHostToDevice), "cudaMemcpy to device");
}

void copy_to_host(void* host_destination, const void* device_source, size_t bytes) {
  check(cudaMemcpy(host_destination, device_source, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy to host");
}

void copy_on_device(void* destination, const void* source, size_t bytes) {
  check(cudaMemcpy(destination, source, bytes, cudaMemcpyDeviceToDevice), "cudaMemcpy on device");
}

void synchronize() { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

bool set_memory_guard(bool) { return false; }

#elif !defined(TENON_CUDA_EMULATED)

namespace {
[[noreturn]] void no_device(const char* what) {
  fail("cuda ", what, ": this build of Tenon has CUDA=off; build with CUDA=emulated or CUDA=native");
}
}  // namespace

const char* build_mode() { return "off"; }
bool available() { return false; }
std::string why_unavailable() { return "it was left out when Tenon was built"; }
std::string device_name() { no_device("device_name"); }
size_t shared_memory_limit() { no_device("shared_memory_limit"); }
void* raw_allocate(size_t) { no_device("raw_allocate"); }
void raw_release(void*, size_t) noexcept {}
void copy_to_device(void*, const void*, size_t) { no_device("copy_to_device"); }
void copy_to_host(void*, const void*, size_t) { no_device("copy_to_host"); }
void copy_on_device(void*, const void*, size_t) { no_device("copy_on_device"); }
void synchronize() { no_device("synchronize"); }
bool set_memory_guard(bool) { return false; }

#endif

}  // namespace tenon::cuda
