// CPU kernels of upsampling: one axis at a time, since nearest, bilinear and trilinear maps are products of
// maps of one axis.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

/// Where output j of an axis looks, n_in elements in, n_out out:
///   nearest         element floor(j n_in / n_out)
///   linear          position (j + 1/2) n_in / n_out - 1/2, not below 0: elements are cells, borders meet
///   linear_aligned  position j (n_in - 1) / (n_out - 1), 0 if n_out = 1: first and last elements meet
/// A position between two elements mixes them; beyond the last there is only the last.
enum class Resample { nearest, linear, linear_aligned };

/// The axis in a dense tensor: x is [outer, n_in, inner] in memory and y [outer, n_out, inner].
struct ResampleBlock {
  int64_t outer = 0, n_in = 0, n_out = 0, inner = 0;
};

/// An output is w0 x[i0] + w1 x[i0 + 1]; there is no second element where w1 is 0.
template <class T>
struct ResampleTap {
  int64_t i0;
  T w0, w1;
};

/// That of output j.
template <class T>
TENON_HD ResampleTap<T> resample_tap(Resample mode, int64_t n_in, int64_t n_out, int64_t j) {
  if (mode == Resample::nearest) return {j * n_in / n_out, T(1), T(0)};
  const double in = static_cast<double>(n_in), out = static_cast<double>(n_out), at = static_cast<double>(j);
  double position = 0;
  if (mode == Resample::linear) {
    position = (at + 0.5) * in / out - 0.5;
    if (position < 0) position = 0;
  } else if (n_out > 1) {
    position = at * (in - 1) / (out - 1);
  }
  int64_t i0 = static_cast<int64_t>(position);
  if (i0 > n_in - 1) i0 = n_in - 1;
  const double w1 = i0 + 1 < n_in ? position - static_cast<double>(i0) : 0.0;
  return {i0, static_cast<T>(1 - w1), static_cast<T>(w1)};
}

namespace cpu {

void resample(Resample mode, const ResampleBlock& block, DType dtype, void* y, const void* x);
/// The transposed map, from g of y's shape to dx of x's.
void resample_transposed(Resample mode, const ResampleBlock& block, DType dtype, void* dx, const void* g);

}  // namespace cpu
}  // namespace tenon
