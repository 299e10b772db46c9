#include "nn/compress/filters.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/compress/accounting.h"
#include "nn/compress/channels.h"
#include "nn/models/resnet.h"

namespace tenon {
namespace {

// A residual block with the path to it.
struct NamedBlock {
  std::string name;
  ResidualBlock* block;
  std::string conv(size_t i) const { return concat(name, ".conv", i + 1); }
  Conv2d& at(size_t i) const { return dynamic_cast<Conv2d&>(*block->convs()[i]); }
};

std::vector<NamedBlock> blocks_of(Module& net) {
  std::vector<NamedBlock> blocks;
  for (const NamedModule& m : net.named_modules())
    if (auto* block = dynamic_cast<ResidualBlock*>(m.module)) blocks.push_back({m.name, block});
  return blocks;
}

// Of the convolutions with these filters: a layer's cost goes with its inputs and with its outputs.
int64_t macs_with(Module& net, const Shape& input, const Filters& filters) {
  std::map<std::string, int64_t> dense;
  for (const LayerAccount& layer : account(net, input).layers)
    if (layer.kind == "Conv2d") dense[layer.name] = layer.macs;
  for (const NamedBlock& b : blocks_of(net))
    for (size_t i = 0; i + 1 < b.block->convs().size(); ++i) {
      const auto kept = static_cast<int64_t>(filters.at(b.conv(i)).size());
      for (size_t j : {i, i + 1}) dense[b.conv(j)] = dense[b.conv(j)] / b.at(i).out_channels() * kept;
    }
  int64_t macs = 0;
  for (const auto& [name, of_layer] : dense) macs += of_layer;
  return macs;
}

}  // namespace

std::vector<int64_t> strongest_filters(const Tensor& weight, int64_t count, FilterNorm norm) {
  const int64_t n = weight.size(0);
  TENON_CHECK(count >= 1 && count <= n, "strongest_filters: expects 1 to ", n, " filters, got ", count);
  const Tensor rows = weight.reshape({n, -1});
  // Distances of every pair: [n, 1, m] - [1, n, m].
  const std::vector<float> scores =
      (norm == FilterNorm::l1 ? norm1(rows, {1})
                              : sum(norm2(sub(rows.unsqueeze(1), rows.unsqueeze(0)), {2}), {1}))
          .to(float32)
          .to_vector<float>();
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

Filters filters_by_share(Module& net, double share, FilterNorm norm) {
  TENON_CHECK(share >= 0 && share <= 1, "filters_by_share: expects a share in [0, 1], got ", share);
  Filters out;
  for (const NamedBlock& b : blocks_of(net))
    for (size_t i = 0; i + 1 < b.block->convs().size(); ++i) {
      const int64_t count = std::llround(share * static_cast<double>(b.at(i).out_channels()));
      out[b.conv(i)] = strongest_filters(b.at(i).weight.value(), std::max<int64_t>(1, count), norm);
    }
  return out;
}

std::optional<Filters> filters_by_macs(Module& net, const Shape& input, int64_t macs) {
  double low = 0, high = 1;  // shares: at `low` there is room enough
  if (macs_with(net, input, filters_by_share(net, low)) > macs) return std::nullopt;
  for (int i = 0; i < 30; ++i) {
    const double middle = (low + high) / 2;
    (macs_with(net, input, filters_by_share(net, middle)) <= macs ? low : high) = middle;
  }
  return filters_by_share(net, low);
}

void keep_filters(Module& net, const Filters& filters) {
  for (const NamedBlock& b : blocks_of(net))
    for (size_t i = 0; i + 1 < b.block->convs().size(); ++i) {
      const auto kept = filters.find(b.conv(i));
      if (kept == filters.end()) continue;
      const ChannelGroup inside{{{b.conv(i), concat(b.name, ".bn", i + 1)}}, {b.conv(i + 1)}};
      keep_channels(net, inside, kept->second);
    }
}

}  // namespace tenon
