#include "nn/models/mlp.h"

#include "nn/activations.h"
#include "nn/linear.h"

namespace tenon {

std::shared_ptr<Sequential> make_mlp(const std::vector<int64_t>& widths, Generator& generator) {
  TENON_CHECK(widths.size() >= 2, "make_mlp: expects at least two widths, got ", widths.size());
  auto net = std::make_shared<Sequential>();
  net->add("flatten", std::make_shared<Flatten>());
  for (size_t i = 1; i < widths.size(); ++i) {
    const std::string number = std::to_string(i);
    net->add("fc" + number, std::make_shared<Linear>(widths[i - 1], widths[i], Bias::yes, generator));
    if (i + 1 < widths.size()) net->add("relu" + number, std::make_shared<ReLU>());
  }
  return net;
}

std::shared_ptr<Sequential> make_lenet_300_100(Generator& generator) {
  return make_mlp({784, 300, 100, 10}, generator);
}

}  // namespace tenon
