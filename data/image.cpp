// The sniffing of formats, the change from rows of pixels to planes, PNG encoding, and resizing.
#include "data/image.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/image_codecs.h"

namespace tenon {
namespace {

using detail::Pixels;

// BT.601 luma in 16-bit fixed point, as Pillow's convert("L"): the weights sum to 65536.
uint8_t luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 0x8000U) >> 16);
}

// [H, W, C] to [C, H, W].
Tensor to_planes(const Pixels& pixels, Channels channels) {
  const int64_t planes = channels == Channels::as_stored ? pixels.channels
                         : channels == Channels::grey    ? 1
                                                         : 3;
  Tensor image = Tensor::empty({planes, pixels.height, pixels.width}, uint8);
  auto* out = image.data<uint8_t>();
  const int64_t count = pixels.height * pixels.width;
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* pixel = pixels.bytes.data() + i * pixels.channels;
    if (planes == 1) {
      out[i] = pixels.channels == 1 ? *pixel : luma(pixel);
    } else {
      for (int64_t c = 0; c < 3; ++c) out[c * count + i] = pixel[pixels.channels == 1 ? 0 : c];
    }
  }
  return image;
}

// The taps of a one-dimensional resize: for output pixel i, `weights` of input pixels from `first` on.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

// A triangle of half-width max(1, from / to) input pixels around the centre (i + 1/2) from / to - 1/2, cut at
// the border and scaled to sum 1.
std::vector<Taps> triangle_filter(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double half_width = std::max(1.0, scale);
  std::vector<Taps> all(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    Taps& taps = all[static_cast<size_t>(i)];
    taps.first = std::max<int64_t>(0, static_cast<int64_t>(std::floor(centre - half_width + 0.5)));
    const int64_t last = std::min<int64_t>(from, static_cast<int64_t>(std::floor(centre + half_width + 0.5)));
    double sum = 0;
    for (int64_t j = taps.first; j < last; ++j) {
      const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(j) + 0.5 - centre) / half_width);
      taps.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : taps.weights) weight = static_cast<float>(weight / sum);
  }
  return all;
}

}  // namespace

void detail::check_image_size(const std::string& file, uint64_t width, uint64_t height) {
  TENON_CHECK(1 <= width && width <= kMaxImageSide && 1 <= height && height <= kMaxImageSide, file,
              ": expected a picture with sides of 1 to ", kMaxImageSide, " pixels, got ", width, " x ",
              height);
}

Tensor read_image(const std::string& path, Channels channels) {
  return read_image(ByteSource::file(path), channels);
}

Tensor read_image(const ByteSource& source, Channels channels) {
  FileReader in = FileReader::window(source, 0, source.size());
  const std::string bytes = in.read_string(in.remaining(), "picture");
  if (bytes.starts_with("\x89PNG")) return to_planes(detail::decode_png(in.name(), bytes), channels);
  if (bytes.starts_with("\xff\xd8")) return to_planes(detail::decode_jpeg(in.name(), bytes), channels);
  fail(in.name(), ": at byte 0: expected a PNG or JPEG picture (", bytes.size(), " bytes)");
}

std::string encode_png(const Tensor& image) {
  TENON_CHECK(image.dtype() == uint8 &&
                  (image.rank() == 2 || (image.rank() == 3 && (image.size(0) == 1 || image.size(0) == 3))) &&
                  !image.is_empty(),
              "encode_png: expects uint8 [H, W], [1, H, W] or [3, H, W], got ", image);
  const Tensor planes = image.rank() == 2 ? image.unsqueeze(0) : image;
  const Tensor pixels = planes.permute({1, 2, 0}).contiguous();
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.height = static_cast<png_uint_32>(pixels.size(0));
  header.width = static_cast<png_uint_32>(pixels.size(1));
  header.format = pixels.size(2) == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  detail::check_image_size("encode_png", header.width, header.height);
  png_alloc_size_t size = 0;
  const auto* data = pixels.data<uint8_t>();
  TENON_CHECK(png_image_write_to_memory(&header, nullptr, &size, 0, data, 0, nullptr),
              "encode_png: ", static_cast<const char*>(header.message));
  std::string out(size, '\0');
  TENON_CHECK(png_image_write_to_memory(&header, out.data(), &size, 0, data, 0, nullptr),
              "encode_png: ", static_cast<const char*>(header.message));
  out.resize(size);
  return out;
}

Tensor resize_image(const Tensor& image, int64_t height, int64_t width) {
  TENON_CHECK(image.dtype() == uint8 && image.rank() == 3 && !image.is_empty(),
              "resize_image: expects uint8 [C, H, W], got ", image);
  TENON_CHECK(height >= 1 && width >= 1, "resize_image: expects sides >= 1, got ", height, " x ", width);
  const int64_t channels = image.size(0), from_height = image.size(1), from_width = image.size(2);
  if (from_height == height && from_width == width) return image;
  const auto columns = triangle_filter(from_width, width), rows = triangle_filter(from_height, height);
  const Tensor input = image.contiguous();
  Tensor out = Tensor::empty({channels, height, width}, uint8);
  std::vector<float> narrow(
      static_cast<size_t>(from_height * width));  // one channel after the pass along rows
  std::vector<float> line(static_cast<size_t>(width));
  for (int64_t c = 0; c < channels; ++c) {
    const auto* plane = input.data<uint8_t>() + c * from_height * from_width;
    for (int64_t y = 0; y < from_height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        const Taps& taps = columns[static_cast<size_t>(x)];
        float sum = 0;
        for (size_t k = 0; k < taps.weights.size(); ++k)
          sum += taps.weights[k] *
                 static_cast<float>(plane[y * from_width + taps.first + static_cast<int64_t>(k)]);
        narrow[static_cast<size_t>(y * width + x)] = sum;
      }
    auto* to = out.data<uint8_t>() + c * height * width;
    for (int64_t y = 0; y < height; ++y) {
      const Taps& taps = rows[static_cast<size_t>(y)];
      std::fill(line.begin(), line.end(), 0.0F);
      for (size_t k = 0; k < taps.weights.size(); ++k) {
        const float* from = narrow.data() + (taps.first + static_cast<int64_t>(k)) * width;
        for (int64_t x = 0; x < width; ++x) line[static_cast<size_t>(x)] += taps.weights[k] * from[x];
      }
      for (int64_t x = 0; x < width; ++x)
        *to++ = static_cast<uint8_t>(std::clamp(line[static_cast<size_t>(x)] + 0.5F, 0.0F, 255.0F));
    }
  }
  return out;
}

}  // namespace tenon
