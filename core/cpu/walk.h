// Walks a Loop on the host: cuts it by size into chunks, and each chunk into runs along the innermost axis.
#pragma once

#include <algorithm>

#include "core/loop.h"
#include "core/parallel.h"

namespace tenon::cpu {

/// Whether each operand stays, or goes to its neighbour. Otherwise an element costs a line of the cache, about eight
/// times as much.
template <int N>
bool steps_by_one(const Loop<N>& loop) {
  return loop.rank == 0 || std::all_of(loop.stride, loop.stride + N, [&](const auto& stride) {
           return stride[loop.rank - 1] == 0 || stride[loop.rank - 1] == 1;
         });
}

/// Calls `run(offset, n)` with the operands' offsets at the start of n items along the innermost axis, which
/// step by `loop.stride[k][loop.rank - 1]`. Chunks run in parallel; `grain` items a chunk.
template <int N, class Run>
void walk(const Loop<N>& loop, Grain grain, Run&& run) {
  if (loop.numel == 0) return;
  if (!steps_by_one(loop)) grain.alone /= 8;
  parallel_for(loop.numel, grain, [&](int64_t begin, int64_t end) {
    const int inner = loop.rank - 1;
    const int64_t extent = loop.extent[inner];
    while (begin < end) {
      int64_t offset[N];
      loop.offsets_of(begin, offset);
      int64_t n = std::min(end - begin, extent - begin % extent);
      run(offset, n);
      begin += n;
    }
  });
}

}  // namespace tenon::cpu
