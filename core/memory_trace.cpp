#include "core/memory_trace.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/allocator.h"
#include "core/error.h"

namespace tenon {
namespace {

thread_local const MemoryLabel* innermost = nullptr;

constexpr uint64_t kStillLive = std::numeric_limits<uint64_t>::max();

// The blocks that a trace saw, with the times, counted in allocations, between which they were live.
struct Watch {
  struct Seen {
    LiveBlock block;
    uint64_t made, returned = kStillLive;
    bool named = false;
  };
  Device device;
  std::vector<Seen> seen;
  std::unordered_map<const void*, size_t> live;  // -> index in `seen`
  uint64_t now = 0, peak_at = 0;
  size_t bytes = 0, older_bytes = 0, peak_bytes = 0, older_bytes_at_peak = 0;
};

std::mutex mutex;
std::unique_ptr<Watch> watch;        // guarded by the mutex
std::atomic<bool> watching = false;  // spares the mutex when there is none

}  // namespace

MemoryLabel::MemoryLabel(const char* text) : text_(text), outside_(innermost) { innermost = this; }
MemoryLabel::~MemoryLabel() { innermost = outside_; }

std::string memory_path() {
  std::string path;
  for (const MemoryLabel* label = innermost; label != nullptr; label = label->outside_)
    path = path.empty() ? label->text_ : concat(label->text_, '/', path);
  return path;
}

const MemoryLabel* exchange_memory_label(const MemoryLabel* label) { return std::exchange(innermost, label); }
const MemoryLabel* memory_label() { return innermost; }

std::vector<std::pair<std::string, size_t>> MemoryTrace::Peak::by_maker() const {
  std::map<std::string, size_t> bytes_of;
  for (const LiveBlock& block : blocks) bytes_of[block.made_for] += block.bytes;
  std::vector<std::pair<std::string, size_t>> out(bytes_of.begin(), bytes_of.end());
  std::ranges::stable_sort(out, std::ranges::greater(), &std::pair<std::string, size_t>::second);
  return out;
}

MemoryTrace::MemoryTrace(Device device) {
  const size_t bytes = memory_stats(device).current_bytes;
  const std::lock_guard lock(mutex);
  TENON_CHECK(watch == nullptr, "MemoryTrace: there is one already");
  watch = std::make_unique<Watch>();
  watch->device = device;
  watch->bytes = watch->older_bytes = watch->peak_bytes = watch->older_bytes_at_peak = bytes;
  watching = true;
}

MemoryTrace::~MemoryTrace() {
  const std::lock_guard lock(mutex);
  watching = false;
  watch = nullptr;
}

MemoryTrace::Peak MemoryTrace::peak() const {
  const std::lock_guard lock(mutex);
  Peak peak{watch->peak_bytes, watch->older_bytes_at_peak, {}};
  for (const Watch::Seen& s : watch->seen)
    if (s.made <= watch->peak_at && watch->peak_at < s.returned) peak.blocks.push_back(s.block);
  std::stable_sort(peak.blocks.begin(), peak.blocks.end(),
                   [](const LiveBlock& a, const LiveBlock& b) { return a.bytes > b.bytes; });
  return peak;
}

void name_memory(const void* at, const char* op) {
  if (!watching) return;
  const std::lock_guard lock(mutex);
  if (watch == nullptr) return;
  const auto found = watch->live.find(at);
  if (found == watch->live.end() || watch->seen[found->second].named) return;
  Watch::Seen& s = watch->seen[found->second];
  s.block.made_for += concat(s.block.made_for.empty() ? "" : "/", op);
  s.named = true;
}

namespace detail {

void trace_allocated(Device device, const void* at, size_t bytes) {
  if (!watching) return;
  const std::lock_guard lock(mutex);
  if (watch == nullptr || watch->device != device) return;
  ++watch->now;
  watch->live[at] = watch->seen.size();
  watch->seen.push_back({{at, bytes, memory_path()}, watch->now});
  watch->bytes += bytes;
  if (watch->bytes <= watch->peak_bytes) return;
  watch->peak_bytes = watch->bytes, watch->peak_at = watch->now;
  watch->older_bytes_at_peak = watch->older_bytes;
}

void trace_returned(Device device, const void* at, size_t bytes) {
  if (!watching) return;
  const std::lock_guard lock(mutex);
  if (watch == nullptr || watch->device != device) return;
  watch->bytes -= bytes;
  const auto found = watch->live.find(at);
  if (found == watch->live.end()) {
    watch->older_bytes -= bytes;
    return;
  }
  watch->seen[found->second].returned = ++watch->now;
  watch->live.erase(found);
}

}  // namespace detail
}  // namespace tenon
