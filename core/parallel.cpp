#include "core/parallel.h"

#include <omp.h>

#include <atomic>
#include <exception>

#include "core/denormals.h"
#include "core/error.h"
#include "core/memory_trace.h"

namespace tenon {
namespace {
int& thread_count() {
  static int count = omp_get_max_threads();
  return count;
}

std::atomic<bool> wakes_for_short_loops{false};
}  // namespace

int num_threads() { return thread_count(); }

void set_num_threads(int count) {
  TENON_CHECK(count >= 1 && count <= 1024, "set_num_threads: expects 1 to 1024, got ", count);
  thread_count() = count;
}

void set_wakes_for_short_loops(bool on) { wakes_for_short_loops = on; }

namespace detail {

void run_chunks(int64_t n, Grain grain, ChunkFunction function, void* context) {
  const int64_t items = grain.items, chunks = (n + items - 1) / items;
  const int threads = static_cast<int>(std::min<int64_t>(thread_count(), chunks));
  if (threads <= 1 || omp_in_parallel() || (n <= grain.alone && !wakes_for_short_loops)) {
    for (int64_t k = 0; k < chunks; ++k) function(context, k * items, std::min(n, (k + 1) * items));
    return;
  }
  std::exception_ptr error;
  const uint32_t mode = float_mode();
  const MemoryLabel* const label = memory_label();
#pragma omp parallel num_threads(threads)
  {
    set_float_mode(mode);  // every thread computes as the caller does,
    const MemoryLabel* const own_label = exchange_memory_label(label);  // and allocates for what it does
    // Which thread takes which chunk does not matter: each chunk writes its own part of the result.
#pragma omp for schedule(dynamic, 1)
    for (int64_t k = 0; k < chunks; ++k) {
      try {
        function(context, k * items, std::min(n, (k + 1) * items));
      } catch (...) {
#pragma omp critical(tenon_run_chunks_error)
        error = std::current_exception();
      }
    }
    exchange_memory_label(own_label);
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace tenon
