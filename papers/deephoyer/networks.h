// The networks of the paper: how each is built, what was published of its size, and how it is trained.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/optim.h"
#include "nn/sequential.h"
#include "papers/experiment/options.h"

namespace tenon::deephoyer {

enum class Network { lenet_300_100, lenet_5, resnet_8, resnet_20, resnet_56, resnet_110, alexnet, resnet_50 };

/// The two programs: MNIST's networks with every baseline, and those of CIFAR-10 and ImageNet.
enum class Family { lenet, large };

enum class Solver { adam, sgd };

struct NetworkInfo {
  Network network;
  Family family;
  std::string arms;  ///< what the names of its arms begin with: "resnet20-"
  std::string name;  ///< "ResNet-20"
  std::string data;  ///< what its published figures are of: "CIFAR-10"
  Shape image;       ///< [C, H, W]
  int64_t classes = 10;
  bool any_extent = false;  ///< images may have other heights and widths
  Solver solver = Solver::adam;
  double weight_decay = 0;  ///< of the dense stage
  bool cuts_by_std =
      false;  ///< by multiples of each tensor's std, biases too; else by one |w| for all, weights alone
  double published_weights = 0, published_macs = 0;  ///< in millions; MACs of one image
};

/// In the order of the enumeration.
const std::vector<NetworkInfo>& networks();
const NetworkInfo& info_of(Network network);
/// Blocks with shortcuts and batch norm: its channels are removed by nn/compress/channels.h.
bool is_residual(Network network);

/// A fresh network, drawn from the seed alone.
std::shared_ptr<Sequential> make_network(Network network, int64_t seed);

/// The learning rate over one stage.
struct Schedule {
  int64_t epochs = 0;
  double rate = 1e-3;  ///< of the first epoch
  std::vector<int64_t>
      milestones;  ///< a tenth from each of these epochs on; none: falls exponentially to a tenth
};
struct Stages {
  Schedule dense, penalty, finetune;
  int64_t batch = 100;
};
/// The published schedules at paper scale; reduced ones of the same shape else. (ImageNet's networks were not trained from
/// scratch in the paper: their dense stage is the usual one.)
Stages stages_of(experiment::Scale scale, Network network);

/// The optimiser of a network: Adam, or stochastic gradient descent with momentum 0.9.
std::unique_ptr<Optimizer> make_optimizer(Network network, const Module& net, double rate,
                                          double weight_decay);

}  // namespace tenon::deephoyer
