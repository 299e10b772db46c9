#include "nn/compress/channels.h"

#include <numeric>

#include "core/ops/index.h"
#include "nn/activations.h"
#include "nn/compress/mask.h"
#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/models/resnet.h"
#include "nn/pool.h"

namespace tenon {
namespace {

// 0 stays 0 in these, and channels stay apart.
bool passes_zeros(const Module& m) {
  return dynamic_cast<const ReLU*>(&m) || dynamic_cast<const MaxPool2d*>(&m) ||
         dynamic_cast<const AvgPool2d*>(&m) || dynamic_cast<const GlobalAvgPool*>(&m) ||
         dynamic_cast<const Flatten*>(&m) || dynamic_cast<const Dropout*>(&m) ||
         dynamic_cast<const Identity*>(&m);
}

// Follows a network from its input to its classes, and notes who writes and reads what on the way.
class Grouping {
 public:
  explicit Grouping(Sequential& net) : net_(net) {
    groups_.emplace_back();  // the input's channels
    chain(net, "");
  }

  std::vector<ChannelGroup> take() {
    std::vector<ChannelGroup> out;
    for (ChannelGroup& group : groups_)
      if (!group.writers.empty() && !group.readers.empty()) out.push_back(std::move(group));
    return out;
  }

 private:
  void chain(Sequential& part, const std::string& path) {
    for (size_t i = 0; i < part.size(); ++i) module(part[i], path + part.name(i));
  }

  void module(Module& m, const std::string& path) {
    if (auto* part = dynamic_cast<Sequential*>(&m)) return chain(*part, path + ".");
    if (auto* block = dynamic_cast<ResidualBlock*>(&m)) return residual(*block, path);
    if (dynamic_cast<BatchNorm2d*>(&m)) {
      TENON_CHECK(!groups_[now_].writers.empty() && groups_[now_].writers.back().norm.empty(),
                  "channel_groups: '", path, "' (", m.kind(), ") expects a convolution before it");
      groups_[now_].writers.back().norm = path;
    } else if (auto* fc = dynamic_cast<Linear*>(&m)) {
      const int64_t channels = groups_[now_].writers.empty() ? -1 : channels_of(net_, groups_[now_]);
      TENON_CHECK(fc->in_features() == channels, "channel_groups: '", path, "' (", m.kind(), ") reads ",
                  fc->in_features(), " features of ", channels, " channels; expects a column a channel");
      read(path);
      open();
    } else if (!passes_zeros(m)) {
      conv(path);
    }
  }

  // Reads what is there and writes channels of its own.
  void conv(const std::string& path) {
    check_conv(path);
    read(path);
    open();
    groups_[now_].writers.push_back({path, ""});
  }

  void residual(const ResidualBlock& block, const std::string& path) {
    const size_t input = now_, last = block.convs().size();
    size_t output = input;
    if (block.downsample()) {
      conv(path + ".downsample.0");
      groups_[now_].writers.back().norm = path + ".downsample.1";
      output = now_;
    }
    now_ = input;
    for (size_t i = 1; i <= last; ++i) {
      const ChannelGroup::Writer writer{concat(path, ".conv", i), concat(path, ".bn", i)};
      check_conv(writer.conv);
      read(writer.conv);
      if (i == last)
        now_ = output;
      else
        open();
      groups_[now_].writers.push_back(writer);
    }
  }

  void check_conv(const std::string& path) {
    Module& m = net_.at(path);
    const auto* conv = dynamic_cast<Conv2d*>(&m);
    TENON_CHECK(conv != nullptr, "channel_groups: '", path, "' (", m.kind(),
                ") is of a kind that it does not know");
    TENON_CHECK(conv->options().groups == 1, "channel_groups: '", path, "' has groups");
  }
  void read(const std::string& path) { groups_[now_].readers.push_back(path); }
  void open() {
    groups_.emplace_back();
    now_ = groups_.size() - 1;
  }

