// IDX, the format of MNIST and its relatives: a big-endian header (type, rank, extents), then the elements.
// Source: http://yann.lecun.com/exdb/mnist/ ("the IDX file format").
#pragma once

#include <string>

#include "core/tensor.h"
#include "data/reader.h"

namespace tenon {

/// Reads an IDX file, plain or gzip, of unsigned bytes, int32, float32 or float64 (signed bytes and 16-bit
/// integers are refused: Tenon has no such dtype). Throws Error naming file, byte and expectation for
/// anything but a whole, well-formed file with nothing behind it.
Tensor read_idx(const std::string& path);
Tensor read_idx(FileReader& in);

/// The bytes of the IDX file that holds `tensor` (on the host; uint8, int32, float32 or float64; rank 1 to
/// 8).
std::string encode_idx(const Tensor& tensor);

}  // namespace tenon
