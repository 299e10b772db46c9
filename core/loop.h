// Loop: how N operands of one elementwise op are walked together. Shared by the CPU and the CUDA kernels:
// plain extents and strides, no tensors.
#pragma once

#include <cstdint>

#include "core/math.h"

namespace tenon {

/// Axes are ordered outermost first and merged where every operand allows it, so a dense op has rank 1.
/// Strides count elements. Operand 0 is the result.
template <int N>
struct Loop {
  int rank = 0;
  int64_t numel = 0;
  int64_t extent[8] = {};
  int64_t stride[N][8] = {};

  /// Offsets of the operands for a linear index.
  TENON_HD void offsets_of(int64_t index, int64_t (&offset)[N]) const {
    // In 32 bits where they do: a card divides those several times as fast.
    if (numel <= 0x7fffffff) return split<uint32_t>(index, offset);
    split<int64_t>(index, offset);
  }

 private:
  template <class Index>
  TENON_HD void split(int64_t index, int64_t (&offset)[N]) const {
    for (int k = 0; k < N; ++k) offset[k] = 0;
    Index left = static_cast<Index>(index);
    for (int i = rank - 1; i >= 0; --i) {
      const Index n = static_cast<Index>(extent[i]);
      const int64_t coordinate = left % n;
      left /= n;
      for (int k = 0; k < N; ++k) offset[k] += coordinate * stride[k][i];
    }
  }
};

/// Operands of an op that works along one axis, line by line. `starts` walks the first elements of the lines;
/// operand k has count[k] elements in a line, step[k] apart.
template <int N>
struct Lines {
  Loop<N> starts;
  int64_t count[N];
  int64_t step[N];
};

}  // namespace tenon
