#include "papers/trp/networks.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "nn/compress/accounting.h"
#include "nn/compress/responses.h"
#include "nn/models/resnet.h"
#include "papers/experiment/images.h"

namespace tenon::trp {
namespace {

bool is_strided(const Conv2d& conv) {
  for (int64_t stride : conv.options().stride)
    if (stride != 1) return true;
  return false;
}

// "layer1.0.conv2" is followed by "layer1.0.bn2".
BatchNorm2d& norm_behind(Module& net, std::string conv) {
  const size_t at = conv.rfind("conv");
  return dynamic_cast<BatchNorm2d&>(net.at(conv.replace(at, 4, "bn")));
}

}  // namespace

std::shared_ptr<Sequential> make_network(const std::string& name, const Shape& image, int64_t classes,
                                         int64_t seed) {
  Generator generator(static_cast<uint64_t>(seed));
  return make_named_resnet(name, image[0], classes, generator);
}

std::vector<NamedConv> trained_convs(Module& net) {
  std::vector<NamedConv> convs;
  for (const NamedConv& conv : named_convs(net))
    if (conv.name != "conv1" && conv.name.find("downsample") == std::string::npos) convs.push_back(conv);
  return convs;
}

int64_t conv_macs(Module& net, const Shape& image) {
  int64_t macs = 0;
  for (const LayerAccount& layer : account(net, experiment::one_image(image)).layers)
    if (layer.kind == "Conv2d") macs += layer.macs;
  return macs;
}

Json ranks_json(const Ranks& ranks) {
  Json out = Json::object();
  for (const auto& [name, rank] : ranks) out[name] = rank;
  return out;
}

Ranks ranks_of(const Json& json) {
  Ranks ranks;
  for (const JsonMember& member : json.members()) ranks[member.key] = member.value.as_integer();
  return ranks;
}

Candidates candidates_of(Module& net, LowRankScheme scheme, const Shape& image, bool strided) {
  Candidates out;
  out.scheme = scheme;
  out.network_macs = conv_macs(net, image);
  LayerUses uses;
  net.walk(experiment::one_image(image), uses);
  std::map<const Module*, Shape> inputs;
  for (const LayerUse& use : uses) inputs[use.layer] = use.input;
  std::vector<NamedConv> convs;
  for (const NamedConv& conv : trained_convs(net))
    if (strided || !is_strided(*conv.conv)) convs.push_back(conv);
  const std::vector<Svd> svds = low_rank_svds(scheme, convs);
  for (size_t i = 0; i < convs.size(); ++i)
    out.layers.push_back({convs[i], svds[i], svds[i].s, dense_macs(*convs[i].conv, inputs.at(convs[i].conv)),
                          low_rank_macs(scheme, *convs[i].conv, inputs.at(convs[i].conv), 1), Tensor()});
  return out;
}

Ranks Candidates::by_rule(const RankRule& rule) const {
  Ranks ranks;
  for (const Candidate& c : layers) {
    const int64_t rank = rank_of(rule, c.values);
    if (rank * c.macs_per_rank < c.macs) ranks[c.layer.name] = rank;
  }
  return ranks;
}

int64_t Candidates::macs_at(const Ranks& ranks) const {
  int64_t macs = network_macs;
  for (const Candidate& c : layers) {
    const auto at = ranks.find(c.layer.name);
    if (at == ranks.end()) continue;
    macs += at->second * c.macs_per_rank - c.macs;
  }
  return macs;
}

std::optional<Ranks> Candidates::by_macs(int64_t macs) const {
  const auto at = [&](double exponent) {
    return by_rule({RankRule::Kind::energy, std::min(1.0, std::pow(10.0, exponent))});
  };
  double low = -12, high = 0;  // of log10 e: at `high` there is room enough
  if (macs_at(at(high)) > macs) return std::nullopt;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (macs_at(at(middle)) <= macs ? high : low) = middle;
  }
  return at(high);
}

void Candidates::decompose(Module& net, const Ranks& ranks) const {
  NoGrad no_grad;
  for (const Candidate& c : layers) {
    const auto at = ranks.find(c.layer.name);
    if (at == ranks.end()) continue;
    if (c.mean_response.defined()) {
      const Tensor u = c.factors.u.narrow(1, 0, at->second), m = c.mean_response.to(u.dtype()).unsqueeze(1);
      const Tensor bias = sub(m, matmul(u, matmul(u.t(), m))).squeeze(1);
      const Tensor& running_mean = norm_behind(net, c.layer.name).running_mean.value();
      running_mean.copy_(sub(running_mean, bias));
    }
    tenon::decompose(net, c.layer.name, scheme, c.factors, at->second);
  }
}

void decompose_fresh(Module& net, LowRankScheme scheme, const Ranks& ranks, Generator& generator) {
  for (const auto& [name, rank] : ranks) {
    const auto& conv = dynamic_cast<const Conv2d&>(net.at(name));
    net.replace(name, std::make_shared<LowRankConv2d>(scheme, conv, rank, generator));
  }
}

Candidates candidates_by_responses(Module& net, const Shape& image, bool strided, const Tensor& images) {
  Candidates out = candidates_of(net, LowRankScheme::channel, image, strided);
  std::vector<NamedConv> convs;
  for (const Candidate& c : out.layers) convs.push_back(c.layer);
  const std::map<std::string, ResponseStatistics> responses = response_statistics(net, convs, images);
  for (Candidate& c : out.layers) {
    const ResponseStatistics& y = responses.at(c.layer.name);
    const ResponseFactors by =
        response_factors(low_rank_matrix(out.scheme, c.layer.conv->weight.value()), y.covariance);
    c.factors = by.factors;
    c.values = by.spectrum;
    c.mean_response = y.mean;
  }
  return out;
}

}  // namespace tenon::trp
