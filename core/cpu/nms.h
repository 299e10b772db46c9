// Non-maximum suppression: what the kernels of both devices share, and the CPU kernel.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

/// Do two boxes x1, y1, x2, y2 share more than `threshold` of their union? In float64, where the areas of float32
/// boxes are exact, so that both devices decide alike. A NaN overlaps nothing.
template <class T>
TENON_HD bool boxes_overlap(const T* a, const T* b, double threshold) {
  const double ax = a[0], ay = a[1], bx = b[0], by = b[1];
  const double left = ax > bx ? ax : bx, top = ay > by ? ay : by;
  const double right = a[2] < b[2] ? a[2] : b[2], bottom = a[3] < b[3] ? a[3] : b[3];
  const double width = right - left, height = bottom - top;
  if (!(width > 0 && height > 0)) return false;
  const double shared = width * height, area_a = (a[2] - ax) * (a[3] - ay),
               area_b = (b[2] - bx) * (b[3] - by);
  return shared > threshold * (area_a + area_b - shared);
}

namespace cpu {
/// boxes [count, 4], by falling rank. keep[i] = 1 where no box before it that is kept overlaps box i, else 0.
void nms(int64_t count, double threshold, DType dtype, uint8_t* keep, const void* boxes);
}  // namespace cpu
}  // namespace tenon
