// Asynchronous copies from global to shared memory, as the emulation plays them: see cuda/runtime/kernel.h for
// what a kernel may ask for.
//
// On a card such a copy may land at any time between its start and the wait for its group. Here it lands at
// the wait and not a moment sooner, and until then its target holds NaN bytes: a forgotten wait, or a buffer
// that is filled while another thread still reads it, shows in the result. A thread that returns with copies
// it never waited for is an error.
#pragma once

#include <cstddef>
#include <vector>

#include "cuda/emulation/execution.h"

namespace tenon::cuda {
namespace emulation {

/// The copies of a block's threads that have been started and not yet waited for. A group of a thread is what
/// it started between two commits.
class PendingCopies {
 public:
  /// Forgets everything, for a block of `threads` threads.
  void reset(int threads);
  /// `from` is null for zeros.
  void start(int thread, void* to, const void* from, size_t bytes);
  void commit(int thread);
  /// Carries out the copies of all groups of the thread but the last `groups`.
  void wait(int thread, int groups);
  bool any(int thread) const;

 private:
  struct Copy {
    void* to;
    const void* from;
    size_t bytes;
  };
  struct Queue {
    std::vector<Copy> copies;        // in the order of their start
    std::vector<size_t> group_ends;  // into `copies`
  };
  std::vector<Queue> queues_;  // one a thread; they keep their memory from block to block
};

// For the running thread of the running block.
void start_copy(void* to, const void* from, size_t bytes);
void commit_copies();
void wait_for_copies(int groups);

}  // namespace emulation

template <class T>
void copy_async(T* shared, const T* global, bool inside = true) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);
  emulation::start_copy(shared, inside ? global : nullptr, sizeof(T));
}
inline void commit_copies() { emulation::commit_copies(); }
template <int groups>
void wait_for_copies() {
  emulation::wait_for_copies(groups);
}

}  // namespace tenon::cuda
