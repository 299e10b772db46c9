// Ops of object detection. Boxes are rows x1, y1, x2, y2, x to the right and y down. All throw Error on undefined
// operands, shapes that do not fit, mixed dtypes or devices. float32 or float64.
#pragma once

#include "core/tensor.h"

namespace tenon {

struct RoiAlignOptions {
  int64_t height = 0, width = 0;  ///< cells of a region, >= 1; must be given
  double scale = 1;               ///< elements of x for a unit of the boxes, > 0
  int64_t sampling_ratio = 0;     ///< samples of a cell along each axis; 0: as many as it is wide, rounded up
  /// Detectron2's: pixel i is the interval [i, i + 1], so its centre is i + 1/2. Without, as in the paper, the centre
  /// is i, and regions have a width of 1 element at least.
  bool aligned = true;
};

/// RoIAlign (He et al., Mask R-CNN, 2017, section 3): each region is cut into height x width cells, and each cell is
/// the mean of bilinear samples of x. x [N, C, H, W], boxes [R, 4] of x's dtype, image [R] int64: the image of each
/// box, -> row-major [R, C, height, width]. A sample more than one element outside x counts as 0. A box without
/// extent is sampled at a point, or with sampling_ratio = 0 gives 0. Throws Error on an image out of range.
Tensor roi_align(const Tensor& x, const Tensor& boxes, const Tensor& image, const RoiAlignOptions& options);
/// Its gradient for x, in which it is linear: g [R, C, height, width] -> [images, C, *in]. Boxes get none, as usual.
Tensor roi_align_backward(const Tensor& g, const Tensor& boxes, const Tensor& image, int64_t images,
                          const Dims& in, const RoiAlignOptions& options);

/// Greedy non-maximum suppression: the boxes [R, 4] by falling score [R] (equal ones by number), without those whose
/// intersection with one that is kept exceeds `threshold` of their union. -> numbers of the kept boxes, int64, in that
/// order. On the device it takes R^2 / 8 bytes, and waits for the number kept.
Tensor nms(const Tensor& boxes, const Tensor& scores, double threshold);

}  // namespace tenon
