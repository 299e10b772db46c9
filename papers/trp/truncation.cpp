#include "papers/trp/truncation.h"

#include <cmath>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/lists.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/ops/sparsity.h"

namespace tenon::trp {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kEnergies = 64;

// Of one matrix, or of all that a weight consists of.
std::vector<double> energies_of(const Tensor& s) {
  std::vector<double> out;
  const Tensor squares = square(s.to(float64));
  const double total = sum(squares).item();
  const Tensor by_index = s.rank() == 2 ? sum(squares, {0}) : squares;
  for (double x : by_index.narrow(0, 0, std::min(kEnergies, by_index.size(0))).to_vector<double>())
    out.push_back(total > 0 ? std::round(1e6 * x / total) / 1e6 : 0);
  return out;
}

// Sum of squares of each tensor, with one wait for the device.
std::vector<double> squares_of(const Tensor& sums) {
  const std::vector<double> both = sums.to_vector<double>();  // [layers, 2] of abs_sum_sq_sum
  std::vector<double> out;
  for (size_t i = 1; i < both.size(); i += 2) out.push_back(both[i]);
  return out;
}

}  // namespace

Tensor nuclear_direction(LowRankScheme scheme, const Svd& kept, const Shape& weight) {
  return low_rank_weight(scheme, matmul(kept.u, kept.v.t()), weight).contiguous();
}

RankTruncation::RankTruncation(std::vector<NamedConv> convs, const TruncationOptions& options)
    : convs_(std::move(convs)), options_(options), layers_(convs_.size()) {
  TENON_CHECK(options.energy >= 0 && options.energy < 1, "RankTruncation: energy expects [0, 1), got ",
              options.energy);
  TENON_CHECK(options.period >= 1, "RankTruncation: period expects 1 or more, got ", options.period);
  TENON_CHECK(options.lambda >= 0, "RankTruncation: lambda expects 0 or more, got ", options.lambda);
}

std::vector<Tensor> RankTruncation::weights() const {
  std::vector<Tensor> out;
  for (size_t i = 0; i < layers_.size(); ++i) out.push_back(weight(i));
  return out;
}

// All layers at once: on a card a launch costs as much as the work on a layer.
void RankTruncation::begin_step(int64_t step) {
  if (before_.empty())
    for (size_t i = 0; i < layers_.size(); ++i) before_.push_back(Tensor::empty_like(weight(i)));
  if (is_cut(step)) cut(step);
  lists_fill(before_, 0);
  lists_axpy(1, weights(), before_);
}

void RankTruncation::cut(int64_t step) {
  const std::vector<Svd> full = low_rank_svds(options_.scheme, convs_);
  NetworkCut record{step, measured(), full.empty() ? std::vector<double>() : energies_of(full.back().s)};
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const int64_t rank = rank_of({RankRule::Kind::energy, options_.energy}, full[i].s);
    record.layers[i].rank = rank;
    const Svd kept = truncated(full[i], rank);
    if (options_.energy > 0)
      weight(i).copy_(low_rank_weight(options_.scheme, product(kept), weight(i).shape()));
    if (options_.lambda > 0) layer.direction = nuclear_direction(options_.scheme, kept, weight(i).shape());
    layer.rank = rank;
    layer.cut = weight(i).clone();
  }
  largest_updates_ = Tensor::zeros({static_cast<int64_t>(layers_.size()), 2}, float64,
                                   convs_.empty() ? Device::cpu() : weight(0).device());
  cuts_.push_back(std::move(record));
}

std::vector<LayerCut> RankTruncation::measured() const {
  std::vector<LayerCut> out(layers_.size(), {0, kNan, kNan});
  if (layers_.empty() || layers_[0].rank == 0) return out;
  std::vector<Tensor> moved;
  for (size_t i = 0; i < layers_.size(); ++i) moved.push_back(sub(weight(i), layers_[i].cut));
  const std::vector<double> now = squares_of(abs_sum_sq_sum(weights())),
                            since = squares_of(abs_sum_sq_sum(moved)), step = squares_of(largest_updates_);
  for (size_t i = 0; i < layers_.size(); ++i) {
    out[i].steps_ratio = static_cast<double>(options_.period) * std::sqrt(step[i] / now[i]);
    out[i].moved_ratio = std::sqrt(since[i] / now[i]);
  }
  return out;
}

