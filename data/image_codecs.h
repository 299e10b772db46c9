// What data/image.cpp shares with the two decoders; not for other files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenon::detail {

/// A decoded picture: rows of pixels, the channels of a pixel side by side.
struct Pixels {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> bytes;
};

/// Both throw Error in the name of `file` unless `bytes` are exactly one sound picture.
Pixels decode_png(const std::string& file, std::string_view bytes);
Pixels decode_jpeg(const std::string& file, std::string_view bytes);

/// Throws unless both sides are 1 to kMaxImageSide.
void check_image_size(const std::string& file, uint64_t width, uint64_t height);

}  // namespace tenon::detail
