// The scheduler of a block's fibers, its rendezvous and its shared memory. See block_runner.h.
#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/block_runner.h"

#include <bit>
#include <cstring>
#include <numeric>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace tenon::cuda::emulation {
namespace {

constexpr size_t kSharedAlignment = 64;
// What a launch may ask for, with gaps between the arrays.
size_t shared_capacity() { return shared_memory_limit() + 64 * 2 * kSharedAlignment; }

thread_local BlockRunner* current_runner = nullptr;

uint64_t next_random(uint64_t& state) {  // splitmix64 (Steele, Lea, Flood 2014)
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

bool same_site(const Site& a, const Site& b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

std::string site_name(const char* what, const Site& site) {
  return concat(what, " (", site.file, ":", site.line, ")");
}

std::string index_name(Dim3 i) { return concat("(", i.x, ", ", i.y, ", ", i.z, ")"); }

Dim3 index_of(int thread, Dim3 extent) {
  const unsigned t = static_cast<unsigned>(thread);
  return {t % extent.x, t / extent.x % extent.y, t / extent.x / extent.y};
}

}  // namespace

BlockRunner* BlockRunner::running() { return current_runner; }

BlockRunner& BlockRunner::current(const char* what) {
  TENON_CHECK(current_runner != nullptr, what, ": called outside a kernel");
  return *current_runner;
}

// ---- passes over the threads ------------------------------------------------------------------------

void BlockRunner::run(const Launch& launch, void (*body)(void*), void* context, Dim3 block, uint64_t seed) {
  body_ = body;
  context_ = context;
  reset(launch, block);
  BlockRunner* const outer = std::exchange(current_runner, this);
  uint64_t random = seed;
  while (finished_ < count_ && !error_) {
    if (seed != 0) shuffle_order(random);
    if (run_pass()) continue;
    try {
      report_stuck();
    } catch (const Error&) {
      error_ = std::current_exception();
    }
  }
  if (error_) abandon_waiting();
  if (kAccessesCounted) {
    accesses_.settle();
    accesses_.counts.blocks = 1;
    add_to_kernel_counts(launch.name, accesses_.counts);
  }
  blocks_.advance();
  current_runner = outer;
  if (!error_) return;
  end_grid();  // the error was made by a thread of the block, and is the host's from here
  std::rethrow_exception(std::exchange(error_, nullptr));
}

void BlockRunner::reset(const Launch& launch, Dim3 block) {
  launch_ = &launch;
  block_ = block;
  count_ = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  finished_ = waiting_ = 0;
  threads_.assign(static_cast<size_t>(count_), Thread{});
  copies_.reset(count_);
  order_.resize(static_cast<size_t>(count_));
  std::iota(order_.begin(), order_.end(), 0);
  blockIdx = block;
  blockDim = launch.block;
  gridDim = launch.grid;

  if (!shared_memory_) shared_memory_ = std::make_unique<std::byte[]>(shared_capacity() + kSharedAlignment);
  shared_arrays_.clear();
  shared_used_ = shared_asked_ = shared_static_ = 0;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(shared_memory_.get(), shared_capacity() + kSharedAlignment);
#endif
  if (kAccessesCounted)
    accesses_.begin_block(count_, shared_memory_.get(), shared_capacity() + kSharedAlignment);
  dynamic_shared_ = launch.shared_bytes == 0 ? nullptr : allocate_shared(nullptr, launch.shared_bytes);
}

void BlockRunner::shuffle_order(uint64_t& random) {
  for (size_t i = order_.size() - 1; i > 0; --i) std::swap(order_[i], order_[next_random(random) % (i + 1)]);
}

// [pass]
// False if no thread could go on.
bool BlockRunner::run_pass() {
  resumed_ = false;
  for (position_ = 0; position_ < count_ && !error_; ++position_) {
    const int index = order_[static_cast<size_t>(position_)];
    Thread& thread = threads_[static_cast<size_t>(index)];
    if (thread.phase != Phase::fresh && thread.phase != Phase::ready) continue;
    if (thread.phase == Phase::fresh) thread.worker = take_worker(index);
    enter(index);
    resumed_ = true;
    workers_[static_cast<size_t>(thread.worker)]->fiber.resume();
  }
  return resumed_;
}
// [/pass]

// An idle fiber. If races are looked for, always the same one for a thread: what ran on a stack before is then
// ordered before what runs there next.
int BlockRunner::take_worker(int thread) {
  const auto add = [this] {
    const int index = static_cast<int>(workers_.size());
    workers_.push_back(std::make_unique<Worker>(*this, index));
    idle_.push_back(index);
  };
  if (kRacesChecked) {
    while (static_cast<int>(workers_.size()) <= thread) add();
    return thread;
  }
  if (idle_.empty()) add();
  const int index = idle_.back();
  idle_.pop_back();
  return index;
}

// After an error: lets every waiting thread leave its kernel, so that all fibers are idle again.
void BlockRunner::abandon_waiting() {
  for (int index = 0; index < count_; ++index) {
    const Thread& thread = threads_[static_cast<size_t>(index)];
    if (thread.phase == Phase::fresh || thread.phase == Phase::finished) continue;
    enter(index);
    workers_[static_cast<size_t>(thread.worker)]->fiber.resume();
  }
}

void BlockRunner::enter(int thread) {
  running_ = thread;
  threadIdx = index_of(thread, launch_->block);
}

BlockRunner::Worker::Worker(BlockRunner& owner, int own_index)
    : runner(owner),
      index(own_index),
      fiber(
          [](void* self) {
            Worker& worker = *static_cast<Worker*>(self);
            worker.runner.work(worker);
          },
          this) {}

BlockRunner::~BlockRunner() {
  stopping_ = true;
  for (const auto& worker : workers_) worker->fiber.resume();  // lets its loop end
}

// ---- within a fiber ---------------------------------------------------------------------------------

void BlockRunner::work(Worker& worker) {
  while (!stopping_) {
    do {
      run_thread();
    } while (take_next_fresh());
    if (!kRacesChecked) idle_.push_back(worker.index);
    worker.fiber.suspend();
  }
}

void BlockRunner::run_thread() {
  order_acquire(blocks_.current());
  try {
    body_(context_);
    TENON_CHECK(!copies_.any(running_), where(), ": thread ", thread_name(running_),
                " returned with asynchronous copies that it never waited for");
  } catch (const Abandoned&) {
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
  order_release(blocks_.next());
  threads_[static_cast<size_t>(running_)].phase = Phase::finished;
  ++finished_;
}

// Goes on with the pass on this fiber, for as long as the next thread has no fiber yet.
bool BlockRunner::take_next_fresh() {
  if (kRacesChecked || error_ || position_ + 1 >= count_) return false;
  const int next = order_[static_cast<size_t>(position_ + 1)];
  Thread& thread = threads_[static_cast<size_t>(next)];
  if (thread.phase != Phase::fresh) return false;
  thread.worker = threads_[static_cast<size_t>(running_)].worker;
  ++position_;
  enter(next);
  return true;
}

void BlockRunner::wait(Phase phase, const char* what, const Site& site) {
  Thread& thread = threads_[static_cast<size_t>(running_)];
  thread.phase = phase;
  thread.what = what;
  thread.site = site;
  workers_[static_cast<size_t>(thread.worker)]->fiber.suspend();
  if (error_) throw Abandoned{};
}

// ---- rendezvous -------------------------------------------------------------------------------------

void BlockRunner::check_same_site(const Thread& other, int other_index, const char* what, const Site& site) {
  TENON_CHECK(same_site(other.site, site), where(), ": divergent ", what, ": thread ",
              thread_name(other_index), " waits at ", site_name(other.what, other.site), ", thread ",
              thread_name(running_), " came to ", site_name(what, site));
}

// [barrier]
void BlockRunner::block_barrier(const Site& site) {
  if (waiting_ > 0) {
    int other = 0;
    while (threads_[static_cast<size_t>(other)].phase != Phase::at_barrier) ++other;
    check_same_site(threads_[static_cast<size_t>(other)], other, "__syncthreads", site);
  }
  void* const meeting = block_barrier_.current();
  order_release(meeting);
  if (++waiting_ < count_) {
    wait(Phase::at_barrier, "__syncthreads", site);
    order_acquire(meeting);
    return;
  }
  order_acquire(meeting);
  block_barrier_.advance();
  if (kAccessesCounted) {
    accesses_.settle();
    ++accesses_.counts.barriers;
  }
  waiting_ = 0;  // the last one: it goes on, the others in the next pass
  for (Thread& thread : threads_)
    if (thread.phase == Phase::at_barrier) thread.phase = Phase::ready;
}
// [/barrier]

uint64_t BlockRunner::exchange(const char* what, unsigned mask, uint64_t value, int source_lane,
                               const Site& site) {
  TENON_CHECK(source_lane >= 0 && source_lane < warpSize && (mask >> source_lane & 1u), where(), ": ",
              site_name(what, site), ": thread ", thread_name(running_), " reads lane ", source_lane,
              ", which is not in its mask ", mask);
  Thread& thread = threads_[static_cast<size_t>(running_)];
  thread.value = value;
  thread.source_lane = source_lane;
  arrive_at_collective(what, mask, site);
  return thread.result;
}

unsigned BlockRunner::ballot(const char* what, unsigned mask, bool predicate, const Site& site) {
  Thread& thread = threads_[static_cast<size_t>(running_)];
  thread.value = predicate;
  thread.source_lane = -1;
  arrive_at_collective(what, mask, site);
  return static_cast<unsigned>(thread.result);
}

// The one collective that orders memory: a card's shuffles and votes do not.
void BlockRunner::warp_barrier(unsigned mask, const Site& site) {
  const int lowest = running_ / warpSize * warpSize + std::countr_zero(mask);
  Meeting& meeting = threads_[static_cast<size_t>(std::min(lowest, count_ - 1))].warp_barrier;
  void* const object = meeting.current();
  order_release(object);
  ballot("__syncwarp", mask, false, site);
  order_acquire(object);
}

void BlockRunner::arrive_at_collective(const char* what, unsigned mask, const Site& site) {
  const int first = running_ / warpSize * warpSize;  // lane 0 of this warp
  const int lanes = std::min(count_ - first, int{warpSize});
  TENON_CHECK(mask >> lane() & 1u, where(), ": ", site_name(what, site), ": thread ", thread_name(running_),
              " is not in its own mask ", mask);
  bool complete = true;
  for (int i = 0; i < warpSize; ++i) {
    if (!(mask >> i & 1u) || i == lane()) continue;
    TENON_CHECK(i < lanes, where(), ": ", site_name(what, site), ": lane ", i,
                " is in the mask, but the warp of thread ", thread_name(running_), " has only ", lanes,
                " threads");
    const Thread& other = threads_[static_cast<size_t>(first + i)];
    if (other.phase != Phase::at_collective) {
      complete = false;
      continue;
    }
    if (!(other.mask >> lane() & 1u)) {  // it waits for other lanes; we may meet later
      complete = false;
      continue;
    }
    check_same_site(other, first + i, what, site);
    TENON_CHECK(other.mask == mask, where(), ": ", site_name(what, site), ": threads ", thread_name(running_),
                " and ", thread_name(first + i), " name different masks, ", mask, " and ", other.mask);
  }
  threads_[static_cast<size_t>(running_)].mask = mask;
  if (complete) {
    complete_collective(first, mask);
  } else {
    wait(Phase::at_collective, what, site);
  }
}

// All lanes of the mask have brought their values: hands out the results at once, so that a lane which runs
// ahead to the next collective overwrites nothing that another still has to read.
void BlockRunner::complete_collective(int first, unsigned mask) {
  uint64_t bits = 0;
  ++accesses_.counts.collectives;
  threads_[static_cast<size_t>(first + std::countr_zero(mask))].warp_barrier.advance();
  for (int i = 0; i < warpSize; ++i)
    if (mask >> i & 1u) bits |= (threads_[static_cast<size_t>(first + i)].value & 1u) << i;
  for (int i = 0; i < warpSize; ++i) {
    if (!(mask >> i & 1u)) continue;
    Thread& thread = threads_[static_cast<size_t>(first + i)];
    thread.result =
        thread.source_lane < 0 ? bits : threads_[static_cast<size_t>(first + thread.source_lane)].value;
    if (thread.phase == Phase::at_collective) thread.phase = Phase::ready;
  }
}

// ---- reports ----------------------------------------------------------------------------------------

std::string BlockRunner::thread_name(int thread) const {
  return index_name(index_of(thread, launch_->block));
}

std::string BlockRunner::where() const {
  return concat("kernel '", launch_->name, "', block ", index_name(block_));
}

// Nobody can go on: names one waiting thread and one that it waits for.
void BlockRunner::report_stuck() {
  int waiting = 0;
  while (threads_[static_cast<size_t>(waiting)].phase == Phase::finished) ++waiting;
  const Thread& thread = threads_[static_cast<size_t>(waiting)];
  const int first = thread.phase == Phase::at_barrier ? 0 : waiting / warpSize * warpSize;
  int missing = first;
  const auto is_missing = [&](int index) {
    const Thread& other = threads_[static_cast<size_t>(index)];
    if (thread.phase == Phase::at_barrier) return other.phase != Phase::at_barrier;
    const bool met = other.phase == Phase::at_collective && other.mask == thread.mask &&
                     same_site(other.site, thread.site);
    return (thread.mask >> (index - first) & 1u) && !met;
  };
  while (!is_missing(missing)) ++missing;
  const Thread& other = threads_[static_cast<size_t>(missing)];
  fail(where(), ": deadlock: thread ", thread_name(waiting), " waits at ",
       site_name(thread.what, thread.site), " for thread ", thread_name(missing), ", which ",
       other.phase == Phase::finished ? std::string("has returned")
                                      : concat("waits at ", site_name(other.what, other.site)));
}

// ---- shared memory ----------------------------------------------------------------------------------

void* BlockRunner::shared_array(const void* declaration, size_t bytes) {
  for (const SharedArray& array : shared_arrays_)
    if (array.declaration == declaration) return shared_memory_.get() + array.offset;
  return allocate_shared(declaration, bytes);
}

void* BlockRunner::allocate_shared(const void* declaration, size_t bytes) {
  const UnseenWrites poisoning;
  shared_asked_ += bytes;
  if (declaration != nullptr) shared_static_ += bytes;
  // A launch that asks for no more than is given anyway has not asked.
  const size_t limit = launch_->shared_bytes > kSharedUnasked ? shared_memory_limit() : kSharedUnasked;
  TENON_CHECK(shared_asked_ <= limit, where(), ": ", shared_asked_,
              " bytes of shared memory, of which a block has ", limit);
  TENON_CHECK(shared_static_ <= kSharedUnasked, where(), ": ", shared_static_,
              " bytes of static shared memory, of which a block has ", kSharedUnasked);
  const auto base = reinterpret_cast<uintptr_t>(shared_memory_.get());
  const size_t offset =
      (base + shared_used_ + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment - base;
  shared_used_ = offset + bytes + kSharedAlignment;  // the gap is address sanitizer's red zone
  TENON_CHECK(shared_used_ <= shared_capacity(), where(), ": too many shared arrays");
  shared_arrays_.push_back({declaration, offset, bytes});
  std::byte* const memory = shared_memory_.get() + offset;
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
  std::memset(memory, 0xff, bytes);  // NaN in both float types: a read before a write shows in the result
  return memory;
}

}  // namespace tenon::cuda::emulation

#endif
