#include "core/ops/conv.h"

#include "core/cpu/conv.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/image.h"
#include "cuda/kernels/conv.h"

namespace tenon {
namespace {

// The options of every spatial axis.
struct PerAxis {
  Dims stride, padding, dilation;
};
PerAxis per_axis(const ImageOp& op, const ConvOptions& options) {
  return {per_axis(op, "stride", op.axes, options.stride, 1, 1),
          per_axis(op, "padding", op.axes, options.padding, 0, 0),
          per_axis(op, "dilation", op.axes, options.dilation, 1, 1)};
}

// Checks what all ops of the family ask of two tensors, and returns the op's name with its number of spatial
// axes.
ImageOp check_operands(const char* plain, const Tensor& a, const Tensor& b) {
  TENON_CHECK(a.defined() && b.defined(), plain, ": undefined tensor");
  check_same_dtype(plain, a, b);
  check_same_device(plain, a, b);
  TENON_CHECK(is_floating(a.dtype()), plain, ": expects float32 or float64, got ", a.str());
  TENON_CHECK(a.rank() >= 3 && a.rank() <= 5 && a.rank() == b.rank(), plain,
              ": expects two tensors of rank 3, 4 or 5, got ", a.shape(), " and ", b.shape());
  return {plain, a.rank() - 2};
}

// The plan but for steps in memory: channels, extents, and the output extents that follow from them.
ConvPlan make_plan(const ImageOp& op, int64_t images, int64_t in_channels, int64_t out_channels,
                   const Dims& in, const Dims& kernel, const ConvOptions& options) {
  TENON_CHECK(options.groups >= 1, op, ": groups expects >= 1, got ", options.groups);
  TENON_CHECK(in_channels % options.groups == 0, op, ": ", in_channels, " input channels do not fall into ",
              options.groups, " groups");
  TENON_CHECK(out_channels % options.groups == 0, op, ": ", out_channels,
              " output channels do not fall into ", options.groups, " groups");
  const auto [stride, padding, dilation] = per_axis(op, options);
  ConvPlan plan;
  plan.images = images;
  plan.groups = options.groups;
  plan.in_channels = in_channels / options.groups;
  plan.out_channels = out_channels / options.groups;
  for (int i = 0; i < op.axes; ++i) {
    const int at = 3 - op.axes + i;
    TENON_CHECK(kernel[i] >= 1, op, ": the kernel has no taps: ", kernel);
    plan.in[at] = in[i], plan.kernel[at] = kernel[i];
    plan.stride[at] = stride[i], plan.padding[at] = padding[i], plan.dilation[at] = dilation[i];
    plan.out[at] = room_of_window(op, in, kernel, padding, dilation, i) / stride[i] + 1;
  }
  return plan;
}

Dims out_extents(const ImageOp& op, const ConvPlan& plan) {
  Dims extents;
  for (int i = 3 - op.axes; i < 3; ++i) extents.push_back(plan.out[i]);
  return extents;
}

void check_bias(const ImageOp& op, const Tensor& x, const Tensor& bias, int64_t channels) {
  if (!bias.defined()) return;
  check_same_dtype(op.plain, x, bias);
  check_same_device(op.plain, x, bias);
  TENON_CHECK(bias.shape() == Shape{channels}, op, ": bias expects shape ", Shape{channels}, ", got ",
              bias.shape());
}

void check_residual(const ImageOp& op, const Tensor& y, const Tensor& residual) {
  if (!residual.defined()) return;
  check_same_dtype(op.plain, y, residual);
  check_same_device(op.plain, y, residual);
  TENON_CHECK(residual.shape() == y.shape(), op, ": residual expects the shape of the result, ", y.shape(),
              ", got ", residual.shape());
}

// b[o] at every position of every image; zeros without a bias.
void fill_with_bias(const Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return void(y.fill_(0));
  Shape shape = Dims::filled(y.rank(), 1);
  shape[1] = bias.numel();
  y.copy_(bias.reshape(shape));
}

}  // namespace

Tensor conv(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options,
            Epilogue epilogue, const Tensor& residual) {
  const ImageOp op = check_operands("conv", x, weight);
  const int64_t channels = weight.shape()[1] * options.groups;
  TENON_CHECK(channels == x.shape()[1], op, ": weight expects ", channels, " input channels, input has ",
              x.shape()[1], " (input ", x.shape(), ", weight ", weight.shape(), ")");
  ConvPlan plan = make_plan(op, x.shape()[0], x.shape()[1], weight.shape()[0], spatial_extents(x.shape()),
                            spatial_extents(weight.shape()), options);
  check_bias(op, x, bias, weight.shape()[0]);
  const bool last = channels_last(x);
  Tensor y = empty_image(image_shape(x.shape()[0], weight.shape()[0], out_extents(op, plan)), last, x.dtype(),
                         x.device());
  check_residual(op, y, residual);
  if (y.is_empty()) return y;
  plan.relu = epilogue == Epilogue::relu;
  if (x.is_empty()) {
    fill_with_bias(y, bias);
    if (residual.defined()) y.copy_(add(y, residual));
    return plan.relu ? relu(y) : y;
  }
  const Image image = as_image(x, last);
  plan.x = image.steps, plan.y = steps_of_image(y.shape(), last);
  const Tensor w = weight.contiguous(), b = bias.defined() ? bias.contiguous() : bias;
  // In the order of the result, so that one offset finds an element of both.
  const Tensor r = residual.defined() ? packed_image(residual, last) : residual;
  TENON_DISPATCH(x.device(), conv, plan, x.dtype(), y.raw(), image.data.raw(), w.raw(),
                 b.defined() ? b.raw() : nullptr, r.defined() ? r.raw() : nullptr);
  return y;
}

Tensor conv_backward_input(const Tensor& g, const Tensor& weight, const Dims& in,
                           const ConvOptions& options) {
  const ImageOp op = check_operands("conv_backward_input", g, weight);
  TENON_CHECK(in.rank() == op.axes, op, ": input extents expect ", op.axes, " values, got ", in);
  TENON_CHECK(weight.shape()[0] == g.shape()[1], op, ": weight expects ", weight.shape()[0],
              " output channels, gradient has ", g.shape()[1], " (gradient ", g.shape(), ", weight ",
              weight.shape(), ")");
  const int64_t channels = weight.shape()[1] * options.groups;
  ConvPlan plan =
      make_plan(op, g.shape()[0], channels, g.shape()[1], in, spatial_extents(weight.shape()), options);
  TENON_CHECK(out_extents(op, plan) == spatial_extents(g.shape()), op, ": an input of ", in,
              " gives an output of ", out_extents(op, plan), ", the gradient is ", g.shape());
  const bool last = channels_last(g) && channels > 1;
  Tensor gx = empty_image(image_shape(g.shape()[0], channels, in), last, g.dtype(), g.device());
  if (gx.is_empty()) return gx;
  if (g.is_empty()) return gx.fill_(0);
  const Image image = as_image(g, channels_last(g));
  plan.x = steps_of_image(gx.shape(), last), plan.y = image.steps;
  const Tensor w = weight.contiguous();
  TENON_DISPATCH(g.device(), conv_backward_input, plan, g.dtype(), gx.raw(), image.data.raw(), w.raw());
  return gx;
}

Tensor conv_backward_weight(const Tensor& g, const Tensor& x, const Dims& kernel,
                            const ConvOptions& options) {
  const ImageOp op = check_operands("conv_backward_weight", g, x);
  TENON_CHECK(kernel.rank() == op.axes, op, ": kernel extents expect ", op.axes, " values, got ", kernel);
  TENON_CHECK(g.shape()[0] == x.shape()[0], op, ": expects as many gradients as images, got gradient ",
              g.shape(), ", input ", x.shape());
  ConvPlan plan =
      make_plan(op, x.shape()[0], x.shape()[1], g.shape()[1], spatial_extents(x.shape()), kernel, options);
  TENON_CHECK(out_extents(op, plan) == spatial_extents(g.shape()), op, ": input ", x.shape(),
              " gives an output of ", out_extents(op, plan), ", the gradient is ", g.shape());
  Tensor gw = Tensor::empty(image_shape(g.shape()[1], plan.in_channels, kernel), g.dtype(), g.device());
  if (gw.is_empty()) return gw;
  if (g.is_empty() || x.is_empty()) return gw.fill_(0);
  const Image image = as_image(x, channels_last(x)), gradient = as_image(g, channels_last(g));
  plan.x = image.steps, plan.y = gradient.steps;
  TENON_DISPATCH(g.device(), conv_backward_weight, plan, g.dtype(), gw.raw(), gradient.data.raw(),
                 image.data.raw());
  return gw;
}

Dims conv_transpose_extents(const Tensor& x, const Tensor& weight, const ConvOptions& options,
                            const Dims& output_padding) {
  const ImageOp op = check_operands("conv_transpose", x, weight);
  TENON_CHECK(weight.shape()[0] == x.shape()[1], op, ": weight expects ", weight.shape()[0],
              " input channels, input has ", x.shape()[1], " (input ", x.shape(), ", weight ", weight.shape(),
              ")");
  const auto [stride, padding, dilation] = per_axis(op, options);
  const Dims extra = per_axis(op, "output_padding", op.axes, output_padding, 0, 0);
  Dims out;
  for (int i = 0; i < op.axes; ++i) {
    TENON_CHECK(extra[i] < std::max(stride[i], dilation[i]), op, ": output_padding ", extra,
                " expects values below stride ", stride, " or dilation ", dilation);
    const int64_t in = x.shape()[i + 2], kernel = weight.shape()[i + 2];
    out.push_back((in - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel - 1) + 1 + extra[i]);
    TENON_CHECK(in >= 1 && out[i] >= 1, op, ": input ", x.shape(), " and weight ", weight.shape(),
                " with padding ", padding, " give an empty output");
  }
  return out;
}

Tensor conv_transpose(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options,
                      const Dims& output_padding) {
  const Dims out = conv_transpose_extents(x, weight, options, output_padding);
  const ImageOp op{"conv_transpose", static_cast<int>(out.rank())};
  check_bias(op, x, bias, weight.shape()[1] * options.groups);
  Tensor y = conv_backward_input(x, weight, out, options);
  if (!bias.defined()) return y;
  Shape shape = Dims::filled(y.rank(), 1);
  shape[1] = bias.numel();
  return add(y, bias.reshape(shape));
}

}  // namespace tenon

TENON_FORWARD(conv)
TENON_FORWARD(conv_backward_input)
TENON_FORWARD(conv_backward_weight)
TENON_FORWARD(conv_transpose)
