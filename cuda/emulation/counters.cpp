#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/counters.h"

#include <algorithm>
#include <mutex>
#include <tuple>
#include <unordered_map>

#include "cuda/emulation/device_memory.h"

namespace tenon::cuda::emulation {
namespace {

constexpr int kLanes = 32;
constexpr size_t kLineBytes = 128;
constexpr size_t kBanks = 32, kBankBytes = 4;
constexpr size_t kWidest = 16;  // bytes of one lane's access; larger ones are several

struct Table {
  std::mutex mutex;
  std::map<std::string, KernelCounts> kernels;
};

Table& table() {
  static Table* instance = new Table;
  return *instance;
}

template <class T>
void keep_distinct(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

size_t divided_up(size_t n, size_t by) { return (n + by - 1) / by; }

}  // namespace

Accesses& Accesses::operator+=(const Accesses& other) {
  requests += other.requests;
  taken += other.taken;
  least += other.least;
  return *this;
}

KernelCounts& KernelCounts::operator+=(const KernelCounts& other) {
  launches += other.launches;
  blocks += other.blocks;
  barriers += other.barriers;
  collectives += other.collectives;
  global_loads += other.global_loads;
  global_stores += other.global_stores;
  shared_loads += other.shared_loads;
  shared_stores += other.shared_stores;
  return *this;
}

std::map<std::string, KernelCounts> kernel_counts() {
  const std::lock_guard lock(table().mutex);
  return table().kernels;
}

void reset_kernel_counts() {
  const std::lock_guard lock(table().mutex);
  table().kernels.clear();
}

void add_to_kernel_counts(const std::string& kernel, const KernelCounts& counts) {
  const std::lock_guard lock(table().mutex);
  table().kernels[kernel] += counts;
}

void AccessLog::begin_block(int threads, const void* shared, size_t shared_bytes) {
  counts = {};
  noted_.resize(static_cast<size_t>(threads));
  for (auto& accesses : noted_) accesses.clear();
  shared_begin_ = reinterpret_cast<uintptr_t>(shared);
  shared_bytes_ = shared_bytes;
}

void AccessLog::note(int thread, const void* address, size_t bytes, bool store, const void* site) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(address);
  const bool shared = at - shared_begin_ < shared_bytes_;
  if (!shared && !is_device_memory(address)) return;
  for (size_t done = 0; done < bytes; done += kWidest)
    noted_[static_cast<size_t>(thread)].push_back(
        {site, 0, thread % kLanes, at + done, std::min(kWidest, bytes - done), store, shared});
}

void AccessLog::settle() {
  const auto instruction = [](const Access& a) { return std::tuple(a.site, a.ordinal, a.store, a.shared); };
  std::vector<Access> warp;
  std::unordered_map<const void*, uint32_t> ordinals;
  for (size_t first = 0; first < noted_.size(); first += kLanes) {
    warp.clear();
    for (size_t thread = first; thread < std::min(first + kLanes, noted_.size()); ++thread) {
      ordinals.clear();
      for (Access& access : noted_[thread]) {
        access.ordinal = ordinals[access.site]++;
        warp.push_back(access);
      }
      noted_[thread].clear();
    }
    std::stable_sort(warp.begin(), warp.end(),
                     [&](const Access& a, const Access& b) { return instruction(a) < instruction(b); });
    for (auto begin = warp.begin(); begin != warp.end();) {
      const auto end = std::find_if(begin, warp.end(),
                                    [&](const Access& a) { return instruction(a) != instruction(*begin); });
      const Lanes lanes(begin, end);
      if (begin->shared) {
        add_shared(lanes, begin->store ? counts.shared_stores : counts.shared_loads);
      } else {
        add_global(lanes, begin->store ? counts.global_stores : counts.global_loads);
      }
      begin = end;
    }
  }
}

// [lines]
void AccessLog::add_global(const Lanes& lanes, Accesses& to) {
  std::vector<uintptr_t> lines;
  std::vector<std::pair<uintptr_t, size_t>> pieces;
  for (const Access& access : lanes) {
    for (uintptr_t line = access.address / kLineBytes;
         line <= (access.address + access.bytes - 1) / kLineBytes; ++line)
      lines.push_back(line);
    pieces.emplace_back(access.address, access.bytes);
  }
  keep_distinct(lines);
  keep_distinct(pieces);
  size_t bytes = 0;
  for (const auto& piece : pieces) bytes += piece.second;
  to += {1, lines.size(), divided_up(bytes, kLineBytes)};
}
// [/lines]

// A warp's access of 8 bytes a lane is served by halves of the warp, of 16 bytes by quarters: as many lanes at a
// time as can have 128 bytes.
void AccessLog::add_shared(const Lanes& lanes, Accesses& to) const {
  const size_t bytes = std::max(kBankBytes, lanes.front().bytes);
  const int together = static_cast<int>(kBanks * kBankBytes / bytes);
  to.requests += 1;
  for (int first = 0; first < kLanes; first += together) {
    std::vector<uintptr_t> words;
    for (const Access& access : lanes)
      if (access.lane >= first && access.lane < first + together)
        for (size_t at = 0; at < access.bytes; at += kBankBytes)
          words.push_back((access.address - shared_begin_ + at) / kBankBytes);
    if (words.empty()) continue;
    keep_distinct(words);
    std::vector<size_t> of_bank(kBanks, 0);
    for (uintptr_t word : words) ++of_bank[word % kBanks];
    to.taken += *std::max_element(of_bank.begin(), of_bank.end());
    to.least += divided_up(words.size(), kBanks);
  }
}

}  // namespace tenon::cuda::emulation

#endif
