// RoIAlign: what the kernels of both devices share, and the CPU kernels.
//
// A region is a grid of cells, and a cell the mean of samples, each bilinear. All of it is a product of two axes:
//
//   y[r, c, i, j] = sum_h sum_w rows(i, h) columns(j, w) x[image[r], c, h, w]
//
// where rows(i, h) is the weight of element h in cell i of the region's vertical axis: RoiAxis.
#pragma once

#include <cstdint>

#include "core/cpu/upsample.h"
#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

/// x is dense row-major [images, channels, *in], y [regions, channels, *cells].
struct RoiAlignPlan {
  int64_t images = 0, channels = 0, regions = 0;
  int64_t in[2] = {}, cells[2] = {};
  double scale = 1;
  int64_t sampling_ratio = 0;
  bool aligned = true;

  TENON_HD int64_t plane() const { return in[0] * in[1]; }
  TENON_HD int64_t grid() const { return cells[0] * cells[1]; }
};

/// One axis of a region.
template <class T>
struct RoiAxis {
  T start, width;         ///< where the first cell begins, in elements of x; how wide a cell is
  int samples;            ///< of a cell
  int64_t cells, extent;  ///< extent: of x

  /// `box` is x1, y1, x2, y2; axis 0 is y.
  TENON_HD RoiAxis(const RoiAlignPlan& plan, int axis, const T* box)
      : cells(plan.cells[axis]), extent(plan.in[axis]) {
    constexpr T kMost = 1024;  // samples, where their number follows the box
    const T scale = static_cast<T>(plan.scale), count = static_cast<T>(cells);
    const T half = plan.aligned ? T(0.5) : T(0);
    start = box[1 - axis] * scale - half;
    T length = box[3 - axis] * scale - half - start;
    const T least = plan.aligned ? T(0) : T(1);
    if (!(length > least)) length = least;
    width = length / count;
    samples = static_cast<int>(plan.sampling_ratio);
    if (samples == 0) samples = static_cast<int>(std::ceil(width < kMost ? width : kMost));
  }

  /// What a sample contributes to the mean of its cell: its two neighbours, by their weights. A sample up to one
  /// element outside x counts as on its border, one further out as 0.
  TENON_HD ResampleTap<T> tap(int64_t cell, int sample) const {
    const T share = T(1) / static_cast<T>(samples);
    T at = start + static_cast<T>(cell) * width + (static_cast<T>(sample) + T(0.5)) * width * share;
    if (!(at >= T(-1) && at <= static_cast<T>(extent))) return {0, T(0), T(0)};
    if (at < T(0)) at = T(0);
    int64_t i0 = static_cast<int64_t>(at);
    if (i0 > extent - 1) i0 = extent - 1;
    const T w1 = i0 + 1 < extent ? at - static_cast<T>(i0) : T(0);
    return {i0, (T(1) - w1) * share, w1 * share};
  }

  /// The weight of element `at` of x in the mean of a cell.
  TENON_HD T weight(int64_t cell, int64_t at) const {
    T sum = T(0);
    for (int s = 0; s < samples; ++s) {
      const ResampleTap<T> t = tap(cell, s);
      if (t.i0 == at) sum += t.w0;
      if (t.i0 + 1 == at) sum += t.w1;
    }
    return sum;
  }

  /// The elements of x that the region may touch are first .. last; none if last < first.
  TENON_HD void elements(int64_t& first, int64_t& last) const {
    const T low = start, high = start + width * static_cast<T>(cells), end = static_cast<T>(extent);
    first = 0, last = -1;
    if (!(high >= T(-1) && low <= end)) return;
    first = low < T(0) ? 0 : static_cast<int64_t>(low);
    // A rounding may put the last sample behind `high`, by less than an element.
    last = high >= end ? extent - 1 : static_cast<int64_t>(high < T(0) ? T(0) : high) + 2;
    if (first > extent - 1) first = extent - 1;
    if (last > extent - 1) last = extent - 1;
  }

  /// Only the cells first .. last - 1 may touch element `at`.
  TENON_HD void cells_at(int64_t at, int64_t& first, int64_t& last) const {
    first = 0, last = cells;
    if (!(width > T(0))) return;
    // One cell more on either side, lest a rounding leave out a sample.
    const T low = (static_cast<T>(at - 1) - start) / width - T(1), count = static_cast<T>(cells);
    const T high = (static_cast<T>(at + 1) - start) / width + T(2);
    if (low > T(0)) first = low < count ? static_cast<int64_t>(low) : cells;
    if (high < count) last = high > T(0) ? static_cast<int64_t>(high) : 0;
  }
};

namespace cpu {

/// boxes [regions, 4]; image [regions], each in [0, images). Nothing is empty.
void roi_align(const RoiAlignPlan& plan, DType dtype, void* y, const void* x, const void* boxes,
               const int64_t* image);
/// The transposed map, from g of y's shape to dx of x's. Nothing of dx is empty; there may be no regions.
void roi_align_backward(const RoiAlignPlan& plan, DType dtype, void* dx, const void* g, const void* boxes,
                        const int64_t* image);

}  // namespace cpu
}  // namespace tenon
