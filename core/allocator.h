// The one caching allocator, over a small raw-memory interface that each device provides.
//
// Freed blocks are kept by size class and handed out again, so that the steady state of a training step asks
// the system for nothing. Every byte is counted; a limit turns exhaustion into a clear OutOfMemory and the
// process lives on. Under the address sanitizer nothing is cached, so that use after free and overruns are seen
// where they happen.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/device.h"

namespace tenon {

/// Bytes held by live tensors of one device. Sizes are those of the size classes, which is what memory really
/// costs.
struct MemoryStats {
  size_t current_bytes = 0;   ///< in live storages
  size_t peak_bytes = 0;      ///< largest `current_bytes` since the last reset_peak_memory
  size_t cached_bytes = 0;    ///< freed, kept for reuse
  uint64_t system_calls = 0;  ///< how often raw memory was asked for; constant in the steady state
};

/// 64-byte aligned memory of at least `bytes` (> 0). Throws OutOfMemory naming the device, the request and
/// the limit.
void* allocate(Device device, size_t bytes);
void deallocate(Device device, void* pointer, size_t bytes) noexcept;

MemoryStats memory_stats(Device device = Device::cpu());
void reset_peak_memory(Device device = Device::cpu());
/// Limit in bytes on live plus cached memory of a device; 0 means none. The CPU's initial limit is the
/// environment variable TENON_MEMORY_LIMIT ("800M", "2G", "1048576"); a malformed value is refused at the
/// first allocation.
void set_memory_limit(Device device, size_t bytes);
/// Gives cached blocks back to the system.
void release_cached_memory(Device device);

}  // namespace tenon
