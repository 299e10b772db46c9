#include "papers/svd_training/pruning.h"

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"

namespace tenon::svd_training {
namespace {

SvdLayer& layer_of(Module& net, const std::string& name) {
  auto* layer = dynamic_cast<SvdLayer*>(&net.at(name));
  TENON_CHECK(layer != nullptr, "svd_training: '", name, "' is no factored layer");
  return *layer;
}

Svd selected(const SvdLayer& layer, const Tensor& columns) {
  const Tensor at = columns.to(layer.s.device());
  return {index_select(layer.u.value(), 1, at), index_select(layer.s.value(), 0, at),
          index_select(layer.v.value(), 1, at)};
}

double squared_norm(const Tensor& x) { return sum(square(x.to(float64))).item(); }

}  // namespace

Tensor kept_columns(const Tensor& s, double e) {
  TENON_CHECK(e >= 0 && e < 1, "svd_training: pruned energy expects 0 <= e < 1, got ", e);
  if (e == 0) return Tensor::arange(s.size(0));
  const Tensor magnitude = abs(s).to(Device::cpu());
  const Tensor sorted = sort(magnitude, 0, true).first;
  const int64_t rank = rank_of({RankRule::Kind::energy, e}, sorted);
  const double threshold = sorted.select(0, rank - 1).item();
  return nonzero(greater_equal(magnitude, Tensor::scalar(threshold, s.dtype()))).flatten();
}

int64_t total_rank(const std::vector<NamedSvdLayer>& layers, double e) {
  int64_t total = 0;
  for (const auto& [name, layer] : layers) total += kept_columns(layer->s.value(), e).numel();
  return total;
}

Kept columns_to_keep(Module& net, double e) {
  Kept kept;
  for (const auto& [name, layer] : svd_layers(net)) kept.push_back({name, kept_columns(layer->s.value(), e)});
  return kept;
}

void zero_columns(Module& net, const Kept& kept) {
  const NoGrad no_grad;
  for (const auto& [name, columns] : kept) {
    const Tensor s = layer_of(net, name).s.value();
    const Tensor at = columns.to(s.device());
    s.copy_(index_add(index_select(s, 0, at), 0, at, s.size(0)));
  }
}

void remove_columns(Module& net, const Kept& kept) {
  for (const auto& [name, columns] : kept) {
    SvdLayer& layer = layer_of(net, name);
    layer.set_factors(selected(layer, columns));
  }
}

State without_columns(const State& optimizer, const Kept& kept) {
  State out = optimizer;
  for (auto& [name, tensor] : out) {
    if (tensor.rank() == 0) continue;  // counts of steps
    const std::string parameter = name.substr(name.find('.') + 1);
    for (const auto& [layer, columns] : kept)
      if (parameter == layer + ".u" || parameter == layer + ".s" || parameter == layer + ".v")
        tensor = index_select(tensor, tensor.rank() - 1, columns.to(tensor.device()));
  }
  return out;
}

double energy_lost(Module& net, const Kept& kept) {
  double lost = 0, all = 0;
  for (const auto& [name, columns] : kept) {
    const SvdLayer& layer = layer_of(net, name);
    const Tensor whole = layer.matrix();
    lost += squared_norm(sub(whole, product(selected(layer, columns))));
    all += squared_norm(whole);
  }
  return all > 0 ? lost / all : 0;
}

double spectrum_error(Module& net) {
  std::vector<Tensor> matrices;
  const std::vector<NamedSvdLayer> layers = svd_layers(net);
  for (const auto& [name, layer] : layers) matrices.push_back(layer->matrix());
  const std::vector<Svd> exact = svd(matrices);
  double worst = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Tensor learnt = sort(abs(layers[i].layer->s.value()), 0, true).first;
    const Tensor spectrum = exact[i].s.narrow(0, 0, learnt.size(0));
    const double largest = amax(spectrum).item();
    if (largest > 0) worst = std::max(worst, amax(abs(sub(learnt, spectrum))).item() / largest);
  }
  return worst;
}

}  // namespace tenon::svd_training
