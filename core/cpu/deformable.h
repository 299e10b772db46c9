// Deformable convolution: what the kernels of both devices share, and the CPU kernels. The columns matrix of a
// convolution, but every tap of every position samples x where an offset sends it:
//
//   columns[n, (c, t), p] = mask[n, t, p] sum of the corners of the sample: weight * x[n, c, corner]
#pragma once

#include <cmath>
#include <cstdint>

#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

/// All operands are dense row-major: x [images, channels, *in], offset [images, taps, 2, *out] (down, right), mask
/// [images, taps, *out] or null for ones, columns [images, channels, taps, *out].
struct DeformablePlan {
  int64_t images = 0, channels = 0;
  int64_t in[2] = {}, out[2] = {}, kernel[2] = {};
  int64_t stride[2] = {1, 1}, padding[2] = {}, dilation[2] = {1, 1};

  TENON_HD int64_t plane() const { return in[0] * in[1]; }
  TENON_HD int64_t positions() const { return out[0] * out[1]; }
  TENON_HD int64_t taps() const { return kernel[0] * kernel[1]; }
  /// Samples of an image: taps x positions.
  TENON_HD int64_t samples() const { return taps() * positions(); }
};

/// A point between four elements of a plane, its corners: above left, above right, below left, below right.
template <class T>
struct DeformableSample {
  int64_t first;       ///< where the corner above left stands, or would
  T down, right;       ///< how far behind it the point lies, in [0, 1)
  unsigned inside;     ///< a bit a corner: those outside x count as 0
  int64_t row_length;  ///< of x

  TENON_HD bool counts(int corner) const { return (inside >> corner & 1) != 0; }
  TENON_HD int64_t place(int corner) const { return first + corner / 2 * row_length + corner % 2; }
  TENON_HD T weight(int corner) const {
    return (corner / 2 == 1 ? down : 1 - down) * (corner % 2 == 1 ? right : 1 - right);
  }
  /// The derivatives of the weight as the point moves down, and right.
  TENON_HD T slope_down(int corner) const {
    return corner / 2 == 1 ? (corner % 2 == 1 ? right : 1 - right) : (corner % 2 == 1 ? -right : right - 1);
  }
  TENON_HD T slope_right(int corner) const {
    return corner % 2 == 1 ? (corner / 2 == 1 ? down : 1 - down) : (corner / 2 == 1 ? -down : down - 1);
  }
};

/// Where `tap` of output `position` looks, moved by an offset. Nothing counts of a point further out than the
/// elements are apart, nor of a NaN.
template <class T>
TENON_HD DeformableSample<T> deformable_sample(const DeformablePlan& p, int64_t tap, int64_t position, T down,
                                               T right) {
  const T y =
      static_cast<T>(position / p.out[1] * p.stride[0] - p.padding[0] + tap / p.kernel[1] * p.dilation[0]) +
      down;
  const T x =
      static_cast<T>(position % p.out[1] * p.stride[1] - p.padding[1] + tap % p.kernel[1] * p.dilation[1]) +
      right;
  DeformableSample<T> s{0, T(0), T(0), 0, p.in[1]};
  if (!(y > T(-1) && y < static_cast<T>(p.in[0]) && x > T(-1) && x < static_cast<T>(p.in[1]))) return s;
  const T top = std::floor(y), left = std::floor(x);
  const int64_t row = static_cast<int64_t>(top), column = static_cast<int64_t>(left);
  s.first = row * p.in[1] + column;
  s.down = y - top, s.right = x - left;
  const unsigned rows = (row >= 0 ? 3u : 0u) | (row + 1 < p.in[0] ? 12u : 0u);
  const unsigned columns = (column >= 0 ? 5u : 0u) | (column + 1 < p.in[1] ? 10u : 0u);
  s.inside = rows & columns;
  return s;
}

namespace cpu {

/// Nothing is empty.
void deformable_columns(const DeformablePlan& plan, DType dtype, void* columns, const void* x,
                        const void* offset, const void* mask);
/// From g of the columns' shape to dx of x's.
void deformable_columns_backward_input(const DeformablePlan& plan, DType dtype, void* dx, const void* g,
                                       const void* offset, const void* mask);
/// To the gradients of offset and mask; `dmask` is null if `mask` is.
void deformable_columns_backward_offset(const DeformablePlan& plan, DType dtype, void* doffset, void* dmask,
                                        const void* g, const void* x, const void* offset, const void* mask);

}  // namespace cpu
}  // namespace tenon
