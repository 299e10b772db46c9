// Residual networks (He et al., 2016) of any depth for CIFAR and ImageNet images, and the plain nets without
// shortcuts. Names are torchvision's: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, ..., fc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/conv.h"
#include "nn/norm.h"
#include "nn/sequential.h"

namespace tenon {

/// What a stage is made of. `plain` is a convolution with batch norm and ReLU, without a shortcut.
enum class Block { basic, bottleneck, plain };
/// How convolutions start: He-normal with fan-out (He et al., 2015), or the default of the layers.
enum class ConvInit { he_fan_out, layer_default };
/// cifar: 3x3 convolution. imagenet: 7x7 convolution of stride 2 and 3x3 max pooling of stride 2.
enum class Stem { cifar, imagenet };

struct ResNetOptions {
  Block block = Block::basic;
  std::vector<int64_t> depths;  ///< blocks in each stage; stages after the first begin with stride 2
  std::vector<int64_t>
      widths;  ///< channels of each stage; of the 3x3 convolution in bottlenecks, which emit 4 times that
  int64_t stem_width = 0;  ///< channels of the stem; 0: widths[0]
  int64_t in_channels = 3;
  int64_t classes = 10;
  Stem stem = Stem::cifar;
  ConvInit init = ConvInit::he_fan_out;
};

/// relu(body(x) + shortcut(x)). Submodules conv1, bn1, conv2, bn2 (a bottleneck also conv3, bn3), and, where
/// the shape changes, the shortcut `downsample`: a 1x1 convolution of the block's stride with batch norm. The
/// convolutions may be replaced by other modules.
class ResidualBlock : public Module {
 public:
  /// basic: 3x3 of the stride, 3x3. bottleneck: 1x1, 3x3 of the stride, 1x1 to 4 * width.
  ResidualBlock(Block block, int64_t in, int64_t width, int64_t stride, ConvInit init, Generator& generator);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "ResidualBlock"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  /// The body's convolutions, each followed by its norm.
  const std::vector<std::shared_ptr<Module>>& convs() const { return convs_; }
  const std::vector<std::shared_ptr<BatchNorm2d>>& norms() const { return norms_; }
  /// Null for the identity.
  const std::shared_ptr<Sequential>& downsample() const { return downsample_; }

 protected:
  void on_replace(const std::string& name, const std::shared_ptr<Module>& by) override;

 private:
  void add(int64_t in, int64_t out, int64_t kernel, int64_t stride, ConvInit init, Generator& generator);
  std::vector<std::shared_ptr<Module>> convs_;
  std::vector<std::shared_ptr<BatchNorm2d>> norms_;
  std::shared_ptr<Sequential> downsample_;
};

/// One block of a network, as growing methods add them: a ResidualBlock, or for `plain` a Sequential conv,
/// bn, relu.
std::shared_ptr<Module> make_block(Block block, int64_t in, int64_t width, int64_t stride, ConvInit init,
                                   Generator& generator);

/// conv1, bn1, relu, (maxpool,) layer1, layer2, ..., avgpool, flatten, fc: a chain, whose stages are chains
/// of blocks "0", "1", ... Convolutions have no bias. Throws Error if depths and widths differ in number or
/// hold numbers below 1.
std::shared_ptr<Sequential> make_resnet(const ResNetOptions& options,
                                        Generator& generator = default_generator());

/// CIFAR: widths 16, 32, 64, depth 6n + 2 of basic blocks or 9n + 2 of bottlenecks. ResNet-20 has 0.27 M
/// parameters and 40.8 M MACs for 32x32. Throws Error for another depth.
std::shared_ptr<Sequential> make_cifar_resnet(int64_t depth, int64_t classes = 10, Block block = Block::basic,
                                              Generator& generator = default_generator());

/// "resnet8", "resnet20", "resnet32", "resnet56", "resnet110" (CIFAR, basic blocks), "resnet56b" (bottlenecks in the place of
/// resnet56's basic blocks, so deeper than its name), "resnet18", "resnet34", "resnet50" (ImageNet).
const std::vector<std::string>& resnet_names();
/// The network of that name for images of so many channels. Throws Error if there is none, and if one of ImageNet is asked
/// for with other than three.
std::shared_ptr<Sequential> make_named_resnet(const std::string& name, int64_t in_channels, int64_t classes,
                                              Generator& generator);

/// ImageNet: 18, 34 (basic) or 50 (bottleneck, the stride at the 3x3 convolution), input [N, 3, 224, 224]:
/// 11,689,512, 21,797,672 and 25,557,032 parameters for 1000 classes. Throws Error for another depth.
std::shared_ptr<Sequential> make_imagenet_resnet(int64_t depth, int64_t classes = 1000,
                                                 Generator& generator = default_generator());

}  // namespace tenon
