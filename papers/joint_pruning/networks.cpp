#include "papers/joint_pruning/networks.h"

#include "autograd/ops/index.h"
#include "autograd/ops/pool.h"
#include "nn/activations.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "nn/pool.h"
#include "nn/response_norm.h"

namespace tenon::joint_pruning {
namespace {

constexpr double kSlope = 0.1;        // of leaky ReLU; not published
constexpr uint64_t kNoiseStream = 7;  // of the seed; weights are drawn from stream 0
constexpr double kMlpDropout = 0.2;   // see README: 0.5 underfits this small network
constexpr double kConvnetDropout = 0.3, kAlexnetDropout = 0.5;

// Puts a chain together and notes its masks.
class Builder {
 public:
  Builder(Network network, int64_t seed, const Shape& input, double dropout)
      : generator_(static_cast<uint64_t>(seed)) {
    net_.network = network;
    net_.chain = std::make_shared<Sequential>();
    net_.noise = std::make_shared<Generator>(static_cast<uint64_t>(seed), kNoiseStream);
    net_.input = input;
    net_.dense_dropout = dropout;
  }
  Generator& generator() { return generator_; }
  Generator& noise() { return *net_.noise; }
  void add(const std::string& name, std::shared_ptr<Module> module) {
    net_.chain->add(name, std::move(module));
  }
  void conv(int number, int64_t in, int64_t out, int64_t kernel, const ConvOptions& options) {
    add("conv" + std::to_string(number),
        std::make_shared<Conv2d>(in, out, Dims{kernel}, options, Bias::yes, generator_));
    add("relu" + std::to_string(number), std::make_shared<ReLU>());
  }
  void pool(const std::string& number, int64_t padding) {
    add("pool" + number,
        std::make_shared<MaxPool2d>(PoolOptions{.kernel = {3}, .stride = {2}, .padding = {padding}}));
  }
  void mask() {
    net_.masks.push_back(std::make_shared<ActivationMask>(noise()));
    add("mask" + std::to_string(net_.masks.size()), net_.masks.back());
  }
  void note_masks(const MaskedBlock& block) {
    net_.masks.insert(net_.masks.end(), block.masks().begin(), block.masks().end());
  }
  // Dropout behind the last mask.
  void dropout() {
    auto layer = std::make_shared<Dropout>(net_.dense_dropout, noise());
    add("drop" + std::to_string(net_.masks.size()), layer);
    net_.dropouts.push_back({layer, net_.masks.size() - 1});
  }
  // A hidden fully connected layer with all that belongs to it.
  void hidden(const std::string& number, int64_t in, int64_t out, std::shared_ptr<Module> activation) {
    add("fc" + number, std::make_shared<Linear>(in, out, Bias::yes, generator_));
    add("act" + number, std::move(activation));
    mask();
    dropout();
  }
  void logits(const std::string& name, int64_t in, int64_t classes) {
    add(name, std::make_shared<Linear>(in, classes, Bias::yes, generator_));
  }
  void flatten() { add("flatten", std::make_shared<Flatten>()); }
  MaskedNet done() { return std::move(net_); }