  Sequential& net_;
  std::vector<ChannelGroup> groups_;
  size_t now_ = 0;  // the group that flows at this place
};

using Flags = std::vector<uint8_t>;

Flags is_live(const Tensor& x) { return is_nonzero(x).to_vector<uint8_t>(); }

// Which channels are not always 0: in evaluation mode a norm makes scale (x - mean) / deviation + shift of them.
Flags written(Module& net, const ChannelGroup::Writer& writer) {
  const auto& conv = dynamic_cast<const Conv2d&>(net.at(writer.conv));
  Flags live = live_along(conv.weight.value(), 0).to_vector<uint8_t>();
  if (conv.bias.defined()) {
    const Flags biased = is_live(conv.bias.value());
    for (size_t c = 0; c < live.size(); ++c) live[c] |= biased[c];
  }
  if (writer.norm.empty()) return live;
  const auto& norm = dynamic_cast<const BatchNorm2d&>(net.at(writer.norm));
  const Flags scaled = is_live(norm.weight.value()), shifted = is_live(norm.bias.value()),
              off_centre = is_live(norm.running_mean.value());
  for (size_t c = 0; c < live.size(); ++c)
    live[c] = (scaled[c] && (live[c] || off_centre[c])) || shifted[c] ? 1 : 0;
  return live;
}

const Tensor& weight_of(Module& layer) {
  if (auto* fc = dynamic_cast<Linear*>(&layer)) return fc->weight.value();
  return dynamic_cast<Conv2d&>(layer).weight.value();
}

// A layer of the same kind with some of its rows (axis 0) or columns (axis 1) in the place of another one.
void narrow_layer(Module& net, const std::string& path, int64_t axis, const Tensor& kept) {
  Module& old = net.at(path);
  const Tensor weight = index_select(weight_of(old), axis, kept);
  Generator unused(0);
  State state = old.state();
  state["weight"] = weight;
  const auto bias = state.find("bias");
  const Bias with_bias = bias == state.end() ? Bias::no : Bias::yes;
  if (with_bias == Bias::yes && axis == 0) bias->second = index_select(bias->second, 0, kept);
  std::shared_ptr<Module> by;
  if (const auto* conv = dynamic_cast<Conv2d*>(&old))
    by = std::make_shared<Conv2d>(weight.size(1), weight.size(0), Dims{weight.size(2), weight.size(3)},
                                  conv->options(), with_bias, unused);
  else
    by = std::make_shared<Linear>(weight.size(1), weight.size(0), with_bias, unused);
  by->to(weight.dtype());
  by->load_state(state);
  by->train(old.is_training());
  net.replace(path, by);
}

}  // namespace

std::vector<ChannelGroup> channel_groups(Sequential& net) { return Grouping(net).take(); }

int64_t channels_of(Module& net, const ChannelGroup& group) {
  return dynamic_cast<const Conv2d&>(net.at(group.name())).out_channels();
}

std::vector<int64_t> live_channels(Module& net, const ChannelGroup& group) {
  const auto channels = static_cast<size_t>(channels_of(net, group));
  Flags has_writer(channels, 0), has_reader(channels, 0);
  for (const ChannelGroup::Writer& writer : group.writers) {
    const Flags flags = written(net, writer);
    for (size_t c = 0; c < channels; ++c) has_writer[c] |= flags[c];
  }
  for (const std::string& reader : group.readers) {
    const Flags flags = live_along(weight_of(net.at(reader)), 1).to_vector<uint8_t>();
    for (size_t c = 0; c < channels; ++c) has_reader[c] |= flags[c];
  }
  std::vector<int64_t> live;
  for (size_t c = 0; c < channels; ++c)
    if (has_writer[c] && has_reader[c]) live.push_back(static_cast<int64_t>(c));
  if (live.empty()) live.push_back(0);
  return live;
}

void keep_channels(Module& net, const ChannelGroup& group, const std::vector<int64_t>& kept) {
  NoGrad no_grad;
  const Tensor indices = Tensor::from(kept);
  for (const ChannelGroup::Writer& writer : group.writers) {
    narrow_layer(net, writer.conv, 0, indices);
    if (writer.norm.empty()) continue;
    auto& norm = dynamic_cast<BatchNorm2d&>(net.at(writer.norm));
    for (Variable* v : {&norm.weight, &norm.bias, &norm.running_mean, &norm.running_var})
      v->set_value(index_select(v->value(), 0, indices));
  }
  for (const std::string& reader : group.readers) narrow_layer(net, reader, 1, indices);
}

std::vector<KeptChannels> shrink_channels(Sequential& net) {
  const std::vector<ChannelGroup> groups = channel_groups(net);
  std::vector<KeptChannels> out;
  for (const ChannelGroup& group : groups) {
    std::vector<int64_t> all(static_cast<size_t>(channels_of(net, group)));
    std::iota(all.begin(), all.end(), 0);
    const auto before = static_cast<int64_t>(all.size());
    out.push_back({group.name(), group.writers.size() > 1, before, std::move(all)});
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t g = 0; g < groups.size(); ++g) {
      const std::vector<int64_t> live = live_channels(net, groups[g]);
      if (live.size() == out[g].kept.size()) continue;
      keep_channels(net, groups[g], live);
      std::vector<int64_t> kept;
      for (int64_t c : live) kept.push_back(out[g].kept[static_cast<size_t>(c)]);
      out[g].kept = std::move(kept);
      changed = true;
    }
  }
  return out;
}

}  // namespace tenon
