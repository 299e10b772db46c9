// ImageSource: where a loader takes labelled images from, one at a time; and the source that lies in memory.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace tenon {

/// Labelled images of one shape. Its methods may be called from another thread than the one that made it.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual int64_t size() const = 0;
  /// [C, H, W], the same for every image.
  virtual Shape image_shape() const = 0;
  /// Writes image `index`, float32 in [0, 1], row-major, to `image`, and returns its label. 0 <= index <
  /// size().
  virtual int64_t read(int64_t index, float* image) const = 0;
};

/// Images that lie in memory.
class TensorSource final : public ImageSource {
 public:
  /// uint8 [N, C, H, W], of which 0 to 255 become 0 to 1, and int64 [N]. Throws Error on anything else.
  TensorSource(const Tensor& images, const Tensor& labels);
  int64_t size() const override { return labels_.numel(); }
  Shape image_shape() const override { return shape_; }
  int64_t read(int64_t index, float* image) const override;

 private:
  Tensor images_, labels_;  // on the host, row-major
  Shape shape_;
};

/// Turns bytes 0 to 255 into float32 0 to 1 (a division by 255, which is exact at both ends).
void bytes_to_unit(const uint8_t* bytes, int64_t count, float* out);

}  // namespace tenon
