#include "papers/autogrow/growing.h"

#include <cmath>

#include "nn/compress/accounting.h"
#include "nn/init.h"

namespace tenon::autogrow {
namespace {

constexpr int64_t kExpansion = 4;  // channels that a bottleneck emits, over its width

Block block_of(Family family) {
  if (is_plain(family)) return Block::plain;
  return family == Family::bottleneck4 ? Block::bottleneck : Block::basic;
}

ConvInit conv_init(const NetworkOptions& options) {
  return options.stem == Stem::cifar ? ConvInit::layer_default : ConvInit::he_fan_out;
}

int64_t width_of(const NetworkOptions& options, int stage) { return options.width << stage; }

Sequential& stage_of(Module& net, int stage) {
  return dynamic_cast<Sequential&>(net.at(concat("layer", stage + 1)));
}

}  // namespace

const char* name_of(Family family) {
  switch (family) {
    case Family::basic3:
      return "Basic3ResNet";
    case Family::basic4:
      return "Basic4ResNet";
    case Family::bottleneck4:
      return "Bottleneck4ResNet";
    case Family::plain3:
      return "Plain3Net";
    case Family::plain4:
      return "Plain4Net";
  }
  fail("autogrow: no such family");
}

int stages_of(Family family) { return family == Family::basic3 || family == Family::plain3 ? 3 : 4; }

bool is_plain(Family family) { return family == Family::plain3 || family == Family::plain4; }

std::shared_ptr<Sequential> make_network(const NetworkOptions& options, const Depths& depths,
                                         Generator& generator) {
  TENON_CHECK(static_cast<int>(depths.size()) == stages_of(options.family), name_of(options.family),
              ": expects ", stages_of(options.family), " depths, got ", depths_text(depths));
  ResNetOptions resnet;
  resnet.block = block_of(options.family);
  resnet.depths = depths;
  for (int stage = 0; stage < stages_of(options.family); ++stage)
    resnet.widths.push_back(width_of(options, stage));
  resnet.in_channels = options.image[0];
  resnet.classes = options.classes;
  resnet.stem = options.stem;
  resnet.init = conv_init(options);
  return make_resnet(resnet, generator);
}

Depths depths_of(Module& net, Family family) {
  Depths depths;
  for (int stage = 0; stage < stages_of(family); ++stage)
    depths.push_back(static_cast<int64_t>(stage_of(net, stage).size()));
  return depths;
}

int64_t forward_macs(Module& net, const NetworkOptions& options) {
  const Shape& image = options.image;
  return account(net, {1, image[0], image[1], image[2]}).macs;
}

int64_t training_macs(Module& net, const NetworkOptions& options) { return 3 * forward_macs(net, options); }

const char* name_of(Initialiser initialiser) {
  switch (initialiser) {
    case Initialiser::zero:
      return "ZeroInit";
    case Initialiser::adam:
      return "AdamInit";
    case Initialiser::uniform:
      return "UniInit";
    case Initialiser::centred:
      return "UniInit, centred";
    case Initialiser::gaussian:
      return "GauInit";
  }
  fail("autogrow: no such initialiser");
}

GrownBlock append_block(Module& net, const NetworkOptions& options, int stage, Generator& generator) {
  Sequential& chain = stage_of(net, stage);
  const Block kind = block_of(options.family);
  const int64_t width = width_of(options, stage);
  const int64_t in = kind == Block::bottleneck ? kExpansion * width : width;
  GrownBlock grown;
  grown.name = concat("layer", stage + 1, ".", chain.size());
  grown.block = make_block(kind, in, width, 1, conv_init(options), generator);
  grown.block->to(net.device());
  grown.block->train(net.is_training());
  if (kind != Block::plain) grown.last_norm = dynamic_cast<const ResidualBlock&>(*grown.block).norms().back();
  chain.add(grown.block);
  return grown;
}

void initialise(const GrownBlock& grown, Initialiser initialiser, double scale, Generator& generator) {
  if (grown.last_norm == nullptr || initialiser == Initialiser::adam) return;
  NoGrad no_grad;
  for (const Variable& p : {grown.last_norm->weight, grown.last_norm->bias}) {
    const Shape shape = p.shape();
    const double half = scale * std::sqrt(3.0);  // of an interval with that standard deviation
    switch (initialiser) {
      case Initialiser::zero:
      case Initialiser::adam:
        p.value().fill_(0);
        break;
      case Initialiser::uniform:
        p.value().copy_(random_uniform(shape, generator, 0, scale));
        break;
      case Initialiser::centred:
        p.value().copy_(random_uniform(shape, generator, -half, half));
        break;
      case Initialiser::gaussian:
        p.value().copy_(random_normal(shape, generator, 0, scale));
        break;
    }
  }
}

void append_blocks(Module& net, const NetworkOptions& options, const Depths& depths) {
  Generator generator;
  const Depths present = depths_of(net, options.family);
  for (size_t stage = 0; stage < depths.size(); ++stage) {
    TENON_CHECK(present[stage] <= depths[stage], "append_blocks: the network has ", depths_text(present),
                " blocks, ", depths_text(depths), " were asked for");
    for (int64_t i = present[stage]; i < depths[stage]; ++i)
      append_block(net, options, static_cast<int>(stage), generator);
  }
}

}  // namespace tenon::autogrow
