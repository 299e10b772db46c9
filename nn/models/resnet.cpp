#include "nn/models/resnet.h"

#include <algorithm>

#include "nn/activations.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace tenon {
namespace {

constexpr int64_t kExpansion = 4;  // channels that a bottleneck emits, over its width

// A convolution that keeps the extent (up to its stride), without a bias: a batch norm follows.
std::shared_ptr<Conv2d> make_conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, ConvInit init,
                                  Generator& g) {
  ConvOptions options{.stride = {stride}, .padding = {kernel / 2}};
  auto conv = std::make_shared<Conv2d>(in, out, Dims{kernel}, options, Bias::no, g);
  if (init == ConvInit::he_fan_out)
    init::kaiming_normal(conv->weight.value(), g, init::relu_gain(), init::Fan::out);
  return conv;
}

int64_t channels_out(Block block, int64_t width) {
  return block == Block::bottleneck ? kExpansion * width : width;
}

// Three stages of so many blocks each.
std::shared_ptr<Sequential> make_cifar_stages(int64_t blocks, Block block, int64_t in_channels,
                                              int64_t classes, Generator& generator) {
  return make_resnet({.block = block,
                      .depths = {blocks, blocks, blocks},
                      .widths = {16, 32, 64},
                      .in_channels = in_channels,
                      .classes = classes},
                     generator);
}

}  // namespace

ResidualBlock::ResidualBlock(Block block, int64_t in, int64_t width, int64_t stride, ConvInit init,
                             Generator& generator) {
  TENON_CHECK(block != Block::plain, "ResidualBlock: plain blocks have no shortcut");
  const int64_t out = channels_out(block, width);
  if (block == Block::basic) {
    add(in, width, 3, stride, init, generator);
    add(width, width, 3, 1, init, generator);
  } else {
    add(in, width, 1, 1, init, generator);
    add(width, width, 3, stride, init, generator);
    add(width, out, 1, 1, init, generator);
  }
  if (stride == 1 && in == out) return;
  downsample_ = std::make_shared<Sequential>();
  downsample_->add(make_conv(in, out, 1, stride, init, generator)).add(std::make_shared<BatchNorm2d>(out));
  add_module("downsample", downsample_);
}

void ResidualBlock::add(int64_t in, int64_t out, int64_t kernel, int64_t stride, ConvInit init,
                        Generator& generator) {
  const std::string number = std::to_string(convs_.size() + 1);
  convs_.push_back(add_module("conv" + number, make_conv(in, out, kernel, stride, init, generator)));
  norms_.push_back(add_module("bn" + number, std::make_shared<BatchNorm2d>(out)));
}

void ResidualBlock::on_replace(const std::string& name, const std::shared_ptr<Module>& by) {
  for (size_t i = 0; i < convs_.size(); ++i) {
    if (name != concat("conv", i + 1)) continue;
    convs_[i] = by;
    return;
  }
  Module::on_replace(name, by);
}

Variable ResidualBlock::forward(const Variable& x) {
  Variable y = x;
  for (size_t i = 0; i + 1 < convs_.size(); ++i) y = norms_[i]->forward_relu(convs_[i]->forward(y));
  y = convs_.back()->forward(y);
  return norms_.back()->forward_relu(y, downsample_ ? downsample_->forward(x) : x);
}

Shape ResidualBlock::walk(const Shape& input, LayerUses& uses) const {
  Shape shape = input;
  for (size_t i = 0; i < convs_.size(); ++i) shape = norms_[i]->walk(convs_[i]->walk(shape, uses), uses);
  const Shape shortcut = downsample_ ? downsample_->walk(input, uses) : input;
  TENON_CHECK(shape == shortcut, "ResidualBlock: walk: the body gives ", shape, ", the shortcut ", shortcut);
  return shape;
}

std::shared_ptr<Module> make_block(Block block, int64_t in, int64_t width, int64_t stride, ConvInit init,
                                   Generator& generator) {
  if (block != Block::plain)
    return std::make_shared<ResidualBlock>(block, in, width, stride, init, generator);
  auto plain = std::make_shared<Sequential>();
  plain->add("conv", make_conv(in, width, 3, stride, init, generator))
      .add("bn", std::make_shared<BatchNorm2d>(width))
      .add("relu", std::make_shared<ReLU>());
  return plain;
}

