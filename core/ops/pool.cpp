#include "core/ops/pool.h"

#include <limits>

#include "core/cpu/pool.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/image.h"
#include "core/ops/reduce.h"
#include "cuda/kernels/pool.h"

namespace tenon {
namespace {

// Checks what all ops of the family ask of an image tensor.
ImageOp check_image(const char* plain, const Tensor& x) {
  TENON_CHECK(x.defined(), plain, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), plain, ": expects float32 or float64, got ", x.str());
  TENON_CHECK(x.rank() >= 3 && x.rank() <= 5, plain, ": expects rank 3, 4 or 5, got ", x.shape());
  return {plain, x.rank() - 2};
}

// Every window must hold an element; max_pool has nothing to return otherwise, and a mean nothing to divide
// by.
void check_windows(const ImageOp& op, const PoolAxis& axis) {
  TENON_CHECK(axis.in >= 1, op, ": the input has a spatial axis of extent 0");
  for (int64_t o = 0; o < axis.out; ++o) {
    const int64_t start = axis.start(o);
    const int64_t first = start < 0 ? (-start + axis.dilation - 1) / axis.dilation : 0;  // tap at or behind 0
    TENON_CHECK(first < axis.taps(o) && start + first * axis.dilation < axis.in, op, ": window ", o,
                " lies wholly in the padding (input ", axis.in, ", kernel ", axis.kernel, ", stride ",
                axis.stride, ", padding ", axis.padding, ", dilation ", axis.dilation, ")");
  }
}

PoolPlan make_plan(const ImageOp& op, const Shape& x, const Dims& in, const PoolOptions& options) {
  const int axes = x.rank() - 2;
  TENON_CHECK(options.kernel.rank() > 0, op, ": expects a kernel");
  TENON_CHECK(in.rank() == axes, op, ": input extents expect ", axes, " values, got ", in);
  const Dims kernel = per_axis(op, "kernel", axes, options.kernel, 1, 1);
  const Dims stride =
      options.stride.rank() == 0 ? kernel : per_axis(op, "stride", axes, options.stride, 1, 1);
  const Dims padding = per_axis(op, "padding", axes, options.padding, 0, 0);
  const Dims dilation = per_axis(op, "dilation", axes, options.dilation, 1, 1);
  PoolPlan plan;
  plan.images = x[0], plan.channels = x[1];
  plan.count_padding = options.count_include_pad;
  for (int i = 0; i < axes; ++i) {
    PoolAxis& axis = plan.axis[3 - axes + i];
    axis.in = in[i], axis.kernel = kernel[i], axis.stride = stride[i], axis.padding = padding[i];
    axis.dilation = dilation[i];
    TENON_CHECK(padding[i] <= kernel[i] / 2, op, ": padding expects at most half of the kernel ", kernel,
                ", got ", padding);
    const int64_t room = room_of_window(op, in, kernel, padding, dilation, i);
    axis.out = room / stride[i] + 1 + (options.ceil_mode && room % stride[i] != 0 ? 1 : 0);
    if (options.ceil_mode && (axis.out - 1) * stride[i] >= in[i] + padding[i]) --axis.out;
    check_windows(op, axis);
  }
  return plan;
}

PoolPlan make_adaptive_plan(const ImageOp& op, const Shape& x, const Dims& in, const Dims& out) {
  const int axes = x.rank() - 2;
  TENON_CHECK(in.rank() == axes, op, ": input extents expect ", axes, " values, got ", in);
  const Dims extents = per_axis(op, "output extents", axes, out, 1, 1);
  PoolPlan plan;
  plan.images = x[0], plan.channels = x[1];
  for (int i = 0; i < axes; ++i) {
    PoolAxis& axis = plan.axis[3 - axes + i];
    axis.in = in[i], axis.out = extents[i];
    // Windows of one size are those of plain pooling, which runs faster.
    axis.adaptive = in[i] % extents[i] != 0;
    axis.kernel = axis.stride = std::max<int64_t>(1, in[i] / extents[i]);
    check_windows(op, axis);
  }
  return plan;
}

Dims out_extents(const PoolPlan& plan, int axes) {
  Dims extents;
  for (int i = 3 - axes; i < 3; ++i) extents.push_back(plan.axis[i].out);
  return extents;
}

std::pair<Tensor, Tensor> run_max(const Tensor& x, PoolPlan plan, const ImageOp& op) {
  TENON_CHECK(plan.in_positions() <= std::numeric_limits<int32_t>::max(), op, ": input ", x.shape(),
              " has more positions than int32 can count");
  const Shape shape = image_shape(plan.images, plan.channels, out_extents(plan, x.rank() - 2));
  const bool last = channels_last(x);
  Tensor y = empty_image(shape, last, x.dtype(), x.device());
  Tensor index = empty_image(shape, last, int32, x.device());
  if (y.is_empty()) return {y, index};
  const Image image = as_image(x, last);
  plan.x = image.steps, plan.y = steps_of_image(shape, last);
  TENON_DISPATCH(x.device(), max_pool, plan, x.dtype(), y.raw(), static_cast<int32_t*>(index.raw()),
                 image.data.raw());
  return {y, index};
}

// What the two ops that follow an index check.
ImageOp check_index(const char* plain, const Tensor& x, const Tensor& index) {
  const ImageOp op = check_image(plain, x);
  TENON_CHECK(index.defined(), op, ": undefined index");
  check_same_device(op.plain, x, index);
  TENON_CHECK(index.dtype() == int32 && index.rank() == x.rank() && index.shape()[0] == x.shape()[0] &&
                  index.shape()[1] == x.shape()[1],
              op, ": index expects int32 [", x.shape()[0], ", ", x.shape()[1], ", ...] of rank ", x.rank(),
              ", got ", index.str());
  return op;
}

PoolPlan index_plan(const Shape& shape, const Dims& in, const Dims& out) {
  PoolPlan plan;
  plan.images = shape[0], plan.channels = shape[1];
  for (int i = 0; i < in.rank(); ++i) {
    plan.axis[3 - in.rank() + i].in = in[i];
    plan.axis[3 - in.rank() + i].out = out[i];
  }
  return plan;
}

Tensor run_avg(const Tensor& x, PoolPlan plan) {
  const Shape shape = image_shape(plan.images, plan.channels, out_extents(plan, x.rank() - 2));
  const bool last = channels_last(x);
  Tensor y = empty_image(shape, last, x.dtype(), x.device());
  if (y.is_empty()) return y;
  const Image image = as_image(x, last);
  plan.x = image.steps, plan.y = steps_of_image(shape, last);
  TENON_DISPATCH(x.device(), avg_pool, plan, x.dtype(), y.raw(), image.data.raw());
  return y;
}

Tensor run_avg_backward(const ImageOp& op, const Tensor& g, const Dims& in, PoolPlan plan) {
  const Dims out = out_extents(plan, g.rank() - 2);
  TENON_CHECK(out == spatial_extents(g.shape()), op, ": an input of ", in, " gives an output of ", out,
              ", the gradient is ", g.shape());
  const Shape shape = image_shape(plan.images, plan.channels, in);
  const bool last = channels_last(g);
  Tensor gx = empty_image(shape, last, g.dtype(), g.device());
  if (gx.is_empty()) return gx;
  const Image gradient = as_image(g, last);
  plan.x = steps_of_image(shape, last), plan.y = gradient.steps;
  TENON_DISPATCH(g.device(), avg_pool_backward, plan, g.dtype(), gx.raw(), gradient.data.raw());
  return gx;
}

void refuse_dilation(const ImageOp& op, const PoolOptions& options) {
  for (int64_t value : options.dilation)
    TENON_CHECK(value == 1, op, ": takes no dilation, got ", options.dilation);
}

}  // namespace

