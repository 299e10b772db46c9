#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/async_copy.h"

#include <algorithm>
#include <cstring>

#include "cuda/emulation/block_runner.h"

namespace tenon::cuda::emulation {

void PendingCopies::reset(int threads) {
  if (queues_.size() < static_cast<size_t>(threads)) queues_.resize(static_cast<size_t>(threads));
  for (Queue& queue : queues_) queue.copies.clear(), queue.group_ends.clear();
}

void PendingCopies::start(int thread, void* to, const void* from, size_t bytes) {
  TENON_CHECK(reinterpret_cast<uintptr_t>(to) % bytes == 0 && reinterpret_cast<uintptr_t>(from) % bytes == 0,
              "copy_async: both addresses expect to be aligned to the ", bytes, " bytes that are copied");
  std::memset(to, 0xff, bytes);
  queues_[static_cast<size_t>(thread)].copies.push_back({to, from, bytes});
}

void PendingCopies::commit(int thread) {
  Queue& queue = queues_[static_cast<size_t>(thread)];
  queue.group_ends.push_back(queue.copies.size());
}

void PendingCopies::wait(int thread, int groups) {
  auto& [copies, group_ends] = queues_[static_cast<size_t>(thread)];
  const size_t done = group_ends.size() - std::min(group_ends.size(), static_cast<size_t>(groups));
  if (done == 0) return;
  const size_t count = group_ends[done - 1];
  for (size_t i = 0; i < count; ++i) {
    if (copies[i].from != nullptr) {
      std::memcpy(copies[i].to, copies[i].from, copies[i].bytes);
    } else {
      std::memset(copies[i].to, 0, copies[i].bytes);
    }
  }
  copies.erase(copies.begin(), copies.begin() + static_cast<ptrdiff_t>(count));
  group_ends.erase(group_ends.begin(), group_ends.begin() + static_cast<ptrdiff_t>(done));
  for (size_t& end : group_ends) end -= count;
}

bool PendingCopies::any(int thread) const { return !queues_[static_cast<size_t>(thread)].copies.empty(); }

void start_copy(void* to, const void* from, size_t bytes) {
  BlockRunner& runner = BlockRunner::current("copy_async");
  if (kAccessesCounted) {  // the kernel's code itself touches neither side
    const void* const site = __builtin_return_address(0);
    if (from != nullptr) runner.accesses().note(runner.thread(), from, bytes, false, site);
    runner.accesses().note(runner.thread(), to, bytes, true, site);
  }
  runner.copies().start(runner.thread(), to, from, bytes);
}

void commit_copies() {
  BlockRunner& runner = BlockRunner::current("commit_copies");
  runner.copies().commit(runner.thread());
}

void wait_for_copies(int groups) {
  BlockRunner& runner = BlockRunner::current("wait_for_copies");
  runner.copies().wait(runner.thread(), groups);
}

}  // namespace tenon::cuda::emulation

#endif
