// The families of networks that AutoGrow grows, and the growth of one block.
#pragma once

#include <memory>
#include <string>

#include "nn/models/resnet.h"
#include "papers/autogrow/policy.h"

namespace tenon::autogrow {

/// The paper's Basic3ResNet, Basic4ResNet, Bottleneck4ResNet, Plain3Net, Plain4Net: stages of one kind of block.
enum class Family { basic3, basic4, bottleneck4, plain3, plain4 };
/// "Basic3ResNet"
const char* name_of(Family family);
int stages_of(Family family);
bool is_plain(Family family);

/// What does not change as a network grows.
struct NetworkOptions {
  Family family = Family::basic3;
  int64_t width = 16;  ///< channels of the stem and of the first stage; doubled from stage to stage
  Shape image;         ///< [C, H, W]
  int64_t classes = 10;
  Stem stem = Stem::cifar;
};

/// A network with so many blocks in each stage, fresh weights. CIFAR networks start from the layers' default (uniform within
/// 1 / sqrt(fan_in)), ImageNet networks He-normal, as the paper's do. Throws Error if there are not as many depths as stages.
std::shared_ptr<Sequential> make_network(const NetworkOptions& options, const Depths& depths,
                                         Generator& generator);
/// Blocks in each stage of such a network.
Depths depths_of(Module& net, Family family);
/// Multiply-accumulates of the forward of one image.
int64_t forward_macs(Module& net, const NetworkOptions& options);
/// Of its training step: a forward, and twice that backward.
int64_t training_macs(Module& net, const NetworkOptions& options);

/// What becomes of gamma and beta of the new block's last batch norm. A plain block, which has no shortcut, keeps its default.
enum class Initialiser {
  zero,      ///< both 0: the block is relu(x) = x, since x is the output of a ReLU (Network Morphism)
  adam,      ///< default; then they alone are trained by Adam, which is not done here
  uniform,   ///< U(0, scale), as the authors' code has it
  centred,   ///< uniform with mean 0 and standard deviation `scale`, as the paper has it
  gaussian,  ///< N(0, scale^2): the paper's choice
};
const char* name_of(Initialiser initialiser);

/// A block that was appended.
struct GrownBlock {
  std::string name;  ///< "layer2.3"
  std::shared_ptr<Module> block;
  std::shared_ptr<BatchNorm2d> last_norm;  ///< null in plain networks
};

/// Appends a block to stage `stage` (from 0), with default weights, running mean 0 and variance 1. No parameter, buffer or name
/// that was there changes. The block lies on the device, and is in the mode, of the network.
GrownBlock append_block(Module& net, const NetworkOptions& options, int stage, Generator& generator);
/// Draws the last norm's gamma and beta. Leaves a plain block alone.
void initialise(const GrownBlock& block, Initialiser initialiser, double scale, Generator& generator);
/// Appends blocks with default weights until the network has these depths, as a checkpoint's weights expect it. Throws Error if
/// it has more.
void append_blocks(Module& net, const NetworkOptions& options, const Depths& depths);

}  // namespace tenon::autogrow
