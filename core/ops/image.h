// What the ops on images [N, C, *spatial] share: options per axis, and the two orders in memory that their
// kernels read.
#pragma once

#include <string>

#include "core/cpu/image.h"
#include "core/tensor.h"

namespace tenon {

/// An op on images of 1, 2 or 3 axes, as messages name it: "conv_backward_input" and 2 axes give
/// "conv2d_backward_input", "max_pool" gives "max_pool2d". No string is made before a message is.
struct ImageOp {
  ImageOp(const char* name, int spatial_axes = 0)
      : plain(name), axes(spatial_axes) {}  // NOLINT: names convert
  std::string str() const;
  const char* plain;  ///< without the number of axes
  int axes;           ///< 0 leaves it out
};

/// Extents of the axes behind N and C.
Dims spatial_extents(const Shape& shape);
/// [images, channels, *extents]
Shape image_shape(int64_t images, int64_t channels, const Dims& extents);

/// An option for each of `axes` spatial axes: `standard` where nothing is given, one value for all, or one
/// each. Throws in the name of `op` on another count, and on values below `least`.
Dims per_axis(const ImageOp& op, const char* what, int axes, const Dims& given, int64_t standard,
              int64_t least);

/// How far a window may slide along spatial axis `axis`: in + 2 padding - dilation (kernel - 1) - 1. Throws in the name of
/// `op` if it is larger than the padded input, or if these numbers leave int64. All four have an entry an axis.
int64_t room_of_window(const ImageOp& op, const Dims& in, const Dims& kernel, const Dims& padding,
                       const Dims& dilation, int axis);

/// Do the channels of an image lie inside its positions?
bool channels_last(const Tensor& x);
/// Uninitialised; row-major, or with channels innermost.
Tensor empty_image(const Shape& shape, bool with_channels_last, DType dtype, Device device);
/// The steps of what empty_image gives.
ImageSteps steps_of_image(const Shape& shape, bool with_channels_last);

/// A tensor in one of the two orders.
struct Image {
  Tensor data;
  ImageSteps steps;
};
/// x itself where the kernels can read it in that order, else a copy. Kernels take the spatial axes as one
/// axis: tensors that are neither row-major nor channels-last within an image are rare, and the copy costs
/// far less than the op, while it spares every kernel three strides.
Image as_image(const Tensor& x, bool with_channels_last);
/// x itself if it lies as empty_image would lay it, else such a copy: for tensors that kernels walk in step.
Tensor packed_image(const Tensor& x, bool with_channels_last);

}  // namespace tenon
