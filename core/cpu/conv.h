// CPU kernels of the convolution family, 1d to 3d in one: missing spatial axes have extent 1. Three kernels,
// each the derivative of the others:
//
//   y[n, o, p]  = b[o] + r[n, o, p] + sum_{c, k} w[o, c, k] x[n, c, p stride + k dilation - padding]
//   gx[n, c, i] = sum_{o, k, p : p stride + k dilation - padding = i} w[o, c, k] g[n, o, p]
//   gw[o, c, k] = sum_{n, p} g[n, o, p] x[n, c, p stride + k dilation - padding]
//
// o and c run within a group; positions p, taps k and inputs i have up to three coordinates.
#pragma once

#include <cstdint>

#include "core/cpu/image.h"
#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

struct ConvPlan {
  int64_t images = 0, groups = 1;
  int64_t in_channels = 0, out_channels = 0;  ///< of one group
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1}, padding[3] = {}, dilation[3] = {1, 1, 1};
  ImageSteps x, y;    ///< x: input or its gradient; y: output or its gradient
  bool relu = false;  ///< of what conv has summed
  bool direct =
      false;  ///< on the CPU: every product is formed, even where minimal filtering is faster (conv_winograd.h)

  int64_t positions() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t weights() const { return groups * out_channels * in_channels * taps(); }
};

/// What becomes of the sums of one group before the result holds them: relu(sum + bias[k] + residual). Either may be
/// null, and relu may be left out. The residual lies as the result does.
template <class T>
struct ConvFinish {
  const T* bias = nullptr;
  const T* residual = nullptr;
  bool relu = false;

  /// Is relu due before the residual, because there is none?
  bool relu_alone() const { return relu && residual == nullptr; }
  /// The result at `place`, of a sum with its bias.
  TENON_HD T value(T sum, int64_t place) const {
    if (residual != nullptr) sum += residual[place];
    return relu ? math::maximum(sum, T(0)) : sum;
  }
};

namespace cpu {
/// Weights are dense row-major [groups * out_channels, in_channels, *kernel]. All extents are at least 1.
/// `bias` and `residual` may be null; the latter lies as y does.
///
/// Scratch, in float32: the weights once more, packed; for their gradient up to 16 sums of them, of 4 MiB together or
/// one; and a thread some 200 KiB of packed input and sums, or the sums of 256 outputs if these are more. By minimal
/// filtering, 8/3 of the weights (of their gradient, 4 MiB together or one); and a thread some 600 KiB, or, if these are
/// more, the points of 64 tiles: 6 KiB for each channel in and out.
void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias,
          const void* residual);
void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight);
void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x);
}  // namespace cpu
}  // namespace tenon
