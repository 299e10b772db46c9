// core/parallel.h on one thread, for the fuzz targets: clang without its own OpenMP library cannot build
// core/parallel.cpp, and the readers gain nothing from threads.
#include "core/parallel.h"

namespace tenon {

int num_threads() { return 1; }

void detail::run_chunks(int64_t n, Grain grain, ChunkFunction function, void* context) {
  for (int64_t begin = 0; begin < n; begin += grain.items)
    function(context, begin, std::min(n, begin + grain.items));
}

}  // namespace tenon