std::shared_ptr<Sequential> make_resnet(const ResNetOptions& o, Generator& generator) {
  TENON_CHECK(!o.depths.empty() && o.depths.size() == o.widths.size(),
              "make_resnet: expects as many depths as widths, got ", o.depths.size(), " and ",
              o.widths.size());
  const int64_t stem_width = o.stem_width > 0 ? o.stem_width : o.widths[0];
  auto net = std::make_shared<Sequential>();
  const bool imagenet = o.stem == Stem::imagenet;
  net->add("conv1",
           make_conv(o.in_channels, stem_width, imagenet ? 7 : 3, imagenet ? 2 : 1, o.init, generator));
  net->add("bn1", std::make_shared<BatchNorm2d>(stem_width)).add("relu", std::make_shared<ReLU>());
  if (imagenet)
    net->add("maxpool",
             std::make_shared<MaxPool2d>(PoolOptions{.kernel = {3}, .stride = {2}, .padding = {1}}));
  int64_t in = stem_width;
  for (size_t s = 0; s < o.depths.size(); ++s) {
    TENON_CHECK(o.depths[s] >= 1 && o.widths[s] >= 1, "make_resnet: stage ", s + 1,
                " expects depth and width >= 1, got ", o.depths[s], " and ", o.widths[s]);
    auto stage = std::make_shared<Sequential>();
    for (int64_t b = 0; b < o.depths[s]; ++b) {
      stage->add(make_block(o.block, in, o.widths[s], s > 0 && b == 0 ? 2 : 1, o.init, generator));
      in = channels_out(o.block, o.widths[s]);
    }
    net->add("layer" + std::to_string(s + 1), stage);
  }
  net->add("avgpool", std::make_shared<GlobalAvgPool>()).add("flatten", std::make_shared<Flatten>());
  net->add("fc", std::make_shared<Linear>(in, o.classes, Bias::yes, generator));
  return net;
}

std::shared_ptr<Sequential> make_cifar_resnet(int64_t depth, int64_t classes, Block block,
                                              Generator& generator) {
  const int64_t layers = block == Block::bottleneck ? 9 : block == Block::basic ? 6 : 3;
  TENON_CHECK(depth > 2 && (depth - 2) % layers == 0, "make_cifar_resnet: depth expects ", layers,
              "n + 2, got ", depth);
  return make_cifar_stages((depth - 2) / layers, block, 3, classes, generator);
}

const std::vector<std::string>& resnet_names() {
  static const std::vector<std::string> names = {"resnet8",   "resnet20", "resnet32", "resnet56", "resnet110",
                                                 "resnet56b", "resnet18", "resnet34", "resnet50"};
  return names;
}

std::shared_ptr<Sequential> make_named_resnet(const std::string& name, int64_t in_channels, int64_t classes,
                                              Generator& generator) {
  const auto& names = resnet_names();
  TENON_CHECK(std::find(names.begin(), names.end(), name) != names.end(),
              "make_named_resnet: no network is called '", name, "'");
  const int64_t depth = std::stoll(name.substr(6));  // behind "resnet"
  const Block block = name.back() == 'b' ? Block::bottleneck : Block::basic;
  const bool imagenet = depth == 18 || depth == 34 || depth == 50;
  if (!imagenet) return make_cifar_stages((depth - 2) / 6, block, in_channels, classes, generator);
  TENON_CHECK(in_channels == 3, "make_named_resnet: ", name, " expects images of 3 channels, got ",
              in_channels);
  return make_imagenet_resnet(depth, classes, generator);
}

std::shared_ptr<Sequential> make_imagenet_resnet(int64_t depth, int64_t classes, Generator& generator) {
  TENON_CHECK(depth == 18 || depth == 34 || depth == 50,
              "make_imagenet_resnet: depth expects 18, 34 or 50, got ", depth);
  ResNetOptions options;
  options.block = depth == 50 ? Block::bottleneck : Block::basic;
  options.depths = depth == 18 ? std::vector<int64_t>{2, 2, 2, 2} : std::vector<int64_t>{3, 4, 6, 3};
  options.widths = {64, 128, 256, 512};
  options.classes = classes;
  options.stem = Stem::imagenet;
  return make_resnet(options, generator);
}

}  // namespace tenon
