// PNG and JPEG pictures to tensors, tensors to PNG, and resizing. Decoding is libpng's and libjpeg-turbo's;
// their errors become Errors, and what a file declares is checked against what it holds before they are let
// near it.
#pragma once

#include <string>

#include "core/tensor.h"
#include "data/reader.h"

namespace tenon {

/// Channels that a decoded picture shall have. Grey becomes RGB by repetition, RGB becomes grey by the luma
/// of ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B), rounded.
enum class Channels { as_stored, grey, rgb };

/// Width and height above this are refused.
inline constexpr int64_t kMaxImageSide = 32768;

/// Decodes a PNG or JPEG file, known by its first bytes: uint8 [1 or 3, H, W].
///   PNG: any depth and colour type (palettes are looked up, 16 bits become 8, transparency is dropped), Adam7
///   too. Every chunk must be whole with a correct CRC, IDAT must unpack to exactly the declared picture, IEND
///   must end the file.
///   JPEG: baseline and progressive, 8 bits, grey or YCbCr/RGB (CMYK and arithmetic coding are refused). What
///   libjpeg only warns of (damaged or truncated data) is refused, and so are bytes behind the end. Orientation
///   tags are not applied.
/// Throws Error naming the file and what was expected.
Tensor read_image(const std::string& path, Channels channels = Channels::as_stored);
Tensor read_image(const ByteSource& source, Channels channels = Channels::as_stored);

/// The bytes of a PNG file: `image` is uint8 [H, W], [1, H, W] or [3, H, W] on the host, neither side 0.
std::string encode_png(const Tensor& image);

/// Bilinear resizing of uint8 [C, H, W] with antialiasing: a triangle filter as wide as the larger of the two
/// pixel sizes, as Pillow's BILINEAR (which also rounds between the two passes, so it may differ by 1).
Tensor resize_image(const Tensor& image, int64_t height, int64_t width);

}  // namespace tenon
