#include "core/ops/deformable.h"

#include "core/cpu/deformable.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/image.h"
#include "cuda/kernels/deformable.h"

namespace tenon {
namespace {

// The plan for images of `in`, and checks of all but x and g.
DeformablePlan make_plan(const char* op, int64_t images, int64_t channels, const Dims& in,
                         const Tensor& offset, const Tensor& mask, const Dims& kernel,
                         const ConvOptions& options) {
  TENON_CHECK(offset.defined(), op, ": undefined offset");
  TENON_CHECK(is_floating(offset.dtype()), op, ": expects float32 or float64, got ", offset.str());
  TENON_CHECK(in.rank() == 2, op, ": expects images of two extents, got ", in);
  TENON_CHECK(kernel.rank() == 2 && kernel[0] >= 1 && kernel[1] >= 1, op,
              ": expects a kernel of two extents >= 1, got ", kernel);
  TENON_CHECK(options.groups == 1, op, ": expects one group, got ", options.groups);
  const Dims stride = per_axis(op, "stride", 2, options.stride, 1, 1);
  const Dims padding = per_axis(op, "padding", 2, options.padding, 0, 0);
  const Dims dilation = per_axis(op, "dilation", 2, options.dilation, 1, 1);
  DeformablePlan plan;
  plan.images = images, plan.channels = channels;
  for (int i = 0; i < 2; ++i) {
    TENON_CHECK(in[i] >= 1, op, ": expects images of extents >= 1, got ", in);
    plan.in[i] = in[i], plan.kernel[i] = kernel[i];
    plan.out[i] = room_of_window(op, in, kernel, padding, dilation, i) / stride[i] + 1;
    plan.stride[i] = stride[i], plan.padding[i] = padding[i], plan.dilation[i] = dilation[i];
  }
  const Shape offsets{images, 2 * plan.taps(), plan.out[0], plan.out[1]};
  TENON_CHECK(offset.shape() == offsets, op, ": expects an offset ", offsets, ", got ", offset.str());
  if (!mask.defined()) return plan;
  check_same_dtype(op, offset, mask);
  check_same_device(op, offset, mask);
  const Shape masks{images, plan.taps(), plan.out[0], plan.out[1]};
  TENON_CHECK(mask.shape() == masks, op, ": expects a mask ", masks, ", got ", mask.str());
  return plan;
}

// For an image operand x.
DeformablePlan make_plan(const char* op, const Tensor& x, const Tensor& offset, const Tensor& mask,
                         const Dims& kernel, const ConvOptions& options) {
  TENON_CHECK(x.defined(), op, ": undefined x");
  TENON_CHECK(x.rank() == 4, op, ": expects x [N, C, H, W], got ", x.str());
  const DeformablePlan plan =
      make_plan(op, x.size(0), x.size(1), spatial_extents(x.shape()), offset, mask, kernel, options);
  check_same_dtype(op, x, offset);
  check_same_device(op, x, offset);
  return plan;
}

Shape columns_shape(const DeformablePlan& plan) {
  return {plan.images, plan.channels * plan.taps(), plan.positions()};
}

void check_columns(const char* op, const DeformablePlan& plan, const Tensor& g, const Tensor& offset) {
  check_same_dtype(op, g, offset);
  check_same_device(op, g, offset);
  TENON_CHECK(g.shape() == columns_shape(plan), op, ": expects g ", columns_shape(plan), ", got ", g.str());
}

Tensor packed(const Tensor& x) { return x.defined() ? x.contiguous() : x; }
const void* pointer(const Tensor& x) { return x.defined() ? x.raw() : nullptr; }

}  // namespace

Tensor deformable_columns(const Tensor& x, const Tensor& offset, const Tensor& mask, const Dims& kernel,
                          const ConvOptions& options) {
  const DeformablePlan plan = make_plan("deformable_columns", x, offset, mask, kernel, options);
  Tensor columns = Tensor::empty(columns_shape(plan), x.dtype(), x.device());
  if (columns.is_empty()) return columns;
  const Tensor source = x.contiguous(), moves = offset.contiguous(), masks = packed(mask);
  TENON_DISPATCH(x.device(), deformable_columns, plan, x.dtype(), columns.raw(), source.raw(), moves.raw(),
                 pointer(masks));
  return columns;
}

Tensor deformable_columns_backward_input(const Tensor& g, const Tensor& offset, const Tensor& mask,
                                         const Dims& in, const Dims& kernel, const ConvOptions& options) {
  const char* const op = "deformable_columns_backward_input";
  TENON_CHECK(g.defined(), op, ": undefined g");
  TENON_CHECK(g.rank() == 3, op, ": expects g [N, C * taps, positions], got ", g.str());
  const int64_t taps = std::max<int64_t>(kernel.numel(), 1);
  const DeformablePlan plan = make_plan(op, g.size(0), g.size(1) / taps, in, offset, mask, kernel, options);
  check_columns(op, plan, g, offset);
  Tensor dx = Tensor::empty(image_shape(plan.images, plan.channels, in), g.dtype(), g.device());
  if (dx.is_empty()) return dx;
  const Tensor source = g.contiguous(), moves = offset.contiguous(), masks = packed(mask);
  TENON_DISPATCH(g.device(), deformable_columns_backward_input, plan, g.dtype(), dx.raw(), source.raw(),
                 moves.raw(), pointer(masks));
  return dx;
}

std::pair<Tensor, Tensor> deformable_columns_backward_offset(const Tensor& g, const Tensor& x,
                                                             const Tensor& offset, const Tensor& mask,
                                                             const Dims& kernel, const ConvOptions& options) {
  const char* const op = "deformable_columns_backward_offset";
  TENON_CHECK(g.defined(), op, ": undefined g");
  const DeformablePlan plan = make_plan(op, x, offset, mask, kernel, options);
  check_columns(op, plan, g, offset);
  Tensor doffset = Tensor::empty(offset.shape(), g.dtype(), g.device());
  Tensor dmask = mask.defined() ? Tensor::empty(mask.shape(), g.dtype(), g.device()) : Tensor();
  if (doffset.is_empty()) return {doffset, dmask};
  if (g.is_empty()) return {doffset.fill_(0), mask.defined() ? dmask.fill_(0) : dmask};  // no channels
  const Tensor gradient = g.contiguous(), source = x.contiguous(), moves = offset.contiguous(),
               masks = packed(mask);
  TENON_DISPATCH(g.device(), deformable_columns_backward_offset, plan, g.dtype(), doffset.raw(),
                 mask.defined() ? dmask.raw() : nullptr, gradient.raw(), source.raw(), moves.raw(),
                 pointer(masks));
  return {doffset, dmask};
}

}  // namespace tenon

TENON_FORWARD(deformable_columns)
TENON_FORWARD(deformable_columns_backward_input)
TENON_FORWARD(deformable_columns_backward_offset)
