// CPU kernel of the convolution with a sparse weight.
#pragma once

#include "core/cpu/sparse.h"

namespace tenon {

/// y[n, o, p] = epilogue(bias[o] + sum_{c, k} W[o, (c, k)] x[n, c, p + k dilation - padding]), W [out_channels,
/// in_channels * taps] by rows. x and y are dense row-major; missing spatial axes have extent 1.
struct SparseConvPlan {
  SparseLists w;
  int block_rows = 1;
  int64_t images = 0, in_channels = 0, out_channels = 0;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
  int64_t padding[3] = {}, dilation[3] = {1, 1, 1};
  bool relu = false;

  /// Extents of the input with its padding.
  int64_t padded(int axis) const { return in[axis] + 2 * padding[axis]; }
};

namespace cpu {
/// `bias` [out_channels] may be null. Nothing is empty but the lists. Scratch: a padded image a thread.
void sparse_conv(const SparseConvPlan& plan, DType dtype, void* y, const void* values, const void* x,
                 const void* bias);
}  // namespace cpu
}  // namespace tenon
