#include "nn/models/lenet.h"

#include "nn/activations.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace tenon {

std::shared_ptr<Sequential> make_lenet_5(Generator& generator) {
  auto net = std::make_shared<Sequential>();
  net->add("conv1", std::make_shared<Conv2d>(1, 20, Dims{5}, ConvOptions{}, Bias::yes, generator))
      .add("relu1", std::make_shared<ReLU>())
      .add("pool1", std::make_shared<MaxPool2d>(PoolOptions{.kernel = {2}}))
      .add("conv2", std::make_shared<Conv2d>(20, 50, Dims{5}, ConvOptions{}, Bias::yes, generator))
      .add("relu2", std::make_shared<ReLU>())
      .add("pool2", std::make_shared<MaxPool2d>(PoolOptions{.kernel = {2}}))
      .add("flatten", std::make_shared<Flatten>())
      .add("fc1", std::make_shared<Linear>(800, 500, Bias::yes, generator))
      .add("relu3", std::make_shared<ReLU>())
      .add("fc2", std::make_shared<Linear>(500, 10, Bias::yes, generator));
  return net;
}

}  // namespace tenon
