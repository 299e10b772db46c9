// Tensors by name, in an order of their own: what an archive holds.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace tenon {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

}  // namespace tenon
