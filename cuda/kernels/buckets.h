// What is meant for a place, found by sorting: how kernels add to places that indices name without atomics. The indices
// of a line are sorted (index_order.cu, stable), so that those of a place stand together and keep their order, and a
// search finds where each place begins.
#pragma once

#include "cuda/kernels/index.h"
#include "cuda/kernels/loop_kernel.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {

/// starts[line, r] = how many indices of the line are less than r.
struct BucketStartsBody {
  int64_t* starts;
  const int64_t* sorted;
  int64_t count, extent;
  TENON_HD void operator()(const int64_t (&at)[1]) const {
    const int64_t line = at[0] / (extent + 1), place = at[0] % (extent + 1);
    int64_t low = 0, high = count;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (sorted[line * count + middle] < place) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    starts[at[0]] = low;
  }
};

/// The indices of each line in ascending order, and where those of each place stand: items[starts[r]] ...
/// items[starts[r + 1]] of a line are the positions of its indices that are r, ascending.
class Buckets {
 public:
  /// Lines of `count` indices, index_step apart; operand `operand` of `starts` walks their first ones.
  template <int N>
  Buckets(const Loop<N>& starts, int operand, int64_t index_step, int64_t count, int64_t extent,
          const int64_t* index)
      : count_(count),
        extent_(extent),
        sorted_(bytes(starts.numel * count)),
        items_(bytes(starts.numel * count)),
        starts_(bytes(starts.numel * (extent + 1))) {
    Lines<3> lines;  // the sorted indices and the items, line after line; the indices
    lines.starts.rank = starts.rank;
    lines.starts.numel = starts.numel;
    int64_t dense = count;
    for (int i = starts.rank - 1; i >= 0; --i) {
      lines.starts.extent[i] = starts.extent[i];
      lines.starts.stride[0][i] = lines.starts.stride[1][i] = dense;
      lines.starts.stride[2][i] = starts.stride[operand][i];
      dense *= starts.extent[i];
    }
    for (int k = 0; k < 3; ++k) lines.count[k] = count, lines.step[k] = k == 2 ? index_step : 1;
    sort_indices(lines, extent, sorted_.as<int64_t>(), items_.as<int64_t>(), index);
    launch_loop("bucket_starts", count_to(starts.numel * (extent + 1)),
                BucketStartsBody{starts_.as<int64_t>(), sorted_.as<int64_t>(), count, extent});
  }

  /// What a kernel gets.
  struct View {
    const int64_t* items = nullptr;
    const int64_t* starts = nullptr;
    int64_t count = 0, extent = 0;
    TENON_HD const int64_t* begin(int64_t line, int64_t place) const {
      return items + line * count + starts[line * (extent + 1) + place];
    }
    TENON_HD const int64_t* end(int64_t line, int64_t place) const { return begin(line, place + 1); }
  };
  View view() const { return {items_.as<int64_t>(), starts_.as<int64_t>(), count_, extent_}; }

 private:
  static size_t bytes(int64_t n) { return static_cast<size_t>(n) * sizeof(int64_t); }

  int64_t count_, extent_;
  Scratch sorted_, items_, starts_;
};

}  // namespace tenon::cuda
