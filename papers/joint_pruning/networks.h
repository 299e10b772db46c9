// The networks of Joint Pruning: as published, with a mask behind every hidden activation that feeds a layer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/activation_mask.h"
#include "nn/dropout.h"
#include "nn/models/resnet.h"
#include "nn/sequential.h"

namespace tenon::joint_pruning {

enum class Network { mlp3, mlp3_leaky, convnet5, alexnet, resnet32 };
/// "MLP-3", "MLP-3 leaky", "ConvNet-5", "AlexNet", "ResNet-32"
const char* name_of(Network network);
/// Is it one of fully connected layers alone?
inline bool is_mlp(Network network) { return network == Network::mlp3 || network == Network::mlp3_leaky; }

/// A layer, whose name is the path of its module, as it is met on the way forward.
using Visit = std::function<Variable(const std::string& name, Module& layer, const Variable& x)>;

/// relu-like residual block whose shortcut has no weights: conv1, bn1, activation, mask1, conv2, bn2, plus the input (its
/// 2 x 2 means and zeros for new channels where the shape changes), activation, mask2. The second convolution carries the
/// stride: the published count of multiplications has the first one run before down-sampling.
class MaskedBlock : public Module {
 public:
  MaskedBlock(int64_t in, int64_t out, int64_t stride, double slope, Generator& generator, Generator& noise);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "MaskedBlock"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;
  /// Forward in which every submodule goes through `visit`, named behind `prefix`.
  Variable visit(const std::string& prefix, const Variable& x, const Visit& visit);
  const std::vector<std::shared_ptr<ActivationMask>>& masks() const { return masks_; }

 private:
  Variable shortcut(const Variable& x) const;
  int64_t in_, out_, stride_;
  double slope_;
  std::vector<std::shared_ptr<Conv2d>> convs_;
  std::vector<std::shared_ptr<BatchNorm2d>> norms_;
  std::vector<std::shared_ptr<ActivationMask>> masks_;
};

/// A network and the handles by which it is pruned.
struct MaskedNet {
  Network network = Network::mlp3;
  std::shared_ptr<Sequential> chain;
  Shape input;                                         ///< of one image, batch axis included
  std::vector<std::shared_ptr<ActivationMask>> masks;  ///< in order; the input and the logits have none
  /// Dropout behind masks, and the number of the mask; its rate in stage B follows that mask's winner rate.
  struct DropoutAt {
    std::shared_ptr<Dropout> layer;
    size_t mask;
  };
  std::vector<DropoutAt> dropouts;
  std::shared_ptr<Generator> noise;  ///< of dropout and of random winners
  double dense_dropout = 0;          ///< rate while the dense network is trained
};

/// A fresh network, drawn from the seed alone.
///   MLP-3: 784-300-100-10.
///   ConvNet-5: the CIFAR-10 network of the TensorFlow tutorials on 24 x 24 crops: conv 5x5,64, max pool 3x3/2, response
///     norm, conv 5x5,64, response norm, max pool, fc 384, 192, 10.
///   AlexNet: its two-group form for 227 x 227 images of 1,000 classes.
///   ResNet-32: conv 3x3,16, three units of five blocks at 160, 320, 640 channels, leaky ReLU, mean, fc.
MaskedNet make_network(Network network, int64_t seed);

/// Forward of the chain in which every layer, those within blocks too, goes through `visit`.
Variable visit_layers(MaskedNet& net, const Variable& x, const Visit& visit);

}  // namespace tenon::joint_pruning
