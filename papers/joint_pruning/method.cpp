#include "papers/joint_pruning/method.h"

#include <algorithm>
#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/winners.h"

namespace tenon::joint_pruning {
namespace {

double entry(const std::vector<double>& list, size_t i) { return list[std::min(i, list.size() - 1)]; }

void check_fractions(const char* what, const std::vector<double>& list) {
  TENON_CHECK(!list.empty(), "joint_pruning: expects at least one ", what);
  for (double x : list)
    TENON_CHECK(x >= 0 && x <= 1, "joint_pruning: expects a ", what, " in [0, 1], got ", x);
}

size_t index_of(const Curve& curve, double rate) {
  const auto at = std::find(curve.rates.begin(), curve.rates.end(), rate);
  TENON_CHECK(at != curve.rates.end(), "joint_pruning: rate ", rate, " is not on the grid");
  return static_cast<size_t>(at - curve.rates.begin());
}

// Accuracy that the next step down the grid took, per unit of the rate.
double steepness(const Curve& curve, size_t at) {
  if (at == 0) return 0;
  return (curve.accuracy[at - 1] - curve.accuracy[at]) / (curve.rates[at - 1] - curve.rates[at]);
}

}  // namespace

Masks weight_masks(const Module& net, const std::vector<double>& densities) {
  check_fractions("density", densities);
  Masks masks;
  size_t layer = 0;
  for (const NamedVariable& p : net.named_parameters()) {
    const Tensor w = p.variable.value();
    if (w.rank() < 2) continue;
    const int64_t kept = winner_count(entry(densities, layer++), w.numel());
    masks.add(p, is_nonzero(winners(w.contiguous().reshape({1, w.numel()}), kept)).reshape(w.shape()));
  }
  return masks;
}

void set_winners(MaskedNet& net, const std::vector<double>& rates, const ActivationMaskOptions& like) {
  check_fractions("winner rate", rates);
  for (size_t i = 0; i < net.masks.size(); ++i) {
    ActivationMaskOptions options = like;
    options.rate = entry(rates, i);
    net.masks[i]->set(options);
  }
  for (const MaskedNet::DropoutAt& dropout : net.dropouts)
    dropout.layer->set_p(net.dense_dropout * std::sqrt(entry(rates, dropout.mask)));
}

void release(MaskedNet& net) {
  for (const auto& mask : net.masks) mask->set({});
  for (const MaskedNet::DropoutAt& dropout : net.dropouts) dropout.layer->set_p(net.dense_dropout);
}

void set_static_thresholds(MaskedNet& net, const std::vector<double>& rates, const Tensor& images) {
  check_fractions("rate", rates);
  NoGrad no_grad;
  const bool was_training = net.chain->is_training();
  net.chain->eval();
  release(net);
  for (size_t i = 0; i < net.masks.size(); ++i) {
    net.masks[i]->remember(true);
    (*net.chain)(Variable(images));
    const Tensor seen = abs(net.masks[i]->remembered().value()).contiguous();
    net.masks[i]->remember(false);
    const int64_t kept = winner_count(entry(rates, i), seen.numel());
    const Tensor largest = topk(seen.reshape({seen.numel()}), std::min(kept + 1, seen.numel())).first;
    net.masks[i]->set({.rule = MaskRule::threshold,
                       .threshold = kept == seen.numel() ? 0 : largest.select(0, kept).item()});
  }
  for (const MaskedNet::DropoutAt& dropout : net.dropouts)
    dropout.layer->set_p(net.dense_dropout * std::sqrt(entry(rates, dropout.mask)));
  net.chain->train(was_training);
}

const std::vector<double>& rate_grid() {
  static const std::vector<double> grid = {1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05};
  return grid;
}

std::vector<Curve> sensitivity(MaskedNet& net, const std::function<double()>& accuracy) {
  release(net);
  const double whole = accuracy();
  std::vector<Curve> curves;
  for (const auto& mask : net.masks) {
    Curve curve;
    for (double rate : rate_grid()) {
      mask->set({.rule = MaskRule::winners, .rate = rate});
      curve.rates.push_back(rate);
      curve.accuracy.push_back(rate == 1 ? whole : accuracy());
    }
    mask->set({});
    curves.push_back(std::move(curve));
  }
  return curves;
}

std::vector<double> choose_rates(MaskedNet& net, const std::vector<Curve>& curves,
                                 const std::function<double()>& accuracy, double alone, double joint) {
  TENON_CHECK(curves.size() == net.masks.size(), "choose_rates: expects ", net.masks.size(), " curves, got ",
              curves.size());
  std::vector<double> rates;
  for (const Curve& curve : curves) {
    double rate = 1;
    for (size_t i = 0; i < curve.rates.size() && curve.accuracy[i] >= curve.accuracy[0] - alone; ++i)
      rate = curve.rates[i];
    rates.push_back(rate);
  }
  while (true) {
    set_winners(net, rates);
    if (accuracy() >= curves[0].accuracy[0] - joint) return rates;
    size_t steepest = curves.size();
    double most = -1;
    for (size_t i = 0; i < curves.size(); ++i) {
      const size_t at = index_of(curves[i], rates[i]);
      if (at > 0 && steepness(curves[i], at) > most) most = steepness(curves[i], at), steepest = i;
    }
    // Equal curves, or curves that rise: the first mask that can still go up.
    for (size_t i = 0; i < curves.size() && steepest == curves.size(); ++i)
      if (rates[i] < 1) steepest = i;
    if (steepest == curves.size()) return rates;  // all at 1
    rates[steepest] = curves[steepest].rates[index_of(curves[steepest], rates[steepest]) - 1];
  }
}

}  // namespace tenon::joint_pruning
