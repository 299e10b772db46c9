// The source that lies in memory, and the one place where pixel bytes become floats.
#include "data/image_source.h"

namespace tenon {

TensorSource::TensorSource(const Tensor& images, const Tensor& labels) {
  TENON_CHECK(images.defined() && images.dtype() == uint8 && images.rank() == 4,
              "TensorSource: expects images uint8 [N, C, H, W], got ", images);
  TENON_CHECK(labels.defined() && labels.dtype() == int64 && labels.shape() == Shape({images.size(0)}),
              "TensorSource: expects labels int64 [", images.size(0), "], got ", labels);
  images_ = images.to(Device::cpu()).contiguous();
  labels_ = labels.to(Device::cpu()).contiguous();
  shape_ = {images.size(1), images.size(2), images.size(3)};
}

int64_t TensorSource::read(int64_t index, float* image) const {
  const int64_t pixels = shape_.numel();
  bytes_to_unit(images_.data<uint8_t>() + index * pixels, pixels, image);
  return labels_.data<int64_t>()[index];
}

void bytes_to_unit(const uint8_t* bytes, int64_t count, float* out) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(bytes[i]) / 255.0F;
}

}  // namespace tenon
