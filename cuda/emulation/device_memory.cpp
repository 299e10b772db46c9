// Device runtime of emulated builds: memory, guard and copies. Every raw allocation is a mapping of its own;
// the caching allocator above makes them rare. With the guard on, all of them are mapped without access
// except within a DeviceAccess; neighbouring mappings are opened and closed in one system call.
#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "core/error.h"
#include "cuda/emulation/stream_work.h"
#include "cuda/runtime/device_runtime.h"
#include "cuda/runtime/stream.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace tenon::cuda {
namespace {

struct Arena {
  std::mutex mutex;
  std::map<char*, size_t> mappings;  // start -> mapped bytes
  bool guarded = false;
  int open = 0;  // DeviceAccess objects alive
};

Arena& arena() {
  static Arena* instance = new Arena;  // outlives every static tensor
  return *instance;
}

size_t mapped_bytes(size_t bytes) {
  static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
#if defined(__SANITIZE_ADDRESS__)
  bytes += 64;  // room for a red zone behind the last byte even if it ends a page
#endif
  return (bytes + page - 1) / page * page;
}

// With the mutex held.
void protect_all(Arena& a, int protection) {
  for (auto it = a.mappings.begin(); it != a.mappings.end();) {
    char* const start = it->first;
    char* end = start;
    for (; it != a.mappings.end() && it->first == end; ++it) end += it->second;
    TENON_CHECK(mprotect(start, static_cast<size_t>(end - start), protection) == 0,
                "mprotect of emulated device memory: ", std::strerror(errno));
  }
}

bool inside_a_mapping(const void* pointer, size_t bytes) {
  Arena& a = arena();
  const std::lock_guard lock(a.mutex);
  char* const begin = const_cast<char*>(static_cast<const char*>(pointer));
  auto it = a.mappings.upper_bound(begin);
  return it != a.mappings.begin() && (--it, begin + bytes <= it->first + it->second);
}

void require_device_memory(const char* what, const void* pointer, size_t bytes) {
  TENON_CHECK(inside_a_mapping(pointer, bytes), what, " is not device memory (", bytes, " bytes)");
}

void copy(void* destination, const void* source, size_t bytes) {
  const emulation::DeviceAccess access;
  std::memcpy(destination, source, bytes);
}

}  // namespace

bool emulation::is_device_memory(const void* address) { return inside_a_mapping(address, 1); }

emulation::DeviceAccess::DeviceAccess() {
  Arena& a = arena();
  const std::lock_guard lock(a.mutex);
  if (a.open++ == 0 && a.guarded) protect_all(a, PROT_READ | PROT_WRITE);
}

emulation::DeviceAccess::~DeviceAccess() {
  Arena& a = arena();
  const std::lock_guard lock(a.mutex);
  if (--a.open == 0 && a.guarded) protect_all(a, PROT_NONE);
}

bool set_memory_guard(bool on) {
  Arena& a = arena();
  const std::lock_guard lock(a.mutex);
  const bool before = std::exchange(a.guarded, on);
  if (a.open == 0) protect_all(a, on ? PROT_NONE : PROT_READ | PROT_WRITE);
  return before;
}

const char* build_mode() { return "emulated"; }
bool available() { return true; }
std::string why_unavailable() { return ""; }
std::string device_name() { return "emulated CUDA device (CPU)"; }
size_t shared_memory_limit() { return 227 * 1024; }  // as Hopper has it

void* raw_allocate(size_t bytes) {
  TENON_CHECK(bytes > 0, "raw_allocate: expects at least one byte");
  const size_t mapped = mapped_bytes(bytes);
  if (mapped < bytes) return nullptr;
  void* const memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(memory, mapped);  // a stack that lay here before may have left its marks
#endif
  Arena& a = arena();
  const std::lock_guard lock(a.mutex);
  a.mappings.emplace(static_cast<char*>(memory), mapped);
  if (a.guarded) {
    std::memset(memory, 0xff, mapped);  // NaN bytes: a fresh page of zeros would hide a read before a write
    if (a.open == 0) mprotect(memory, mapped, PROT_NONE);
  }
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(memory) + bytes, mapped - bytes);
#endif
  return memory;
}

void raw_release(void* pointer, size_t bytes) noexcept {
  const size_t mapped = mapped_bytes(bytes);
  Arena& a = arena();
  const std::lock_guard lock(a.mutex);
  a.mappings.erase(static_cast<char*>(pointer));
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(pointer, mapped);
#endif
  munmap(pointer, mapped);
}

void copy_to_device(void* device_destination, const void* host_source, size_t bytes) {
  if (bytes == 0) return;
  require_device_memory("copy_to_device: the destination", device_destination, bytes);
  emulation::finish_streams();
  copy(device_destination, host_source, bytes);
}

void copy_to_host(void* host_destination, const void* device_source, size_t bytes) {
  if (bytes == 0) return;
  require_device_memory("copy_to_host: the source", device_source, bytes);
  emulation::finish_streams();
  copy(host_destination, device_source, bytes);
}

void copy_to_device_async(void* device_destination, const void* host_source, size_t bytes) {
  if (bytes == 0) return;
  require_device_memory("copy_to_device_async: the destination", device_destination, bytes);
  emulation::submit([=] { copy(device_destination, host_source, bytes); });
}

void copy_to_host_async(void* host_destination, const void* device_source, size_t bytes) {
  if (bytes == 0) return;
  require_device_memory("copy_to_host_async: the source", device_source, bytes);
  emulation::submit([=] { copy(host_destination, device_source, bytes); });
}

void clear_async(void* device_destination, size_t bytes) {
  if (bytes == 0) return;
  require_device_memory("clear_async: the destination", device_destination, bytes);
  emulation::submit([=] {
    const emulation::DeviceAccess access;
    std::memset(device_destination, 0, bytes);
  });
}

void copy_on_device(void* destination, const void* source, size_t bytes) {
  if (bytes == 0) return;
  require_device_memory("copy_on_device: the destination", destination, bytes);
  require_device_memory("copy_on_device: the source", source, bytes);
  emulation::finish_streams();
  copy(destination, source, bytes);
}

void synchronize() { emulation::finish_streams(); }  // what has no stream is done when asked for

}  // namespace tenon::cuda

#endif