void RankTruncation::after_backward(int64_t step) {
  if (options_.lambda == 0 || (options_.nuclear_steps == NuclearSteps::tsvd && !is_cut(step))) return;
  std::vector<Svd> fresh;
  if (options_.nuclear_steps == NuclearSteps::every && !is_cut(step))
    fresh = low_rank_svds(options_.scheme, convs_);
  std::vector<Tensor> directions, gradients;
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (!fresh.empty())
      layers_[i].direction = nuclear_direction(options_.scheme, fresh[i], weight(i).shape());
    directions.push_back(layers_[i].direction);
    gradients.push_back(convs_[i].conv->weight.grad().value());
  }
  lists_axpy(options_.lambda, directions, gradients);
}

void RankTruncation::after_step(int64_t) {
  if (layers_.empty()) return;
  lists_axpy(-1, weights(), before_);
  largest_updates_ = maximum(largest_updates_, abs_sum_sq_sum(before_));
}

std::vector<NetworkCut> RankTruncation::take_cuts() { return std::exchange(cuts_, {}); }

State RankTruncation::state() const {
  State out;
  if (largest_updates_.defined()) out["largest_updates"] = largest_updates_;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    if (layer.rank == 0) continue;
    const std::string& name = convs_[i].name;
    out["rank." + name] = Tensor::scalar(static_cast<double>(layer.rank), int64);
    out["cut." + name] = layer.cut;
    if (layer.direction.defined()) out["direction." + name] = layer.direction;
  }
  return out;
}

void RankTruncation::load_state(const State& state) {
  const auto entry = [&](const std::string& name) {
    const auto at = state.find(name);
    TENON_CHECK(at != state.end(), "RankTruncation: load_state: expects an entry ", name);
    return at->second;
  };
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const Device device = weight(i).device();
    const std::string& name = convs_[i].name;
    layer.rank = static_cast<int64_t>(entry("rank." + name).item());
    layer.cut = entry("cut." + name).to(device);
    if (options_.lambda > 0) layer.direction = entry("direction." + name).to(device);
  }
  if (!layers_.empty()) largest_updates_ = entry("largest_updates").to(weight(0).device());
}

Json cuts_json(const std::vector<NetworkCut>& cuts) {
  Json out = Json::array();
  for (const NetworkCut& cut : cuts) {
    Json ranks = Json::array(), steps = Json::array(), moved = Json::array();
    for (const LayerCut& layer : cut.layers) {
      ranks.push_back(layer.rank);
      steps.push_back(layer.steps_ratio);
      moved.push_back(layer.moved_ratio);
    }
    out.push_back(Json::object({{"step", cut.step},
                                {"ranks", std::move(ranks)},
                                {"steps_ratio", std::move(steps)},
                                {"moved_ratio", std::move(moved)},
                                {"energies", Json::array_of(cut.energies)}}));
  }
  return out;
}

std::vector<NetworkCut> cuts_of(const Json& json) {
  const auto real = [](const Json& x) { return x.is_null() ? kNan : x.as_real(); };
  std::vector<NetworkCut> out;
  for (const Json& item : json.items()) {
    NetworkCut cut;
    cut.step = item.at("step").as_integer();
    const Json &ranks = item.at("ranks"), &steps = item.at("steps_ratio"), &moved = item.at("moved_ratio");
    for (size_t i = 0; i < ranks.size(); ++i)
      cut.layers.push_back({ranks.at(i).as_integer(), real(steps.at(i)), real(moved.at(i))});
    for (const Json& energy : item.at("energies").items()) cut.energies.push_back(energy.as_real());
    out.push_back(std::move(cut));
  }
  return out;
}

}  // namespace tenon::trp