 private:
  Generator generator_;
  MaskedNet net_;
};

std::shared_ptr<Module> activation(bool leaky) {
  if (leaky) return std::make_shared<LeakyReLU>(kSlope);
  return std::make_shared<ReLU>();
}

MaskedNet make_mlp3(Network network, int64_t seed) {
  Builder b(network, seed, {1, 1, 28, 28}, kMlpDropout);
  const bool leaky = network == Network::mlp3_leaky;
  b.flatten();
  b.hidden("1", 784, 300, activation(leaky));
  b.hidden("2", 300, 100, activation(leaky));
  b.logits("fc3", 100, 10);
  return b.done();
}

MaskedNet make_convnet5(int64_t seed) {
  Builder b(Network::convnet5, seed, {1, 3, 24, 24}, kConvnetDropout);
  b.conv(1, 3, 64, 5, {.padding = {2}});
  b.pool("1", 1);
  b.add("norm1", std::make_shared<LocalResponseNorm>(64));
  b.mask();
  b.conv(2, 64, 64, 5, {.padding = {2}});
  b.add("norm2", std::make_shared<LocalResponseNorm>(64));
  b.pool("2", 1);
  b.mask();
  b.flatten();
  b.hidden("1", 2304, 384, activation(false));
  b.hidden("2", 384, 192, activation(false));
  b.logits("fc3", 192, 10);
  return b.done();
}

MaskedNet make_alexnet(int64_t seed) {
  Builder b(Network::alexnet, seed, {1, 3, 227, 227}, kAlexnetDropout);
  b.conv(1, 3, 96, 11, {.stride = {4}});
  b.pool("1", 0);
  b.mask();
  b.conv(2, 96, 256, 5, {.padding = {2}, .groups = 2});
  b.pool("2", 0);
  b.mask();
  b.conv(3, 256, 384, 3, {.padding = {1}});
  b.mask();
  b.conv(4, 384, 384, 3, {.padding = {1}, .groups = 2});
  b.mask();
  b.conv(5, 384, 256, 3, {.padding = {1}, .groups = 2});
  b.pool("5", 0);
  b.mask();
  b.flatten();
  b.hidden("6", 9216, 4096, activation(false));
  b.hidden("7", 4096, 4096, activation(false));
  b.logits("fc8", 4096, 1000);
  return b.done();
}

std::shared_ptr<Conv2d> make_conv3x3(int64_t in, int64_t out, int64_t stride, Generator& generator) {
  auto conv = std::make_shared<Conv2d>(in, out, Dims{3}, ConvOptions{.stride = {stride}, .padding = {1}},
                                       Bias::no, generator);
  init::kaiming_normal(conv->weight.value(), generator, init::relu_gain(kSlope), init::Fan::out);
  return conv;
}

MaskedNet make_resnet32(int64_t seed) {
  Builder b(Network::resnet32, seed, {1, 3, 32, 32}, 0);
  b.add("conv1", make_conv3x3(3, 16, 1, b.generator()));
  b.add("bn1", std::make_shared<BatchNorm2d>(16));
  b.add("act1", activation(true));
  b.mask();
  int64_t in = 16;
  for (int unit = 2; unit <= 4; ++unit) {
    const int64_t out = int64_t{160} << (unit - 2);
    auto blocks = std::make_shared<Sequential>();
    for (int i = 0; i < 5; ++i, in = out) {
      auto block = std::make_shared<MaskedBlock>(in, out, unit > 2 && i == 0 ? 2 : 1, kSlope, b.generator(),
                                                 b.noise());
      b.note_masks(*block);
      blocks->add(block);
    }
    b.add("unit" + std::to_string(unit), blocks);
  }
  b.add("mean", std::make_shared<GlobalAvgPool>());
  b.flatten();
  b.logits("fc", 640, 10);
  return b.done();
}

Variable visit_chain(const std::string& prefix, Sequential& chain, Variable x, const Visit& visit) {
  for (size_t i = 0; i < chain.size(); ++i) {
    const std::string name = prefix + chain.name(i);
    if (auto* inner = dynamic_cast<Sequential*>(&chain[i])) {
      x = visit_chain(name + ".", *inner, x, visit);
    } else if (auto* block = dynamic_cast<MaskedBlock*>(&chain[i])) {
      x = block->visit(name + ".", x, visit);
    } else {
      x = visit(name, chain[i], x);
    }
  }
  return x;
}

}  // namespace

const char* name_of(Network network) {
  switch (network) {
    case Network::mlp3:
      return "MLP-3";
    case Network::mlp3_leaky:
      return "MLP-3 leaky";
    case Network::convnet5:
      return "ConvNet-5";
    case Network::alexnet:
      return "AlexNet";
    case Network::resnet32:
      return "ResNet-32";
  }
  fail("joint_pruning: no such network");
}

// ---- MaskedBlock --------------------------------------------------------------------------------------------------

MaskedBlock::MaskedBlock(int64_t in, int64_t out, int64_t stride, double slope, Generator& generator,
                         Generator& noise)
    : in_(in), out_(out), stride_(stride), slope_(slope) {
  for (int i : {1, 2}) {
    const std::string number = std::to_string(i);
    convs_.push_back(
        add_module("conv" + number, make_conv3x3(i == 1 ? in : out, out, i == 1 ? 1 : stride, generator)));
    norms_.push_back(add_module("bn" + number, std::make_shared<BatchNorm2d>(out)));
    masks_.push_back(add_module("mask" + number, std::make_shared<ActivationMask>(noise)));
  }
}

Variable MaskedBlock::shortcut(const Variable& x) const {
  const Variable small = stride_ == 1 ? x : avg_pool(x, {.kernel = {stride_}});
  return in_ == out_ ? small : pad(small, {0, 0, 0, 0}, {0, out_ - in_, 0, 0});
}

Variable MaskedBlock::visit(const std::string& prefix, const Variable& x, const Visit& visit) {
  Variable y = visit(prefix + "conv1", *convs_[0], x);
  y = leaky_relu(visit(prefix + "bn1", *norms_[0], y), slope_);
  y = visit(prefix + "mask1", *masks_[0], y);
  y = visit(prefix + "conv2", *convs_[1], y);
  y = leaky_relu(visit(prefix + "bn2", *norms_[1], y) + shortcut(x), slope_);
  return visit(prefix + "mask2", *masks_[1], y);
}

Variable MaskedBlock::forward(const Variable& x) {
  return visit("", x, [](const std::string&, Module& layer, const Variable& in) { return layer(in); });
}

Shape MaskedBlock::walk(const Shape& input, LayerUses& uses) const {
  Shape shape = input;
  for (size_t i = 0; i < convs_.size(); ++i) shape = norms_[i]->walk(convs_[i]->walk(shape, uses), uses);
  return shape;
}

// ---- networks -----------------------------------------------------------------------------------------------------

MaskedNet make_network(Network network, int64_t seed) {
  switch (network) {
    case Network::mlp3:
    case Network::mlp3_leaky:
      return make_mlp3(network, seed);
    case Network::convnet5:
      return make_convnet5(seed);
    case Network::alexnet:
      return make_alexnet(seed);
    case Network::resnet32:
      return make_resnet32(seed);
  }
  fail("joint_pruning: no such network");
}

Variable visit_layers(MaskedNet& net, const Variable& x, const Visit& visit) {
  return visit_chain("", *net.chain, x, visit);
}

}  // namespace tenon::joint_pruning
