#include "nn/models/alexnet.h"

#include "nn/activations.h"
#include "nn/conv.h"
#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace tenon {

std::shared_ptr<Sequential> make_alexnet(int64_t classes, Generator& generator) {
  auto net = std::make_shared<Sequential>();
  auto conv = [&](int number, int64_t in, int64_t out, int64_t kernel, const ConvOptions& options) {
    const std::string n = std::to_string(number);
    net->add("conv" + n, std::make_shared<Conv2d>(in, out, Dims{kernel}, options, Bias::yes, generator));
    net->add("relu" + n, std::make_shared<ReLU>());
  };
  auto pool = [&](const char* name) {
    net->add(name, std::make_shared<MaxPool2d>(PoolOptions{.kernel = {3}, .stride = {2}}));
  };
  auto fc = [&](int number, int64_t in, int64_t out) {
    const std::string n = std::to_string(number);
    net->add("drop" + n, std::make_shared<Dropout>(0.5));
    net->add("fc" + n, std::make_shared<Linear>(in, out, Bias::yes, generator));
    net->add("relu" + n, std::make_shared<ReLU>());
  };
  conv(1, 3, 96, 11, {.stride = {4}});
  pool("pool1");
  conv(2, 96, 256, 5, {.padding = {2}, .groups = 2});
  pool("pool2");
  conv(3, 256, 384, 3, {.padding = {1}});
  conv(4, 384, 384, 3, {.padding = {1}, .groups = 2});
  conv(5, 384, 256, 3, {.padding = {1}, .groups = 2});
  pool("pool5");
  net->add("flatten", std::make_shared<Flatten>());
  fc(6, 9216, 4096);
  fc(7, 4096, 4096);
  net->add("fc8", std::make_shared<Linear>(4096, classes, Bias::yes, generator));
  return net;
}

}  // namespace tenon
