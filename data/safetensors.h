// safetensors: named tensors and text in one file, for weights and checkpoints. Python reads it as it is.
// Source: https://github.com/huggingface/safetensors ("Format").
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "data/named_tensors.h"
#include "data/reader.h"

namespace tenon {

/// What a file holds. Both lists keep the order of the file's header.
struct Safetensors {
  NamedTensors tensors;
  std::vector<std::pair<std::string, std::string>> metadata;

  /// The tensor called `name`; throws Error if there is none.
  const Tensor& at(const std::string& name) const;
  /// The text called `name`, or nullptr.
  const std::string* find_metadata(const std::string& name) const;
};

/// Reads a file of F32, F64, I64, I32 and U8 tensors of rank 0 to 8. Throws Error naming file, byte and
/// expectation unless the header is sound JSON of exactly the format's members, every name is there once,
/// every size fits shape and dtype, and the tensors cover the rest of the file without gap or overlap.
Safetensors read_safetensors(const std::string& path);
Safetensors read_safetensors(const ByteSource& source);

/// Writes `file` to `path`, which afterwards holds the whole new file or, after an error or a crash, still
/// the old one. Tensors may lie on any device and in any order of axes. Throws Error on a name that is there
/// twice, is
/// "__metadata__" or not UTF-8, and if writing fails.
void write_safetensors(const std::string& path, const Safetensors& file);

}  // namespace tenon
