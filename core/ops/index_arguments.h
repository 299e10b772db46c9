// The check of indices, which ops of other families share. For core/ops/*.cpp only.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// Throws Error, naming one that is not, unless `index` is a defined int64 tensor of numbers in [0, extent). Waits
/// for the device of a device tensor.
void check_index(const char* op, const Tensor& index, int64_t extent);

}  // namespace tenon
