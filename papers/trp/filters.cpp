#include "papers/trp/filters.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "nn/compress/accounting.h"
#include "nn/models/resnet.h"
#include "papers/trp/networks.h"

namespace tenon::trp {
namespace {

// A residual block with the path to it.
struct NamedBlock {
  std::string name;
  ResidualBlock* block;
  std::string conv(size_t i) const { return concat(name, ".conv", i + 1); }
  Conv2d& at(size_t i) const { return dynamic_cast<Conv2d&>(*block->convs()[i]); }
};

std::vector<NamedBlock> blocks_of(Sequential& net) {
  std::vector<NamedBlock> blocks;
  for (const NamedModule& m : net.named_modules())
    if (auto* block = dynamic_cast<ResidualBlock*>(m.module)) blocks.push_back({m.name, block});
  return blocks;
}

int64_t count_of(double share, int64_t filters) {
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(share * static_cast<double>(filters) - 1e-9)));
}

std::vector<int64_t> largest(const Tensor& weight, int64_t count) {
  const std::vector<float> norms = norm1(weight, {1, 2, 3}).to_vector<float>();
  std::vector<int64_t> order(norms.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return norms[static_cast<size_t>(a)] > norms[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

Filters filters_at(Sequential& net, double share) {
  Filters out;
  for (const NamedBlock& b : blocks_of(net))
    for (size_t i = 0; i + 1 < b.block->convs().size(); ++i)
      out[b.conv(i)] = largest(b.at(i).weight.value(), count_of(share, b.at(i).out_channels()));
  return out;
}

// Of the convolutions with these filters: a layer's cost goes with its inputs and with its outputs.
int64_t macs_with(Sequential& net, const Shape& image, const Filters& filters) {
  std::map<std::string, int64_t> dense;
  for (const LayerAccount& layer : account(net, one_image(image)).layers)
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

// A convolution in the place of another one, with some of its filters or of its inputs.
void replace_weight(Sequential& net, const std::string& name, const Conv2d& conv, const Tensor& weight) {
  Generator unused(0);
  const Shape& shape = weight.shape();
  auto narrow = std::make_shared<Conv2d>(shape[1], shape[0], Dims{shape[2], shape[3]}, conv.options(),
                                         Bias::no, unused);
  narrow->load_state({{"weight", weight}});
  net.replace(name, narrow);
}

}  // namespace

std::optional<Filters> filters_by_macs(Sequential& net, const Shape& image, int64_t macs) {
  double low = 0, high = 1;  // shares: at `low` there is room enough
  if (macs_with(net, image, filters_at(net, low)) > macs) return std::nullopt;
  for (int i = 0; i < 30; ++i) {
    const double middle = (low + high) / 2;
    (macs_with(net, image, filters_at(net, middle)) <= macs ? low : high) = middle;
  }
  return filters_at(net, low);
}

void keep_filters(Sequential& net, const Filters& filters) {
  NoGrad no_grad;
  for (const NamedBlock& b : blocks_of(net))
    for (size_t i = 0; i + 1 < b.block->convs().size(); ++i) {
      const auto kept = filters.find(b.conv(i));
      if (kept == filters.end()) continue;
      const Tensor indices = Tensor::from(kept->second);
      const auto select = [&](const Tensor& x, int64_t axis) { return index_select(x, axis, indices); };
      replace_weight(net, b.conv(i), b.at(i), select(b.at(i).weight.value(), 0));
      replace_weight(net, b.conv(i + 1), b.at(i + 1), select(b.at(i + 1).weight.value(), 1));
      BatchNorm2d& norm = *b.block->norms()[i];
      for (Variable* v : {&norm.weight, &norm.bias, &norm.running_mean, &norm.running_var})
        v->set_value(select(v->value(), 0));
    }
}

}  // namespace tenon::trp