std::pair<Tensor, Tensor> max_pool(const Tensor& x, const PoolOptions& options) {
  const ImageOp op = check_image("max_pool", x);
  return run_max(x, make_plan(op, x.shape(), spatial_extents(x.shape()), options), op);
}

std::pair<Tensor, Tensor> adaptive_max_pool(const Tensor& x, const Dims& out) {
  const ImageOp op = check_image("adaptive_max_pool", x);
  return run_max(x, make_adaptive_plan(op, x.shape(), spatial_extents(x.shape()), out), op);
}

Tensor max_pool_backward(const Tensor& g, const Tensor& index, const Dims& in) {
  const ImageOp op = check_index("max_pool_backward", g, index);
  TENON_CHECK(in.rank() == g.rank() - 2, op, ": input extents expect ", g.rank() - 2, " values, got ", in);
  TENON_CHECK(index.shape() == g.shape(), op, ": index expects the gradient's shape ", g.shape(), ", got ",
              index.shape());
  const bool last = channels_last(g);
  const Shape shape = image_shape(g.shape()[0], g.shape()[1], in);
  Tensor gx = empty_image(shape, last, g.dtype(), g.device());
  TENON_CHECK(!gx.is_empty() || g.is_empty(), op, ": input extents ", in, " hold no element for gradient ",
              g.shape());
  if (gx.is_empty()) return gx;
  if (g.is_empty()) return gx.fill_(0);
  PoolPlan plan = index_plan(g.shape(), in, spatial_extents(g.shape()));
  plan.x = steps_of_image(shape, last), plan.y = steps_of_image(g.shape(), last);
  const Tensor gradient = packed_image(g, last), at = packed_image(index, last);
  TENON_DISPATCH(g.device(), max_pool_backward, plan, g.dtype(), gx.raw(), gradient.raw(),
                 static_cast<const int32_t*>(at.raw()));
  return gx;
}

