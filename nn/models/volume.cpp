#include "nn/models/volume.h"

#include "nn/activations.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/pool.h"

namespace tenon {

std::shared_ptr<Sequential> make_volume_network(Generator& generator) {
  auto net = std::make_shared<Sequential>();
  int64_t inside = 1;
  for (int64_t outside : {8, 16, 32, 64}) {
    net->add(concat("conv", outside),
             std::make_shared<Conv3d>(inside, outside, Dims{3}, ConvOptions{.padding = {1}}, Bias::no,
                                      generator))
        .add(concat("norm", outside), std::make_shared<BatchNorm3d>(outside))
        .add(concat("relu", outside), std::make_shared<ReLU>())
        .add(concat("pool", outside), std::make_shared<MaxPool3d>(PoolOptions{.kernel = {2}}));
    inside = outside;
  }
  net->add("mean", std::make_shared<GlobalAvgPool>())
      .add("flatten", std::make_shared<Flatten>())
      .add("fc", std::make_shared<Linear>(64, 10, Bias::yes, generator));
  return net;
}

}  // namespace tenon
