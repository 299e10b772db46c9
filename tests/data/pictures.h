// Pictures for tests, put together byte by byte (PNG) or by libjpeg's encoder.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
// jpeglib.h needs cstdio before it.
#include <jpeglib.h>

#include "tests/data/packing.h"

namespace tenon::test {

inline std::string big32(uint64_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

inline std::string png_chunk(const std::string& type, const std::string& content) {
  const std::string body = type + content;
  return big32(content.size()) + body +
         big32(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size())));
}

inline std::string png_header(uint64_t width, uint64_t height, char depth, char colour, char interlace = 0) {
  return png_chunk("IHDR", big32(width) + big32(height) + depth + colour + '\0' + '\0' + interlace);
}

/// A PNG file; `rows` are the unpacked rows, each with its filter byte; `before` are chunks between header
/// and data.
inline std::string png_file(uint64_t width, uint64_t height, char depth, char colour, const std::string& rows,
                            const std::string& before = "", char interlace = 0) {
  return "\x89PNG\r\n\x1a\n" + png_header(width, height, depth, colour, interlace) + before +
         png_chunk("IDAT", zlib(rows)) + png_chunk("IEND", "");
}

/// A JPEG file of `channels` 1 or 3 (or 4: CMYK), pixels side by side.
inline std::string jpeg_file(int width, int height, int channels, const std::vector<uint8_t>& pixels,
                             bool progressive = false) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &memory, &size);
  jpeg.image_width = static_cast<JDIMENSION>(width);
  jpeg.image_height = static_cast<JDIMENSION>(height);
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < height; ++y) {
    auto* row = const_cast<JSAMPLE*>(pixels.data() + static_cast<size_t>(y * width * channels));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string out(reinterpret_cast<char*>(memory), size);
  std::free(memory);
  return out;
}

/// Pixels that change slowly, so that JPEG keeps them nearly.
inline std::vector<uint8_t> smooth_pixels(int width, int height, int channels) {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c) pixels.push_back(static_cast<uint8_t>(40 + 4 * x + 3 * y + 20 * c));
  return pixels;
}

}  // namespace tenon::test
