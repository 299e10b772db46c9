// Who holds the memory: what the blocks of a device were made for, and which of them were live at the peak.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/device.h"

namespace tenon {

/// Within its scope, what this thread allocates is made for `text` (which outlives it): a module's name, an
/// op's. Scopes nest; their texts are joined by '/'.
class MemoryLabel {
 public:
  explicit MemoryLabel(const char* text);
  ~MemoryLabel();
  MemoryLabel(const MemoryLabel&) = delete;
  MemoryLabel& operator=(const MemoryLabel&) = delete;

 private:
  friend std::string memory_path();
  const char* text_;
  const MemoryLabel* outside_;
};

/// The texts of the labels of this thread, outermost first: "stage1/conv2"; "" without any.
std::string memory_path();

/// Puts this thread under `innermost`, a label of another thread or none, and returns what it was under: a worker allocates
/// for who called it.
const MemoryLabel* exchange_memory_label(const MemoryLabel* innermost);
/// The innermost label of this thread, or null.
const MemoryLabel* memory_label();

/// A block of memory: where, how large (its size class), what for.
struct LiveBlock {
  const void* at;
  size_t bytes;
  std::string made_for;
};

/// Watches the allocator from its construction to its end. One at a time, of one device; throws Error for a
/// second. Slow, for a step or two.
class MemoryTrace {
 public:
  explicit MemoryTrace(Device device = Device::cpu());
  ~MemoryTrace();
  MemoryTrace(const MemoryTrace&) = delete;
  MemoryTrace& operator=(const MemoryTrace&) = delete;

  struct Peak {
    size_t bytes = 0;               ///< the largest sum of live blocks
    size_t older_bytes = 0;         ///< of it, in blocks from before the trace
    std::vector<LiveBlock> blocks;  ///< the others, largest first
    /// Bytes of `blocks` by what they were made for, largest first.
    std::vector<std::pair<std::string, size_t>> by_maker() const;
  };
  Peak peak() const;
};

/// Adds the name of the op that made it to the block at this address, if a trace watches and the block has
/// none yet.
void name_memory(const void* at, const char* op);

namespace detail {
// The allocator tells of every block.
void trace_allocated(Device device, const void* at, size_t bytes);
void trace_returned(Device device, const void* at, size_t bytes);
}  // namespace detail

}  // namespace tenon
