// AlexNet with two groups (Krizhevsky et al., 2012), as Caffe trains it.
#pragma once

#include <memory>

#include "core/random.h"
#include "nn/sequential.h"

namespace tenon {

/// conv1 11x11/4 3 -> 96, pool, conv2 5x5 96 -> 256 (2 groups), pool, conv3 3x3 256 -> 384, conv4 3x3 384 ->
/// 384 (2 groups), conv5 3x3 384 -> 256 (2 groups), pool, fc6 9216 -> 4096, fc7 -> 4096, fc8 -> classes; ReLU
/// after each but the last, max pooling 3x3 of stride 2, dropout 0.5 before fc6 and fc7. Input [N, 3, 227,
/// 227]. 60,954,656 weights and 10,568 biases for 1000 classes. Without the original's local response
/// normalisation, which has no parameters.
std::shared_ptr<Sequential> make_alexnet(int64_t classes = 1000, Generator& generator = default_generator());

}  // namespace tenon
