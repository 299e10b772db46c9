// Runs one block of an emulated grid at a time: a fiber per CUDA thread that has to wait, all on one host
// thread.
//
// A fiber is a stack that can be put aside. run() makes passes over the block's threads, in order or
// shuffled. In a pass each thread that can go on does so, until it finishes or waits at a rendezvous (a
// barrier, or a collective of its warp); the last one to arrive sets the others free for the next pass. A
// pass in which nobody could go on, with threads still waiting, is a deadlock and is reported. A thread that
// finishes without waiting leaves its fiber to the next fresh thread, so that a kernel without rendezvous
// runs as a plain loop on a single fiber.
//
// A switch costs some 30 ns (Boost.Context saves the registers that a call preserves, and no signal mask).
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulation/async_copy.h"
#include "cuda/emulation/counters.h"
#include "cuda/emulation/execution.h"
#include "cuda/emulation/fiber.h"
#include "cuda/emulation/race_order.h"
#include "cuda/emulation/site.h"

namespace tenon::cuda::emulation {

/// One per host thread; it keeps its fibers and their stacks from block to block.
class BlockRunner {
 public:
  BlockRunner() = default;
  ~BlockRunner();
  BlockRunner(const BlockRunner&) = delete;
  BlockRunner& operator=(const BlockRunner&) = delete;

  /// Runs `body(context)` for every thread of block number `block` of the grid, its passes shuffled by `seed`
  /// (0: in order). Throws what a thread threw, or an Error that reports a deadlock or a divergent
  /// rendezvous.
  void run(const Launch& launch, void (*body)(void*), void* context, Dim3 block, uint64_t seed);

  /// Order the host's work before a grid and after it with the blocks that run in between.
  void begin_grid() { order_release(blocks_.current()); }
  void end_grid() { order_acquire(blocks_.current()); }

  /// The runner of the block that runs on this host thread; throws Error outside a kernel.
  static BlockRunner& current(const char* what);
  /// The same, or nullptr outside a kernel.
  static BlockRunner* running();

  // What the running thread of the block may ask for; see execution.h.
  void* shared_array(const void* declaration, size_t bytes);
  void* dynamic_shared() const { return dynamic_shared_; }
  void block_barrier(const Site& site);
  uint64_t exchange(const char* what, unsigned mask, uint64_t value, int source_lane, const Site& site);
  unsigned ballot(const char* what, unsigned mask, bool predicate, const Site& site);
  void warp_barrier(unsigned mask, const Site& site);
  int lane() const { return running_ % warpSize; }
  /// Linear index of the running thread in its block.
  int thread() const { return running_; }
  PendingCopies& copies() { return copies_; }
  AccessLog& accesses() { return accesses_; }

 private:
  enum class Phase : unsigned char { fresh, ready, at_barrier, at_collective, finished };

  struct Thread {
    Phase phase = Phase::fresh;
    int worker = -1;        // index of the fiber it runs on
    Site site;              // where it waits
    const char* what = "";  // name of the rendezvous
    unsigned mask = 0;      // lanes of a collective
    uint64_t value = 0;     // what it brings to a collective
    int source_lane = 0;    // whose value it wants
    uint64_t result = 0;    // what it gets, or the ballot's bits
    Meeting warp_barrier;   // of the masks whose lowest lane this is
  };

  // A fiber that runs one CUDA thread after another.
  struct Worker {
    explicit Worker(BlockRunner& owner, int own_index);
    BlockRunner& runner;
    int index;
    Fiber fiber;
  };

  struct Abandoned {};  // thrown through threads that still wait when another has failed

  struct SharedArray {
    const void* declaration;
    size_t offset;
    size_t bytes;
  };

  void reset(const Launch& launch, Dim3 block);
  void shuffle_order(uint64_t& random);
  bool run_pass();
  int take_worker(int thread);
  void abandon_waiting();
  void work(Worker& worker);
  void run_thread();
  bool take_next_fresh();
  void wait(Phase phase, const char* what, const Site& site);
  void arrive_at_collective(const char* what, unsigned mask, const Site& site);
  void complete_collective(int first, unsigned mask);
  void enter(int thread);
  void* allocate_shared(const void* declaration, size_t bytes);
  void check_same_site(const Thread& other, int other_index, const char* what, const Site& site);
  [[noreturn]] void report_stuck();
  std::string thread_name(int thread) const;
  std::string where() const;

  const Launch* launch_ = nullptr;
  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
  Dim3 block_;
  int count_ = 0;          // threads of the block
  int finished_ = 0;       // of them, how many ran to their end
  int waiting_ = 0;        // how many wait at the block's barrier
  int running_ = 0;        // the thread that has control
  int position_ = 0;       // of the running thread in the pass
  bool resumed_ = false;   // whether this pass let anybody run
  bool stopping_ = false;  // the runner is being destroyed
  std::exception_ptr error_;
  Meeting block_barrier_;
  Meeting blocks_;  // where the end of a block meets the beginning of the next
  std::vector<Thread> threads_;
  std::vector<int> order_;  // the pass: order_[position] is a thread
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<int> idle_;  // workers without a thread
  PendingCopies copies_;
  AccessLog accesses_;  // in builds with counters

  std::vector<SharedArray> shared_arrays_;
  std::unique_ptr<std::byte[]> shared_memory_;
  size_t shared_used_ = 0;
  size_t shared_asked_ = 0,
         shared_static_ = 0;  // without alignment and red zones; static: in declared arrays
  void* dynamic_shared_ = nullptr;
};

}  // namespace tenon::cuda::emulation
