// The image data sets that Tenon knows by name, where they are looked for, and how they are checked.
//
// Which set is loaded is always what the caller named; a set that is not there is an Error that tells how to
// get it, never another set.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace tenon {

enum class Part { train, test };

/// Labelled images, wholly in memory.
struct Dataset {
  std::string name;                      ///< as it was asked for
  Tensor images;                         ///< uint8 [N, C, H, W]
  Tensor labels;                         ///< int64 [N], 0 to class_names.size() - 1
  std::vector<std::string> class_names;  ///< one for each label
  std::string source;                    ///< the folder it was read from
  /// What is known of the files, to be printed beside every result: "the published files (CRC-32 checked)",
  /// or the first line of the file ORIGIN in the folder, or that the copy is of unknown origin.
  std::string origin;
};

/// The names that load_dataset takes: "fashion_mnist", "mnist", "cifar10".
const std::vector<std::string>& dataset_names();

/// Loads one part of a set. The folder is the first of these that holds the set:
///   $TENON_DATA/<folder>
///   <cache>/<folder>, the cache being $TENON_CACHE or ~/.cache/tenon
///   Debian's folder, where there is one
/// with <folder> `fashion-mnist`, `mnist` or `cifar10`; each file may be plain or gzip. MNIST and
/// Fashion-MNIST are the four IDX files and must be the published ones (size and CRC-32 of the unpacked
/// files); CIFAR-10 is the six binary batches, and must have the published number of images of each class.
/// Throws Error on an unknown name, a missing folder or file (with the command that provides it), or any
/// deviation.
Dataset load_dataset(const std::string& name, Part part);

}  // namespace tenon
