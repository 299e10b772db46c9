// CIFAR-10 and CIFAR-100 in their binary form: records of label bytes and 3,072 pixel bytes, nothing else.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html ("binary version").
#pragma once

#include <string>

#include "core/tensor.h"
#include "data/reader.h"

namespace tenon {

enum class CifarKind {
  cifar10,          ///< one label byte, 0 to 9
  cifar100_fine,    ///< two label bytes, coarse (0 to 19) and fine (0 to 99); the fine one is kept
  cifar100_coarse,  ///< the same records; the coarse label is kept
};

struct CifarBatch {
  Tensor images;  ///< uint8 [N, 3, 32, 32]: red, green, blue planes
  Tensor labels;  ///< int64 [N]
};

/// Reads one batch file, plain or gzip. Throws Error naming file, byte and expectation if it is empty, is no
/// whole number of records, or holds a label out of range.
CifarBatch read_cifar(const std::string& path, CifarKind kind);
CifarBatch read_cifar(FileReader& in, CifarKind kind);

}  // namespace tenon
