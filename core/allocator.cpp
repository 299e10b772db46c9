#include "core/allocator.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/memory_trace.h"
#include "cuda/runtime/device_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#define TENON_CACHES_MEMORY false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TENON_CACHES_MEMORY false
#endif
#endif
#ifndef TENON_CACHES_MEMORY
#define TENON_CACHES_MEMORY true
#endif

namespace tenon {
namespace {

constexpr size_t kAlignment = 64;

bool caches_memory() {
  static const bool on = [] {
    const char* text = std::getenv("TENON_MEMORY_CACHE");
    return TENON_CACHES_MEMORY && (text == nullptr || std::strcmp(text, "off") != 0);
  }();
  return on;
}

// Size classes: multiples of 64 up to 1 KiB, then eight steps per power of two (at most 12.5 % lost).
// Without the cache it is the exact size, so that one byte too far is seen.
size_t size_class(size_t bytes) {
  if (!caches_memory()) return bytes;
  if (bytes <= 1024) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  size_t step = size_t{1} << (63 - __builtin_clzll(bytes - 1) - 3);
  return (bytes + step - 1) / step * step;
}

size_t parse_bytes(const char* text) {
  const char* end = text + std::strlen(text);
  size_t count = 0;
  auto [stop, error] = std::from_chars(text, end, count);
  int shift = 0;
  if (*stop == 'K' || *stop == 'k') shift = 10;
  if (*stop == 'M' || *stop == 'm') shift = 20;
  if (*stop == 'G' || *stop == 'g') shift = 30;
  if (shift > 0) ++stop;
  size_t bytes = 0;
  TENON_CHECK(
      error == std::errc() && stop == end && !__builtin_mul_overflow(count, size_t{1} << shift, &bytes),
      "TENON_MEMORY_LIMIT: expects a number of bytes such as 800M or 2G, got '", text, "'");
  return bytes;
}

// What one device keeps. Its pools and counters are guarded by one mutex; uncontended that costs some 20 ns.
class Cache {
 public:
  explicit Cache(Device device) : device_(device) {}

  void* allocate(size_t bytes) {
    std::lock_guard lock(mutex_);
    read_limit_once();
    size_t size = size_class(bytes);
    if (void* block = take_cached(size)) return block;
    if (limit_ != 0 && stats_.current_bytes + stats_.cached_bytes + size > limit_) {
      drop_cached();
      if (stats_.current_bytes + size > limit_) refuse(bytes, "the limit");
    }
    void* block = raw_allocate(size);
    if (block == nullptr) {
      drop_cached();
      block = raw_allocate(size);
    }
    if (block == nullptr) refuse(bytes, "the machine's memory");
    ++stats_.system_calls;
    count(size);
    return block;
  }

  void deallocate(void* block, size_t bytes) noexcept {
    std::lock_guard lock(mutex_);
    size_t size = size_class(bytes);
    stats_.current_bytes -= size;
    if (caches_memory()) {
      free_blocks_[size].push_back(block);
      stats_.cached_bytes += size;
    } else {
      raw_release(block, size);
    }
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
  }
  void set_limit(size_t bytes) {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
    limit_read_ = true;
  }
  void release_cached() {
    std::lock_guard lock(mutex_);
    drop_cached();
  }

 private:
  void* take_cached(size_t size) {
    auto found = free_blocks_.find(size);
    if (found == free_blocks_.end() || found->second.empty()) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    stats_.cached_bytes -= size;
    count(size);
    return block;
  }

  void count(size_t size) {
    stats_.current_bytes += size;
    if (stats_.current_bytes > stats_.peak_bytes) stats_.peak_bytes = stats_.current_bytes;
  }

  void drop_cached() {
    for (auto& [size, blocks] : free_blocks_)
      for (void* block : blocks) raw_release(block, size);
    free_blocks_.clear();
    stats_.cached_bytes = 0;
  }

  void* raw_allocate(size_t size) {
    if (device_.is_cuda()) return cuda::raw_allocate(size);
    // posix_memalign, unlike aligned_alloc, takes any size.
    void* block = nullptr;
    return posix_memalign(&block, kAlignment, size) == 0 ? block : nullptr;
  }
  void raw_release(void* block, size_t size) noexcept {
    if (device_.is_cuda()) {
      cuda::raw_release(block, size);
    } else {
      std::free(block);
    }
  }

  [[noreturn]] void refuse(size_t bytes, const char* by) {
    throw OutOfMemory(concat("allocate: ", bytes, " bytes on ", device_, " exceed ", by, " (",
                             stats_.current_bytes, " bytes in use, limit ",
                             limit_ ? std::to_string(limit_) : std::string("none"), ")"));
  }

  void read_limit_once() {
    if (limit_read_) return;
    const char* text = device_.is_cpu() ? std::getenv("TENON_MEMORY_LIMIT") : nullptr;
    if (text != nullptr) limit_ = parse_bytes(text);
    limit_read_ = true;
  }

  const Device device_;
  std::mutex mutex_;
  std::map<size_t, std::vector<void*>> free_blocks_;
  MemoryStats stats_;
  size_t limit_ = 0;
  bool limit_read_ = false;
};

Cache& cache_of(Device device) {
  // Never destroyed: tensors of static lifetime may be freed after any destructor here would have run.
  static Cache* cpu = new Cache(Device::cpu());
  if (device.is_cpu()) return *cpu;
  static Cache* cuda = new Cache(Device::cuda());
  return *cuda;
}

}  // namespace

void* allocate(Device device, size_t bytes) {
  void* block = cache_of(device).allocate(bytes);
  detail::trace_allocated(device, block, size_class(bytes));
  return block;
}
void deallocate(Device device, void* pointer, size_t bytes) noexcept {
  detail::trace_returned(device, pointer, size_class(bytes));
  cache_of(device).deallocate(pointer, bytes);
}
MemoryStats memory_stats(Device device) { return cache_of(device).stats(); }
void reset_peak_memory(Device device) { cache_of(device).reset_peak(); }
void set_memory_limit(Device device, size_t bytes) { cache_of(device).set_limit(bytes); }
void release_cached_memory(Device device) { cache_of(device).release_cached(); }

}  // namespace tenon
