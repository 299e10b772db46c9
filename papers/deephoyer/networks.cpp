// Hyper-parameters are those of the released code, or of the paper; README.md tells which.
#include "papers/deephoyer/networks.h"

#include "nn/models/alexnet.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"

namespace tenon::deephoyer {
namespace {

using experiment::Scale;

constexpr double kMomentum = 0.9;
constexpr double kDecay = 1e-4;

// Tables of the published sizes: He et al. (2016) for CIFAR, torchvision for ResNet-50, Krizhevsky's two groups for AlexNet.
std::vector<NetworkInfo> all_networks() {
  std::vector<NetworkInfo> all = {
      {.network = Network::lenet_300_100,
       .family = Family::lenet,
       .arms = "",
       .name = "LeNet-300-100",
       .data = "MNIST",
       .image = {1, 28, 28},
       .cuts_by_std = true,
       .published_weights = 0.2662,
       .published_macs = 0.2662},
      {.network = Network::lenet_5,
       .family = Family::lenet,
       .arms = "lenet5-",
       .name = "LeNet-5",
       .data = "MNIST",
       .image = {1, 28, 28},
       .cuts_by_std = true,
       .published_weights = 0.4305,
       .published_macs = 2.293},
  };
  const auto resnet = [&](Network network, const char* depth, const char* data, const Shape& image,
                          int64_t classes, double weights, double macs) {
    all.push_back({.network = network,
                   .family = Family::large,
                   .arms = concat("resnet", depth, "-"),
                   .name = concat("ResNet-", depth),
                   .data = data,
                   .image = image,
                   .classes = classes,
                   .any_extent = classes == 10,
                   .solver = Solver::sgd,
                   .weight_decay = kDecay,
                   .published_weights = weights,
                   .published_macs = macs});
  };
  // Not of the paper: a small one for Fashion-MNIST's 2 x 2 means.
  resnet(Network::resnet_8, "8", "", {1, 14, 14}, 10, 0, 0);
  resnet(Network::resnet_20, "20", "CIFAR-10", {3, 32, 32}, 10, 0.27, 40.6);
  resnet(Network::resnet_56, "56", "CIFAR-10", {3, 32, 32}, 10, 0.85, 125);
  resnet(Network::resnet_110, "110", "CIFAR-10", {3, 32, 32}, 10, 1.7, 253);
  all.push_back({.network = Network::alexnet,
                 .family = Family::large,
                 .arms = "alexnet-",
                 .name = "AlexNet",
                 .data = "ImageNet",
                 .image = {3, 227, 227},
                 .classes = 1000,
                 .solver = Solver::sgd,
                 .weight_decay = kDecay,
                 .published_weights = 60.9,
                 .published_macs = 724});
  resnet(Network::resnet_50, "50", "ImageNet", {3, 224, 224}, 1000, 25.5, 4090);
  return all;
}

// A schedule of so many epochs whose rate falls at a half and at three quarters, as 81 and 122 of 164 are.
Schedule halves(int64_t epochs) { return {epochs, 0.1, {epochs / 2, epochs * 3 / 4}}; }

Stages cifar_stages(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {{2, 0.1, {1}}, {2, 0.1, {1}}, {1, 0.01, {1}}, 50};
    case Scale::kScaled:
      return {halves(12), halves(10), halves(8), 64};
    case Scale::kPaper:
      break;
  }
  const Schedule paper{164, 0.1, {81, 122}};
  return {paper, paper, paper, 128};
}

Stages lenet_stages(Scale scale, Network network) {
  const auto epochs = [](int64_t dense, int64_t penalty, int64_t finetune) {
    return Stages{{dense, 1e-3, {}}, {penalty, 1e-3, {}}, {finetune, 1e-3, {}}, 100};
  };
  switch (scale) {
    case Scale::kSmoke:
      return epochs(2, 2, 1);
    case Scale::kScaled:
      return network == Network::lenet_5 ? epochs(10, 40, 10) : epochs(30, 100, 20);
    case Scale::kPaper:
      return epochs(250, 250, 50);
  }
  fail("deephoyer: no such scale");
}

}  // namespace

const std::vector<NetworkInfo>& networks() {
  static const std::vector<NetworkInfo> all = all_networks();
  return all;
}

const NetworkInfo& info_of(Network network) { return networks().at(static_cast<size_t>(network)); }

bool is_residual(Network network) {
  return info_of(network).family == Family::large && network != Network::alexnet;
}

std::shared_ptr<Sequential> make_network(Network network, int64_t seed) {
  Generator generator(static_cast<uint64_t>(seed));
  const NetworkInfo& info = info_of(network);
  if (network == Network::lenet_300_100) return make_lenet_300_100(generator);
  if (network == Network::lenet_5) return make_lenet_5(generator);
  if (network == Network::alexnet) return make_alexnet(info.classes, generator);
  const std::string name = info.arms.substr(0, info.arms.size() - 1);  // without "-"
  return make_named_resnet(name, info.image[0], info.classes, generator);
}

Stages stages_of(Scale scale, Network network) {
  if (network == Network::alexnet) return {{90, 0.01, {30, 60}}, {45, 1e-3, {30}}, {30, 1e-3, {30}}, 256};
  if (network == Network::resnet_50)
    return {{90, 0.1, {30, 60}}, {90, 0.1, {30, 60}}, {90, 0.01, {30, 60}}, 256};
  return is_residual(network) ? cifar_stages(scale) : lenet_stages(scale, network);
}

std::unique_ptr<Optimizer> make_optimizer(Network network, const Module& net, double rate,
                                          double weight_decay) {
  if (info_of(network).solver == Solver::adam)
    return std::make_unique<Adam>(net.named_parameters(),
                                  AdamOptions{.lr = rate, .weight_decay = weight_decay});
  return std::make_unique<SGD>(net.named_parameters(),
                               SgdOptions{.lr = rate, .momentum = kMomentum, .weight_decay = weight_decay});
}

}  // namespace tenon::deephoyer
