// Crop, flip and normalise in one pass over the output.
#include "data/augment.h"

#include "data/split.h"

namespace tenon {

bool Augmentation::is_identity() const {
  return padding == 0 && crop_height == 0 && crop_width == 0 && !horizontal_flip && mean.empty();
}

Shape Augmentation::output_shape(const Shape& shape) const {
  TENON_CHECK(shape.rank() == 3, "augment: expects images [C, H, W], got ", shape);
  TENON_CHECK(padding >= 0 && crop_height >= 0 && crop_width >= 0,
              "augment: expects padding and crop >= 0, got ", padding, ", ", crop_height, " x ", crop_width);
  const Shape out{shape[0], crop_height ? crop_height : shape[1], crop_width ? crop_width : shape[2]};
  TENON_CHECK(out[1] <= shape[1] + 2 * padding && out[2] <= shape[2] + 2 * padding, "augment: crop ", out[1],
              " x ", out[2], " is larger than the image ", shape, " with padding ", padding);
  for (const auto* list : {&mean, &std})
    TENON_CHECK(
        list->size() == mean.size() && (list->empty() || static_cast<int64_t>(list->size()) == shape[0]),
        "augment: expects a mean and a std for each of ", shape[0], " channels, got ", mean.size(), " and ",
        std.size());
  for (float value : std) TENON_CHECK(value > 0, "augment: expects std > 0, got ", value);
  return out;
}

void Augmentation::apply(const float* image, const Shape& shape, uint64_t seed, int64_t epoch, int64_t index,
                         float* out) const {
  const Shape to = output_shape(shape);
  const int64_t height = shape[1], width = shape[2];
  // Every draw is made whatever the options are, so that switching one on leaves the others as they were.
  Generator random = data_generator(DataStream::augment, seed, epoch, index);
  const auto draw = [&](int64_t places) { return int64_t{random.next_below(static_cast<uint32_t>(places))}; };
  const int64_t top = draw(height + 2 * padding - to[1] + 1) - padding;
  const int64_t left = draw(width + 2 * padding - to[2] + 1) - padding;
  const bool flip = (draw(2) == 1) && horizontal_flip;

  for (int64_t c = 0; c < to[0]; ++c) {
    const float shift = mean.empty() ? 0.0F : mean[static_cast<size_t>(c)];
    const float scale = std.empty() ? 1.0F : 1.0F / std[static_cast<size_t>(c)];
    for (int64_t y = 0; y < to[1]; ++y) {
      const int64_t row = top + y;
      const bool row_inside = 0 <= row && row < height;
      const float* line = row_inside ? image + (c * height + row) * width : nullptr;
      for (int64_t x = 0; x < to[2]; ++x) {
        const int64_t column = left + (flip ? to[2] - 1 - x : x);
        const float value = row_inside && 0 <= column && column < width ? line[column] : 0.0F;
        *out++ = (value - shift) * scale;
      }
    }
  }
}

}  // namespace tenon