Tensor max_pool_gather(const Tensor& x, const Tensor& index) {
  const ImageOp op = check_index("max_pool_gather", x, index);
  const bool last = channels_last(x);
  Tensor y = empty_image(index.shape(), last, x.dtype(), x.device());
  if (y.is_empty()) return y;
  TENON_CHECK(!x.is_empty(), op, ": input ", x.shape(), " holds no element for index ", index.shape());
  PoolPlan plan = index_plan(x.shape(), spatial_extents(x.shape()), spatial_extents(index.shape()));
  const Image image = as_image(x, last);
  plan.x = image.steps, plan.y = steps_of_image(index.shape(), last);
  const Tensor at = packed_image(index, last);
  TENON_DISPATCH(x.device(), max_pool_gather, plan, x.dtype(), y.raw(), image.data.raw(),
                 static_cast<const int32_t*>(at.raw()));
  return y;
}

Tensor avg_pool(const Tensor& x, const PoolOptions& options) {
  const ImageOp op = check_image("avg_pool", x);
  refuse_dilation(op, options);
  return run_avg(x, make_plan(op, x.shape(), spatial_extents(x.shape()), options));
}

Tensor avg_pool_backward(const Tensor& g, const Dims& in, const PoolOptions& options) {
  const ImageOp op = check_image("avg_pool_backward", g);
  refuse_dilation(op, options);
  return run_avg_backward(op, g, in, make_plan(op, g.shape(), in, options));
}

Tensor adaptive_avg_pool(const Tensor& x, const Dims& out) {
  const ImageOp op = check_image("adaptive_avg_pool", x);
  return run_avg(x, make_adaptive_plan(op, x.shape(), spatial_extents(x.shape()), out));
}

Tensor adaptive_avg_pool_backward(const Tensor& g, const Dims& in) {
  const ImageOp op = check_image("adaptive_avg_pool_backward", g);
  return run_avg_backward(op, g, in, make_adaptive_plan(op, g.shape(), in, spatial_extents(g.shape())));
}

Tensor global_avg_pool(const Tensor& x) {
  check_image("global_avg_pool", x);
  Dims axes;
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  return mean(x, axes, true);
}

}  // namespace tenon

TENON_FORWARD(max_pool)
TENON_FORWARD(adaptive_max_pool)
TENON_FORWARD(max_pool_backward)
TENON_FORWARD(max_pool_gather)
TENON_FORWARD(avg_pool)
TENON_FORWARD(avg_pool_backward)
TENON_FORWARD(adaptive_avg_pool)
TENON_FORWARD(adaptive_avg_pool_backward)
