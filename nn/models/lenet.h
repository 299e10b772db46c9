// LeNet-5 in the form of Caffe's example, as the pruning literature uses it.
#pragma once

#include <memory>

#include "core/random.h"
#include "nn/sequential.h"

namespace tenon {

/// conv1 5x5 1 -> 20, ReLU, max pool 2, conv2 5x5 20 -> 50, ReLU, max pool 2, flatten, fc1 800 -> 500, ReLU,
/// fc2 500 -> 10, no padding. Input [N, 1, 28, 28]. 430,500 weights, 580 biases, 2,293,000 MACs an image.
std::shared_ptr<Sequential> make_lenet_5(Generator& generator = default_generator());

}  // namespace tenon
