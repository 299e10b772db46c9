// CPU kernels of the pooling family, 1d to 3d in one: missing spatial axes have extent 1.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cpu/image.h"
#include "core/dtype.h"

namespace tenon {

/// One spatial axis: output o looks at inputs start(o) + t * dilation, 0 <= t < taps(o), those outside left
/// out.
struct PoolAxis {
  int64_t in = 1, out = 1;
  int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  /// Windows that share the input evenly: from floor(o in / out) up to ceil((o + 1) in / out).
  bool adaptive = false;

  TENON_HD int64_t start(int64_t o) const { return adaptive ? o * in / out : o * stride - padding; }
  TENON_HD int64_t taps(int64_t o) const {
    return adaptive ? ((o + 1) * in + out - 1) / out - start(o) : kernel;
  }
  /// What the mean of output o divides by, along this axis (no dilation).
  TENON_HD int64_t count(int64_t o, bool count_padding) const {
    const int64_t first = start(o), stop = first + taps(o);
    if (count_padding) return (stop < in + padding ? stop : in + padding) - first;
    return (stop < in ? stop : in) - (first > 0 ? first : 0);
  }
};

struct PoolPlan {
  int64_t images = 0, channels = 0;
  PoolAxis axis[3];
  ImageSteps x,
      y;  ///< x: input or its gradient; y: output, its gradient, the index. Both in the same order of axes.
  bool count_padding = false;  ///< averages divide by the taps in the padding too

  TENON_HD int64_t in_positions() const { return axis[0].in * axis[1].in * axis[2].in; }
  TENON_HD int64_t out_positions() const { return axis[0].out * axis[1].out * axis[2].out; }
};

/// The error of an index that names none of the input's positions.
[[noreturn]] inline void fail_index(int64_t index, int64_t positions) {
  fail("max_pool: index ", index, " is outside the ", positions, " positions of the input");
}

namespace cpu {
/// Largest element of each window (NaN if there is one), and its position in the input's spatial block; of
/// equal ones the first. Every window holds an element.
void max_pool(const PoolPlan& plan, DType dtype, void* y, int32_t* index, const void* x);
/// gx = 0, then gx[n, c, index[n, c, p]] += g[n, c, p]. Throws Error on an index outside the input.
void max_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g, const int32_t* index);
/// y[n, c, p] = x[n, c, index[n, c, p]]. Throws Error on an index outside the input.
void max_pool_gather(const PoolPlan& plan, DType dtype, void* y, const void* x, const int32_t* index);
/// Mean of each window.
void avg_pool(const PoolPlan& plan, DType dtype, void* y, const void* x);
/// gx = 0, then g[n, c, p] / count is added to all elements of window p.
void avg_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g);
}  // namespace cpu
}  // namespace tenon
