// How the lists of a sparse matrix are shared among threads.
#pragma once

#include <algorithm>

#include "core/cpu/sparse.h"
#include "core/parallel.h"

namespace tenon::cpu {

/// Cuts the lists into pieces of nearly equal work, an entry and a list counting alike.
class ListPieces {
 public:
  ListPieces(const SparseLists& w, int64_t flops_per_entry)
      : w_(w),
        work_(w.entries + w.lists),
        flops_(work_ * flops_per_entry),
        count_(std::max<int64_t>(1, std::min(flops_ >> 20, w.lists))) {}
  int64_t count() const { return count_; }
  /// A piece at a time.
  Grain grain() const { return {1, grain_for_flops(flops_ / count_).alone}; }
  /// First list of piece i.
  int64_t begin(int64_t i) const {
    const int64_t wanted = work_ / count_ * i + work_ % count_ * i / count_;
    int64_t low = 0, high = w_.lists;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (w_.offsets[middle] + middle < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

 private:
  const SparseLists& w_;
  int64_t work_, flops_, count_;
};

}  // namespace tenon::cpu
