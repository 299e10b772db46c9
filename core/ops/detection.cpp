#include "core/ops/detection.h"

#include "core/cpu/nms.h"
#include "core/cpu/roi_align.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/index.h"
#include "core/ops/index_arguments.h"
#include "cuda/kernels/nms.h"
#include "cuda/kernels/roi_align.h"

namespace tenon {
namespace {

void check_boxes(const char* op, const Tensor& boxes) {
  TENON_CHECK(boxes.defined(), op, ": undefined boxes");
  TENON_CHECK(boxes.rank() == 2 && boxes.size(1) == 4, op, ": expects boxes [R, 4], got ", boxes.str());
  TENON_CHECK(is_floating(boxes.dtype()), op, ": expects float32 or float64, got ", boxes.str());
}

// What forward and backward have in common; `x` is their image operand.
RoiAlignPlan make_plan(const char* op, const Tensor& x, int64_t images, const Dims& in, const Tensor& boxes,
                       const Tensor& image, const RoiAlignOptions& options) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  check_boxes(op, boxes);
  check_same_dtype(op, x, boxes);
  check_same_device(op, x, boxes);
  TENON_CHECK(x.rank() == 4, op, ": expects a tensor of rank 4, got ", x.str());
  TENON_CHECK(options.height >= 1 && options.width >= 1, op, ": expects at least one cell, got ",
              options.height, " x ", options.width);
  TENON_CHECK(options.scale > 0, op, ": expects a scale above 0, got ", options.scale);
  TENON_CHECK(options.sampling_ratio >= 0 && options.sampling_ratio <= 1024, op,
              ": expects a sampling_ratio in 0 .. 1024, got ", options.sampling_ratio);
  TENON_CHECK(in.rank() == 2 && in[0] >= 1 && in[1] >= 1, op, ": expects an image of two extents >= 1, got ",
              in);
  TENON_CHECK(images >= 0, op, ": expects a number of images, got ", images);
  check_index(op, image, images);
  check_same_device(op, x, image);
  TENON_CHECK(image.shape() == Shape{boxes.size(0)}, op, ": expects an image for each of ", boxes.size(0),
              " boxes, got ", image.str());
  RoiAlignPlan plan;
  plan.images = images, plan.channels = x.size(1), plan.regions = boxes.size(0);
  plan.in[0] = in[0], plan.in[1] = in[1];
  plan.cells[0] = options.height, plan.cells[1] = options.width;
  plan.scale = options.scale, plan.sampling_ratio = options.sampling_ratio, plan.aligned = options.aligned;
  return plan;
}

}  // namespace

Tensor roi_align(const Tensor& x, const Tensor& boxes, const Tensor& image, const RoiAlignOptions& options) {
  TENON_CHECK(x.defined() && x.rank() == 4, "roi_align: expects x [N, C, H, W], got ",
              x.defined() ? x.str() : "an undefined tensor");
  const RoiAlignPlan plan =
      make_plan("roi_align", x, x.size(0), {x.size(2), x.size(3)}, boxes, image, options);
  Tensor y =
      Tensor::empty({plan.regions, plan.channels, options.height, options.width}, x.dtype(), x.device());
  if (y.is_empty()) return y;
  const Tensor source = x.contiguous(), at = boxes.contiguous(), of = image.contiguous();
  TENON_DISPATCH(x.device(), roi_align, plan, x.dtype(), y.raw(), source.raw(), at.raw(),
                 static_cast<const int64_t*>(of.raw()));
  return y;
}

Tensor roi_align_backward(const Tensor& g, const Tensor& boxes, const Tensor& image, int64_t images,
                          const Dims& in, const RoiAlignOptions& options) {
  const RoiAlignPlan plan = make_plan("roi_align_backward", g, images, in, boxes, image, options);
  const Shape expected{plan.regions, plan.channels, options.height, options.width};
  TENON_CHECK(g.shape() == expected, "roi_align_backward: expects g ", expected, ", got ", g.str());
  Tensor dx = Tensor::empty({images, plan.channels, in[0], in[1]}, g.dtype(), g.device());
  if (dx.is_empty()) return dx;
  const Tensor source = g.contiguous(), at = boxes.contiguous(), of = image.contiguous();
  TENON_DISPATCH(g.device(), roi_align_backward, plan, g.dtype(), dx.raw(), source.raw(), at.raw(),
                 static_cast<const int64_t*>(of.raw()));
  return dx;
}

Tensor nms(const Tensor& boxes, const Tensor& scores, double threshold) {
  check_boxes("nms", boxes);
  TENON_CHECK(scores.defined(), "nms: undefined scores");
  check_same_dtype("nms", boxes, scores);
  check_same_device("nms", boxes, scores);
  TENON_CHECK(scores.shape() == Shape{boxes.size(0)}, "nms: expects a score for each of ", boxes.size(0),
              " boxes, got ", scores.str());
  TENON_CHECK(threshold >= 0 && threshold <= 1, "nms: expects a threshold in [0, 1], got ", threshold);
  if (boxes.is_empty()) return Tensor::empty({0}, int64, boxes.device());
  const Tensor order = argsort(scores, 0, true), sorted = index_select(boxes, 0, order).contiguous();
  const Tensor keep = Tensor::empty({boxes.size(0)}, uint8, boxes.device());
  TENON_DISPATCH(boxes.device(), nms, boxes.size(0), threshold, boxes.dtype(),
                 static_cast<uint8_t*>(keep.raw()), sorted.raw());
  return masked_select(order, keep);
}

}  // namespace tenon

TENON_FORWARD(roi_align)
TENON_FORWARD(roi_align_backward)
TENON_FORWARD(nms)
