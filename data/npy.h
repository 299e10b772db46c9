// NumPy's array files: .npy (one array) and .npz (a zip archive of them).
// Source: NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays"; PKWARE APPNOTE 6.3 for zip.
#pragma once

#include <string>

#include "core/tensor.h"
#include "data/named_tensors.h"
#include "data/reader.h"

namespace tenon {

/// Reads a .npy file of float32, float64, int64, int32 or uint8, little-endian, of rank 0 to 8, plain or
/// gzip. An array in Fortran order is a tensor with strides to match. Throws Error naming file, byte and
/// expectation for anything else, and for a truncated file or bytes behind the array.
Tensor read_npy(const std::string& path);
Tensor read_npy(FileReader& in);

/// The bytes of the .npy file that holds `tensor` (on the host, any dtype): version 1.0, C order, or Fortran
/// order if that is how the elements lie.
std::string encode_npy(const Tensor& tensor);

/// Reads a .npz archive: every member must be an array `<name>.npy`, stored or deflated, with a correct
/// CRC-32. Encrypted members, zip64 sizes (4 GiB and more), overlapping members and repeated names are
/// refused.
NamedTensors read_npz(const std::string& path);
NamedTensors read_npz(const ByteSource& source);

/// The bytes of the .npz archive of `tensors`, not compressed. Throws Error on a repeated name or at 4 GiB.
std::string encode_npz(const NamedTensors& tensors);

}  // namespace tenon
