#include "autograd/ops/detection.h"

#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/image.h"

namespace tenon {

// y = A x              dx = A^T g
Variable roi_align(const Variable& x, const Tensor& boxes, const Tensor& image,
                   const RoiAlignOptions& options) {
  return record("roi_align", roi_align(x.value(), boxes, image, options), {x},
                [boxes = Saved(boxes), image = Saved(image), options, images = x.shape()[0],
                 in = spatial_extents(x.shape())](const Variable& g, Gradients& out) {
                  out.set(0, roi_align_backward(g, boxes().value(), image().value(), images, in, options));
                });
}

// y = A^T g            dg = A h, h the gradient of y
Variable roi_align_backward(const Variable& g, const Tensor& boxes, const Tensor& image, int64_t images,
                            const Dims& in, const RoiAlignOptions& options) {
  return record("roi_align_backward", roi_align_backward(g.value(), boxes, image, images, in, options), {g},
                [boxes = Saved(boxes), image = Saved(image), options](const Variable& h, Gradients& out) {
                  out.set(0, roi_align(h, boxes().value(), image().value(), options));
                });
}

}  // namespace tenon

TENON_BACKWARD(roi_align)
TENON_BACKWARD(roi_align_backward)
