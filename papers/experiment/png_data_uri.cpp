// Images as data: URIs: PNG by libpng's simplified interface, then base64.
#include <png.h>

#include "core/error.h"
#include "papers/experiment/svg.h"

namespace tenon::experiment {

namespace {

std::string base64(const std::vector<std::uint8_t>& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t present = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;  // 24 bits
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < present ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= present ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace

std::string png_data_uri(const Image& image) {
  TENON_CHECK(image.width > 0 && image.height > 0, "image: positive extents expected, got ", image.width,
              " x ", image.height);
  TENON_CHECK(image.channels == 1 || image.channels == 3, "image: 1 or 3 channels expected, got ",
              image.channels);
  const std::size_t expected = std::size_t{1} * static_cast<std::size_t>(image.width) *
                               static_cast<std::size_t>(image.height) *
                               static_cast<std::size_t>(image.channels);
  TENON_CHECK(image.pixels.size() == expected, "image: ", expected, " bytes expected, got ",
              image.pixels.size());

  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = image.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::vector<std::uint8_t> bytes(size);
  const int written =
      png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  TENON_CHECK(written != 0, "image: PNG encoding failed: ", png.message);
  bytes.resize(size);
  return "data:image/png;base64," + base64(bytes);
}

}  // namespace tenon::experiment
