// Multi-layer perceptrons.
#pragma once

#include <memory>
#include <vector>

#include "core/random.h"
#include "nn/sequential.h"

namespace tenon {

/// flatten, fc1, relu1, fc2, ..., fcK: `widths` = {inputs, hidden ..., outputs}, at least two. Input [N,
/// ...].
std::shared_ptr<Sequential> make_mlp(const std::vector<int64_t>& widths,
                                     Generator& generator = default_generator());

/// LeNet-300-100 (LeCun et al., 1998): 784-300-100-10 with ReLU. 266,200 weights, 410 biases, 266,200 MACs an
/// image.
std::shared_ptr<Sequential> make_lenet_300_100(Generator& generator = default_generator());

}  // namespace tenon
