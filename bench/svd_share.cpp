// What it costs to cut the convolutions of a network to low rank while it trains (papers/trp/): all decompositions, the
// products of what stays, and the copies into the weights; beside the training step at batch 128 between two cuts. With a cut
// every m steps, its share of the time is cut / (cut + m step).
#include "bench/harness.h"
#include "nn/compress/low_rank.h"
#include "nn/loss.h"
#include "nn/models/resnet.h"
#include "nn/optim.h"

namespace tenon::bench {
namespace {

constexpr double kEnergy = 0.02;

void cut(LowRankScheme scheme, const std::vector<NamedConv>& convs) {
  NoGrad no_grad;
  const std::vector<Svd> full = low_rank_svds(scheme, convs);
  for (size_t i = 0; i < convs.size(); ++i) {
    const Tensor& weight = convs[i].conv->weight.value();
    const Svd kept = truncated(full[i], rank_of({RankRule::Kind::energy, kEnergy}, full[i].s));
    weight.copy_(low_rank_weight(scheme, product(kept), weight.shape()));
  }
}

// Thin U, s and V by the R-bidiagonalisation (Golub and Van Loan, 8.6), and the product of half of the triples.
double flops_of(LowRankScheme scheme, const std::vector<NamedConv>& convs) {
  double flops = 0;
  for (const NamedConv& c : convs) {
    const Tensor matrix = low_rank_matrix(scheme, c.conv->weight.value());
    const auto rows = static_cast<double>(matrix.size(-2)), cols = static_cast<double>(matrix.size(-1));
    const double k = std::min(rows, cols), tall = std::max(rows, cols);
    flops += static_cast<double>(matrix.numel()) / (rows * cols) *
             (6 * tall * k * k + 20 * k * k * k + rows * cols * k);
  }
  return flops;
}

Case cut_case(Device device, const std::string& name, const Shape& input, LowRankScheme scheme,
              std::shared_ptr<Sequential> (*make)(Generator&)) {
  Generator first(1);
  const std::shared_ptr<Sequential> sample = make(first);
  const std::vector<NamedConv> convs = named_convs(*sample);
  double weights = 0;
  for (const NamedConv& c : convs) weights += static_cast<double>(c.conv->weight.numel());
  return {concat("svd_share/", name, "-", name_of(scheme)), flops_of(scheme, convs), 8 * weights, [=] {
            Generator generator(1);
            const std::shared_ptr<Sequential> net = make(generator);
            net->to(device);
            const Variable images(random_uniform(input, generator).to(device));
            const Tensor labels = random_integers({input[0]}, generator, 0, 10).to(device);
            const auto optimizer =
                std::make_shared<SGD>(net->named_parameters(), SgdOptions{.lr = 1e-3, .momentum = 0.9});
            return std::vector<Contestant>{{"tenon", [=] { cut(scheme, named_convs(*net)); }},
                                           {"step", [=] {
                                              optimizer->zero_grad();
                                              backward(cross_entropy(net->forward(images), labels));
                                              optimizer->step();
                                            }}};
          }};
}

std::shared_ptr<Sequential> resnet8(Generator& g) {
  return make_resnet({.depths = {1, 1, 1}, .widths = {16, 32, 64}, .in_channels = 1}, g);
}
std::shared_ptr<Sequential> resnet20(Generator& g) { return make_cifar_resnet(20, 10, Block::basic, g); }

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial, LowRankScheme::decoupled}) {
    out.push_back(cut_case(device, "resnet8", {128, 1, 14, 14}, scheme, resnet8));
    out.push_back(cut_case(device, "resnet20", {128, 3, 32, 32}, scheme, resnet20));
  }
  return out;
}

const Family family("svd_share", cases);

}  // namespace
}  // namespace tenon::bench
