// Host threads. Work is cut by its size alone, never by the number of threads, so that results are the same
// bits for any number of threads. Whether a thread is woken depends on the whole work, and changes no result.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tenon {

/// Number of OpenMP threads that parallel loops use. Initially the number of cores the process may use.
int num_threads();
void set_num_threads(int count);

/// How a loop is cut into chunks, and which loops are too short to wake a thread for. A number alone is a chunk's
/// items, and wakes threads as soon as there are two chunks.
struct Grain {
  int64_t items;      ///< of a chunk
  int64_t alone = 0;  ///< loops of up to so many items run on the calling thread
  constexpr Grain(int64_t chunk_items, int64_t items_alone = 0) : items(chunk_items), alone(items_alone) {}
};

/// Whether loops wake threads as soon as they have two chunks, however short they are. Off; tests that compare
/// threads turn it on, so as to need no long loops. Results do not depend on it.
void set_wakes_for_short_loops(bool on);

namespace detail {
using ChunkFunction = void (*)(void* context, int64_t begin, int64_t end);
/// Runs the chunks [k * grain.items, (k + 1) * grain.items) of [0, n). An exception of a chunk is rethrown to the
/// caller.
void run_chunks(int64_t n, Grain grain, ChunkFunction function, void* context);
}  // namespace detail

/// Calls `f(begin, end)` for consecutive chunks of at most `grain.items` items that cover [0, n), on several
/// threads when there is more than one chunk and n > grain.alone. Chunk borders depend on n and grain only. Nested
/// calls run on the calling thread.
template <class F>
void parallel_for(int64_t n, Grain grain, F&& f) {
  if (n <= 0) return;
  if (n <= grain.items) {
    f(int64_t{0}, n);
    return;
  }
  detail::run_chunks(
      n, grain,
      [](void* context, int64_t begin, int64_t end) {
        (*static_cast<std::remove_reference_t<F>*>(context))(begin, end);
      },
      &f);
}

/// A thread that sleeps takes 36 us to begin (measured on a virtual machine; 1.5 us while it still spins after the last
/// loop), so below some 70 us two threads are no faster than one, and they disturb what else the machine does. Work
/// of less than these 50 us stays with the caller.
constexpr int64_t kMicrosecondsAlone = 50;
/// What a core does at most: bytes of an addition of arrays in the second and third cache, and float32 multiply-adds of
/// a dense product. So no loop wakes a thread too early; one that runs at a quarter of this waits for 200 us.
constexpr int64_t kBytesPerMicrosecond = 90'000, kMultiplyAddsPerMicrosecond = 58'000;

/// The grain of loops over memory: `bytes_per_item` counts what is read and written.
constexpr Grain grain_for_bytes(int64_t bytes_per_item) {
  const int64_t bytes = std::max<int64_t>(1, bytes_per_item);
  return {std::max<int64_t>(1, (int64_t{1} << 18) / bytes),
          kMicrosecondsAlone * kBytesPerMicrosecond / bytes};
}
/// The grain of arithmetic: `flops_per_item` multiply-adds or the like.
constexpr Grain grain_for_flops(int64_t flops_per_item) {
  const int64_t flops = std::max<int64_t>(1, flops_per_item);
  return {std::max<int64_t>(1, (int64_t{1} << 20) / flops),
          kMicrosecondsAlone * kMultiplyAddsPerMicrosecond / flops};
}

}  // namespace tenon
