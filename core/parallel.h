// Host threads. Work is cut by its size alone, never by the number of threads, so that results are the same
// bits for any number of threads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tenon {

/// Number of OpenMP threads that parallel loops use. Initially the number of cores the process may use.
int num_threads();
void set_num_threads(int count);

namespace detail {
using ChunkFunction = void (*)(void* context, int64_t begin, int64_t end);
/// Runs the chunks [k * grain, (k + 1) * grain) of [0, n). An exception of a chunk is rethrown to the caller.
void run_chunks(int64_t n, int64_t grain, ChunkFunction function, void* context);
}  // namespace detail

/// Calls `f(begin, end)` for consecutive chunks of at most `grain` items that cover [0, n), on several
/// threads when there is more than one chunk. Chunk borders depend on n and grain only. Choose grain so that
/// a chunk is some 20 us of work at least: waking a thread costs a few. Nested calls run on the calling
/// thread.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (n <= grain) {
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

/// Items per chunk for loops over memory: `bytes_per_item` counts what is read and written.
constexpr int64_t grain_for_bytes(int64_t bytes_per_item) {
  return std::max<int64_t>(1, (int64_t{1} << 18) / std::max<int64_t>(1, bytes_per_item));
}
/// Items per chunk for arithmetic: `flops_per_item` multiply-adds or the like.
constexpr int64_t grain_for_flops(int64_t flops_per_item) {
  return std::max<int64_t>(1, (int64_t{1} << 20) / std::max<int64_t>(1, flops_per_item));
}

}  // namespace tenon
