#include "core/ops/image.h"

#include <cstring>

namespace tenon {

std::string ImageOp::str() const {
  std::string name = plain;
  for (const char* family : {"conv", "pool"})
    if (const size_t at = name.find(family); at != std::string::npos && axes > 0)
      name.insert(at + std::strlen(family), std::to_string(axes) + "d");
  return name;
}

Dims spatial_extents(const Shape& shape) {
  Dims extents;
  for (int i = 2; i < shape.rank(); ++i) extents.push_back(shape[i]);
  return extents;
}

Shape image_shape(int64_t images, int64_t channels, const Dims& extents) {
  Shape shape{images, channels};
  for (int64_t extent : extents) shape.push_back(extent);
  return shape;
}

Dims per_axis(const ImageOp& op, const char* what, int axes, const Dims& given, int64_t standard,
              int64_t least) {
  Dims all = given;
  if (given.rank() == 0) all = Dims::filled(axes, standard);
  if (given.rank() == 1) all = Dims::filled(axes, given[0]);
  TENON_CHECK(all.rank() == axes, op, ": ", what, " expects ", axes, " values, got ", given);
  for (int64_t value : all)
    TENON_CHECK(value >= least, op, ": ", what, " expects values >= ", least, ", got ", given);
  return all;
}

int64_t room_of_window(const ImageOp& op, const Dims& in, const Dims& kernel, const Dims& padding,
                       const Dims& dilation, int axis) {
  int64_t sides = 0, padded = 0, reach = 0;
  const bool overflows = __builtin_mul_overflow(padding[axis], int64_t{2}, &sides) ||
                         __builtin_add_overflow(in[axis], sides, &padded) ||
                         __builtin_mul_overflow(dilation[axis], kernel[axis] - 1, &reach);
  TENON_CHECK(!overflows, op, ": kernel ", kernel, ", dilation ", dilation, " or padding ", padding,
              " is too large to be counted");
  TENON_CHECK(padded > reach, op, ": kernel ", kernel, " with dilation ", dilation,
              " is larger than the input ", in, " with padding ", padding);
  return padded - reach - 1;
}

bool channels_last(const Tensor& x) {
  if (x.shape()[1] == 1) return false;
  bool wide = false;  // with a single position there is no order to tell
  for (int i = 2; i < x.rank(); ++i) {
    if (x.shape()[i] > 1 && x.strides()[i] <= x.strides()[1]) return false;
    wide = wide || x.shape()[i] > 1;
  }
  return wide;
}

Tensor empty_image(const Shape& shape, bool with_channels_last, DType dtype, Device device) {
  if (!with_channels_last) return Tensor::empty(shape, dtype, device);
  Shape stored{shape[0]};
  Dims back{0, shape.rank() - 1};
  for (int i = 2; i < shape.rank(); ++i) {
    stored.push_back(shape[i]);
    back.push_back(i - 1);
  }
  stored.push_back(shape[1]);
  return Tensor::empty(stored, dtype, device).permute(back);
}

ImageSteps steps_of_image(const Shape& shape, bool with_channels_last) {
  const int64_t channels = shape[1], positions = spatial_extents(shape).numel();
  if (with_channels_last) return {channels * positions, 1, channels};
  return {channels * positions, positions, 1};
}

namespace {
Tensor copy_image(const Tensor& x, bool with_channels_last) {
  Tensor copy = empty_image(x.shape(), with_channels_last, x.dtype(), x.device());
  copy.copy_(x);
  return copy;
}
}  // namespace

Image as_image(const Tensor& x, bool with_channels_last) {
  const ImageSteps packed = steps_of_image(x.shape(), with_channels_last);
  const int64_t channels = x.shape()[1], positions = spatial_extents(x.shape()).numel();
  ImageSteps steps = packed;  // an axis of extent 1 is never stepped over, whatever its stride says
  if (x.shape()[0] > 1) steps.image = x.strides()[0];
  bool fits = true;
  if (with_channels_last) {
    fits = (channels == 1 || x.strides()[1] == 1) && steps.image == packed.image;
  } else {
    if (channels > 1) steps.channel = x.strides()[1];
    fits = steps.channel >= positions && steps.image >= positions;
  }
  int64_t expected = steps.position;
  for (int i = x.rank() - 1; i >= 2; --i) {
    fits = fits && (x.shape()[i] == 1 || x.strides()[i] == expected);
    expected *= x.shape()[i];
  }
  if (fits) return {x, steps};
  return {copy_image(x, with_channels_last), packed};
}

Tensor packed_image(const Tensor& x, bool with_channels_last) {
  const ImageSteps packed = steps_of_image(x.shape(), with_channels_last);
  Image image = as_image(x, with_channels_last);
  const bool is_packed = image.steps.image == packed.image && image.steps.channel == packed.channel;
  return is_packed ? image.data : copy_image(x, with_channels_last);
}

}  // namespace tenon
