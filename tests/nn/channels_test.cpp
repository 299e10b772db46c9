// Channels that stand or fall together: who writes and reads them, which are dead, and that a network without them computes
// the same.
#include "nn/compress/channels.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/compress/accounting.h"
#include "nn/linear.h"
#include "nn/models/alexnet.h"
#include "nn/models/resnet.h"
#include "tests/seed.h"

namespace tenon {
namespace {

const Shape kInput = {2, 3, 12, 12};

double largest_difference(Module& a, Module& b) {
  NoGrad no_grad;
  Generator g(test_seed(), 9);
  const Variable x(random_normal(kInput, g));
  a.eval();
  b.eval();
  const Tensor expected = a(x).value();
  return amax(abs(sub(b(x).value(), expected))).item() / std::max(1.0, amax(abs(expected)).item());
}

std::shared_ptr<Sequential> make(Block block, uint64_t seed = 1) {
  Generator g(seed);
  return make_resnet({.block = block, .depths = {2, 2}, .widths = {6, 8}}, g);
}

// Norms with scales, shifts and statistics of a trained network.
void scramble(Module& net, Generator& g) {
  for (const NamedModule& m : net.named_modules())
    if (auto* norm = dynamic_cast<BatchNorm2d*>(m.module))
      for (Variable* v : {&norm->weight, &norm->bias, &norm->running_mean, &norm->running_var})
        v->value().copy_(random_uniform(v->shape(), g, 0.5, 1.5));
}

// What a filter that was cut leaves: zeros, with the scale and shift behind it.
void kill(Module& net, const ChannelGroup::Writer& writer, int64_t channel) {
  dynamic_cast<Conv2d&>(net.at(writer.conv)).weight.value().select(0, channel).fill_(0);
  auto& norm = dynamic_cast<BatchNorm2d&>(net.at(writer.norm));
  norm.weight.value().narrow(0, channel, 1).fill_(0);
  norm.bias.value().narrow(0, channel, 1).fill_(0);
}
void stop_reading(Module& net, const std::string& reader, int64_t channel) {
  for (const NamedVariable& p : net.at(reader).named_parameters())
    if (p.name == "weight") p.variable.value().select(1, channel).fill_(0);
}

bool is_live(Module& net, const ChannelGroup& group, int64_t channel) {
  const std::vector<int64_t> live = live_channels(net, group);
  return std::find(live.begin(), live.end(), channel) != live.end();
}

std::shared_ptr<Sequential> copy_of(Sequential& net, Block block) {
  auto copy = make(block, 2);
  copy->load_state(net.state());
  return copy;
}

}  // namespace

TEST_CASE("channels: the groups of a residual network, with all that write and read them") {
  const auto net = make(Block::basic);
  const std::vector<ChannelGroup> groups = channel_groups(*net);
  std::vector<std::string> names;
  for (const ChannelGroup& group : groups) names.push_back(group.name());
  CHECK(names == std::vector<std::string>{"conv1", "layer1.0.conv1", "layer1.1.conv1",
                                          "layer2.0.downsample.0", "layer2.0.conv1", "layer2.1.conv1"});
  const ChannelGroup& first = groups[0];  // the stem's, which the identity shortcuts of stage 1 carry on
  REQUIRE(first.writers.size() == 3);
  CHECK(first.writers[0].norm == "bn1");
  CHECK(first.writers[2].conv == "layer1.1.conv2");
  CHECK(first.writers[2].norm == "layer1.1.bn2");
  CHECK(first.readers == std::vector<std::string>{"layer1.0.conv1", "layer1.1.conv1", "layer2.0.downsample.0",
                                                  "layer2.0.conv1"});
  const ChannelGroup& second = groups[3];
  CHECK(second.writers.size() == 3);
  CHECK(second.writers[0].norm == "layer2.0.downsample.1");
  CHECK(second.readers == std::vector<std::string>{"layer2.1.conv1", "fc"});
  CHECK(groups[4].writers.size() == 1);
  CHECK(groups[4].readers == std::vector<std::string>{"layer2.0.conv2"});
  CHECK(channels_of(*net, first) == 6);
  CHECK(channels_of(*net, second) == 8);
  CHECK(channel_groups(*make(Block::bottleneck)).size() == 3 + 2 * 4);  // the stem has its own
  CHECK(channel_groups(*make(Block::plain)).size() == 5);
}

TEST_CASE(
    "channels: what a shortcut carries is dead only when every writer, or every reader, has dropped it") {
  const auto net = make(Block::basic);
  Generator g(test_seed());
  scramble(*net, g);
  const ChannelGroup group = channel_groups(*net)[0];
  for (const ChannelGroup::Writer& writer : group.writers) {
    CHECK(is_live(*net, group, 2));
    kill(*net, writer, 2);
  }
  CHECK(!is_live(*net, group, 2));
  for (const std::string& reader : group.readers) {
    CHECK(is_live(*net, group, 4));
    stop_reading(*net, reader, 4);
  }
  CHECK(!is_live(*net, group, 4));
  const auto masked = copy_of(*net, Block::basic);
  const std::vector<KeptChannels> kept = shrink_channels(*net);
  CHECK(kept[0].shared);
  CHECK(kept[0].before == 6);
  CHECK(kept[0].kept == std::vector<int64_t>{0, 1, 3, 5});
  CHECK(kept[1].kept.size() == 6);
  CHECK(largest_difference(*masked, *net) < 1e-5);
}

TEST_CASE("channels: a filter of zeros whose norm still shifts is no dead channel") {
  const auto net = make(Block::basic);
  Generator g(test_seed());
  scramble(*net, g);
  const ChannelGroup inside = channel_groups(*net)[1];
  dynamic_cast<Conv2d&>(net->at(inside.name())).weight.value().select(0, 1).fill_(0);
  auto& norm = dynamic_cast<BatchNorm2d&>(net->at(inside.writers[0].norm));
  CHECK(is_live(*net, inside, 1));  // emits shift - scale mean / deviation
  norm.bias.value().narrow(0, 1, 1).fill_(0);
  CHECK(is_live(*net, inside, 1));
  norm.running_mean.value().narrow(0, 1, 1).fill_(0);
  CHECK(!is_live(*net, inside, 1));
}

TEST_CASE("channels: a network without its dead channels computes the same, whichever they are") {
  for (Block block : {Block::basic, Block::bottleneck, Block::plain})
    for (uint64_t draw = 0; draw < 4; ++draw) {
      CAPTURE(static_cast<int>(block));
      CAPTURE(draw);
      const auto net = make(block);
      Generator g(test_seed(), draw);
      scramble(*net, g);
      const double share = 0.25 * static_cast<double>(draw);
      size_t killed = 0;
      for (const ChannelGroup& group : channel_groups(*net))
        for (int64_t c = 0; c < channels_of(*net, group); ++c) {
          if (g.next_uniform() < share)
            for (const ChannelGroup::Writer& writer : group.writers)
              if (group.writers.size() == 1 || g.next_uniform() < 0.9) kill(*net, writer, c), ++killed;
          if (g.next_uniform() < share / 2)
            for (const std::string& reader : group.readers) stop_reading(*net, reader, c);
        }
      const auto masked = copy_of(*net, block);
      const int64_t macs = account(*net, kInput).macs;
      shrink_channels(*net);
      CHECK(largest_difference(*masked, *net) < 1e-5);
      CHECK((account(*net, kInput).macs < macs) == (killed > 0));
      const int64_t shrunk = account(*net, kInput).macs;
      for (const KeptChannels& group : shrink_channels(*net))
        CHECK(static_cast<int64_t>(group.kept.size()) == group.before);  // nothing is left to remove
      CHECK(account(*net, kInput).macs == shrunk);
    }
}

TEST_CASE("channels: a group whose channels are all dead keeps one, and what was shrunk trains on") {
  const auto net = make(Block::basic);
  const ChannelGroup inside = channel_groups(*net)[1];
  for (int64_t c = 0; c < 6; ++c) kill(*net, inside.writers[0], c);
  const auto masked = copy_of(*net, Block::basic);
  CHECK(shrink_channels(*net)[1].kept.size() == 1);
  CHECK(largest_difference(*masked, *net) < 1e-5);
  net->train();
  Generator g(test_seed());
  backward(sum(square((*net)(Variable(random_normal(kInput, g))))));
  for (const NamedVariable& p : net->named_parameters()) CHECK(p.variable.grad().defined());
}

TEST_CASE("channels: what is not known is refused by name") {
  Generator g(1);
  CHECK_THROWS_WITH_AS(channel_groups(*make_alexnet(4, g)), doctest::Contains("'conv2' has groups"), Error);
  Sequential sigmoid;
  sigmoid.add("conv", std::make_shared<Conv2d>(3, 4, Dims{3}, ConvOptions{}, Bias::yes, g))
      .add("act", std::make_shared<Sigmoid>());
  CHECK_THROWS_WITH_AS(channel_groups(sigmoid), doctest::Contains("'act' (Sigmoid)"), Error);
  Sequential wide;
  wide.add("conv", std::make_shared<Conv2d>(3, 4, Dims{3}, ConvOptions{}, Bias::yes, g))
      .add("flatten", std::make_shared<Flatten>())
      .add("fc", std::make_shared<Linear>(4 * 9, 2, Bias::yes, g));
  CHECK_THROWS_WITH_AS(channel_groups(wide), doctest::Contains("reads 36 features of 4 channels"), Error);
  Sequential norm;
  norm.add("bn", std::make_shared<BatchNorm2d>(3));
  CHECK_THROWS_WITH_AS(channel_groups(norm), doctest::Contains("'bn' (BatchNorm2d)"), Error);
}

}  // namespace tenon
