#include "papers/joint_pruning/counting.h"

#include <algorithm>

#include "core/ops/conv.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "nn/compress/mask.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace tenon::joint_pruning {
namespace {

constexpr int64_t kBatch = 100;

// 1 where x is not 0, in float32.
Tensor ones_of(const Tensor& x) { return is_nonzero(x).to(float32); }

// Every output's pairs are a whole number below 2^24, exact in float32; their sum is taken in float64.
double pairs_of(const Linear& layer, const Tensor& x) {
  return sum(matmul(ones_of(x), ones_of(layer.weight.value()).t()).to(float64)).item();
}
double pairs_of(const Conv2d& layer, const Tensor& x) {
  return sum(conv(ones_of(x), ones_of(layer.weight.value()), {}, layer.options()).to(float64)).item();
}

double density(const Tensor& x) {
  return static_cast<double>(count_nonzero(x)) / static_cast<double>(std::max<int64_t>(1, x.numel()));
}

// Collects the layers of one batch of images in the order in which they are met.
class Counter {
 public:
  explicit Counter(NetCount& out) : out_(out) {}

  // `images` of all are in this batch.
  void run(MaskedNet& net, const Tensor& images, double share) {
    next_ = 0;
    const int64_t batch = images.size(0);
    const auto visit = [&](const std::string& name, Module& layer, const Variable& x) -> Variable {
      if (const auto* fc = dynamic_cast<const Linear*>(&layer)) return meet(name, *fc, layer, x, share);
      if (const auto* conv = dynamic_cast<const Conv2d*>(&layer)) return meet(name, *conv, layer, x, share);
      const Variable y = layer(x);
      // Extents behind the pooling: what the published table of ConvNet-5 counts a convolution by.
      if (net.network == Network::convnet5 && dynamic_cast<const MaxPool2d*>(&layer) != nullptr)
        pooled_[next_ - 1] = y.numel() / batch;
      return y;
    };
    visit_layers(net, Variable(images), visit);
    for (size_t i = 0; i < out_.layers.size(); ++i) {
      LayerCount& layer = out_.layers[i];
      layer.outgoing = i + 1 < out_.layers.size() ? out_.layers[i + 1].incoming : 1;
      layer.published_macs = layer.dense_macs;
      if (pooled_[i] > 0)
        layer.published_macs *= static_cast<double>(pooled_[i]) / static_cast<double>(layer.outputs);
    }
  }

 private:
  template <class Layer>
  Variable meet(const std::string& name, const Layer& layer, Module& module, const Variable& x,
                double share) {
    if (next_ == out_.layers.size()) {
      LayerUses uses;
      Shape one = x.shape();
      one[0] = 1;
      LayerCount fresh;
      fresh.name = name;
      fresh.outputs = layer.walk(one, uses).numel();
      fresh.dense_macs = static_cast<double>(uses.at(0).macs);
      fresh.weights = layer.weight.numel();
      fresh.nonzero = count_nonzero(layer.weight.value());
      fresh.incoming = 0;
      out_.layers.push_back(fresh);
      pooled_.push_back(0);
    }
    LayerCount& count = out_.layers[next_++];
    count.incoming += share * density(x.value());
    count.pairs += share * pairs_of(layer, x.value()) / static_cast<double>(x.shape()[0]);
    return module(x);
  }

  NetCount& out_;
  size_t next_ = 0;
  std::vector<int64_t> pooled_;
};

template <class Part, class Whole>
double share(const std::vector<LayerCount>& layers, Part part, Whole whole) {
  double a = 0, b = 0;
  for (const LayerCount& layer : layers) a += part(layer), b += whole(layer);
  return a / b;
}

double dense(const LayerCount& l) { return l.dense_macs; }

}  // namespace

double NetCount::dense_macs() const {
  double all = 0;
  for (const LayerCount& layer : layers) all += layer.dense_macs;
  return all;
}

double NetCount::weight_share() const {
  return share(
      layers, [](const LayerCount& l) { return static_cast<double>(l.nonzero); },
      [](const LayerCount& l) { return static_cast<double>(l.weights); });
}

double NetCount::activation_share() const {
  return share(
      layers, [](const LayerCount& l) { return l.outgoing * static_cast<double>(l.outputs); },
      [](const LayerCount& l) { return static_cast<double>(l.outputs); });
}

double NetCount::product_share() const {
  return share(
      layers, [](const LayerCount& l) { return l.product_share() * l.dense_macs; }, dense);
}

double NetCount::published_product_share() const {
  return share(
      layers, [](const LayerCount& l) { return l.product_share() * l.published_macs; },
      [](const LayerCount& l) { return l.published_macs; });
}

double NetCount::pair_share() const {
  return share(
      layers, [](const LayerCount& l) { return l.pairs; }, dense);
}

double NetCount::pairs_from(size_t first) const {
  double all = 0;
  for (size_t i = first; i < layers.size(); ++i) all += layers[i].pairs;
  return all;
}

double NetCount::products_from(size_t first) const {
  double all = 0;
  for (size_t i = first; i < layers.size(); ++i) all += layers[i].product_share() * layers[i].dense_macs;
  return all;
}

NetCount count(MaskedNet& net, const Tensor& images) {
  NoGrad no_grad;
  const bool was_training = net.chain->is_training();
  net.chain->eval();
  NetCount out;
  Counter counter(out);
  const int64_t all = images.size(0);
  for (int64_t i = 0; i < all; i += kBatch) {
    const int64_t n = std::min(kBatch, all - i);
    counter.run(net, images.narrow(0, i, n), static_cast<double>(n) / static_cast<double>(all));
  }
  net.chain->train(was_training);
  return out;
}

}  // namespace tenon::joint_pruning
