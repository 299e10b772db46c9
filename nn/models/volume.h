// A small network on volumes: what training in three dimensions costs, in the bench and in tests of memory.
#pragma once

#include <memory>

#include "core/random.h"
#include "nn/sequential.h"

namespace tenon {

/// [N, 1, D, H, W] to [N, 10]: four stages of a 3 x 3 x 3 convolution, batch norm, ReLU and 2 x 2 x 2 max pooling, of 8,
/// 16, 32 and 64 channels; then the mean and a linear layer. D, H and W are 16 at least.
std::shared_ptr<Sequential> make_volume_network(Generator& generator = default_generator());

}  // namespace tenon
