// Augmentation of single images. What happens to an image depends on (seed, epoch, index of the image) alone,
// so it is the same for any batch size, order, prefetch depth and number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "core/shape.h"

namespace tenon {

/// What may be done to an image [C, H, W] of values in [0, 1], in this order. Nothing by default.
struct Augmentation {
  /// Zeros put around the image on each side before cropping.
  int64_t padding = 0;
  /// Extents of a crop at a place drawn uniformly; 0 keeps the image's extent. With `padding` p and the
  /// extents kept, this is a random shift by up to p pixels along each axis: the "pad 4, crop 32" of CIFAR
  /// training (He et al., Deep Residual Learning, 2016, section 4.2).
  int64_t crop_height = 0, crop_width = 0;
  /// Mirror left and right with probability 1/2.
  bool horizontal_flip = false;
  /// (x - mean) / std for each channel; both empty, or one value a channel.
  std::vector<float> mean, std;

  /// Shape of what comes out for an image of `shape`. Throws Error if the options do not fit it.
  Shape output_shape(const Shape& shape) const;
  /// True if apply() only copies.
  bool is_identity() const;
  /// Writes the augmented image, row-major, to `out`, which must not overlap `image`.
  void apply(const float* image, const Shape& shape, uint64_t seed, int64_t epoch, int64_t index,
             float* out) const;
};

}  // namespace tenon
