#include "nn/conv.h"

#include "core/ops/image.h"
#include "nn/init.h"

namespace tenon {

ConvLayer::ConvLayer(const char* kind, int spatial, Direction direction, int64_t in, int64_t out,
                     const Dims& kernel, const ConvOptions& options, const Dims& output_padding,
                     Bias with_bias, Generator& generator)
    : kind_(kind),
      spatial_(spatial),
      transposed_(direction == Direction::transposed),
      in_(in),
      out_(out),
      options_(options) {
  const int64_t groups = options.groups;
  TENON_CHECK(groups >= 1 && in % groups == 0 && out % groups == 0, kind, ": groups (", groups,
              ") expects to divide in (", in, ") and out (", out, ")");
  options_.stride = per_axis(kind, "stride", spatial, options.stride, 1, 1);
  options_.padding = per_axis(kind, "padding", spatial, options.padding, 0, 0);
  options_.dilation = per_axis(kind, "dilation", spatial, options.dilation, 1, 1);
  output_padding_ = per_axis(kind, "output_padding", spatial, output_padding, 0, 0);
  Shape shape = transposed_ ? Shape{in, out / groups} : Shape{out, in / groups};
  for (int64_t extent : per_axis(kind, "kernel", spatial, kernel, 1, 1)) shape.push_back(extent);
  weight = add_parameter("weight", Tensor::empty(shape));
  if (with_bias == Bias::yes) bias = add_parameter("bias", Tensor::empty({out}));
  init::layer_default(weight.value(), with_bias == Bias::yes ? bias.value() : Tensor(), generator);
}

Variable ConvLayer::forward(const Variable& x) {
  TENON_CHECK(x.rank() == spatial_ + 2, kind_, ": expects an input of rank ", spatial_ + 2, ", got ",
              x.shape());
  return transposed_ ? conv_transpose(x, weight, bias, options_, output_padding_)
                     : conv(x, weight, bias, options_);
}

Shape ConvLayer::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() == spatial_ + 2 && input[1] == in_, kind_, ": walk: expects ", in_,
              " channels and rank ", spatial_ + 2, ", got ", input);
  Shape output{input[0], out_};
  for (int i = 0; i < spatial_; ++i) {
    if (!transposed_) {
      output.push_back(room_of_window(kind_, spatial_extents(input), spatial_extents(weight.shape()),
                                      options_.padding, options_.dilation, i) /
                           options_.stride[i] +
                       1);
      continue;
    }
    const int64_t reach = options_.dilation[i] * (weight.shape()[i + 2] - 1);
    const int64_t extent =
        (input[i + 2] - 1) * options_.stride[i] - 2 * options_.padding[i] + reach + 1 + output_padding_[i];
    TENON_CHECK(extent > 0, kind_, ": walk: the kernel ", weight.shape(),
                " gives an empty output for the input ", input);
    output.push_back(extent);
  }
  // Each output of a convolution (each input of a transposed one) meets every weight of one filter.
  const Shape& met = transposed_ ? input : output;
  const int64_t per_element = weight.numel() == 0 ? 0 : weight.numel() / weight.shape()[0];
  uses.push_back({this, input, output, met.numel() * per_element});
  return output;
}

}  // namespace tenon
