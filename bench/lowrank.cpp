// Low-rank networks at inference: ResNet-20 on 32 x 32 images, dense, in pairs of a share of the full rank, and in
// whichever form of each layer is faster; batch norms folded, ReLU and shortcuts in the convolutions. The quotient of
// multiply-adds stands in a case's name, to be compared with the quotient of times.
#include <cstdio>

#include "bench/harness.h"
#include "nn/compress/accounting.h"
#include "nn/compress/inference.h"
#include "nn/models/resnet.h"

namespace tenon::bench {
namespace {

std::shared_ptr<Sequential> network() {
  Generator g(1);
  auto net = make_cifar_resnet(20, 10, Block::basic, g);
  net->eval();
  return net;
}

// The 3 x 3 convolutions of stride 1 behind the stem, as in Xu et al. (TRP), in pairs of `share` of their full rank.
std::shared_ptr<Sequential> decomposed(LowRankScheme scheme, double share) {
  auto net = network();
  std::vector<NamedConv> convs;
  for (const NamedConv& c : named_convs(*net))
    if (c.name != "conv1" && c.conv->weight.size(2) == 3 && c.conv->options().stride[0] == 1)
      convs.push_back(c);
  const std::vector<Svd> svds = low_rank_svds(scheme, convs);
  for (size_t i = 0; i < convs.size(); ++i)
    decompose(*net, convs[i].name, scheme, svds[i], rank_of({RankRule::Kind::fraction, share}, svds[i].s));
  return net;
}

Case network_case(LowRankScheme scheme, double share, int64_t batch) {
  const Shape image{1, 3, 32, 32}, input{batch, 3, 32, 32};
  const auto macs = [&](Module& net) { return static_cast<double>(account(net, image).macs); };
  const double dense = macs(*network()), thin = macs(*decomposed(scheme, share));
  char ratio[16];
  std::snprintf(ratio, sizeof ratio, "%.2f", dense / thin);
  return {concat("lowrank/", name_of(scheme), "-", ratio, "x/N", batch),
          2 * thin * static_cast<double>(batch), 0, [=] {
            const auto whole = compile_inference(*network());
            const auto thin_net = decomposed(scheme, share);
            const auto pairs = compile_inference(*thin_net);
            keep_faster_forms(*thin_net, input);
            const auto chosen = compile_inference(*thin_net);
            Generator g(2);
            const Variable x(random_uniform(input, g));
            const auto run = [x](std::shared_ptr<Sequential> net) {
              return [x, net] {
                NoGrad no_grad;
                net->forward(x);
              };
            };
            const auto plain = network();
            return std::vector<Contestant>{{"pairs", run(pairs)},
                                           {"chosen", run(chosen)},
                                           {"dense", run(whole)},
                                           {"dense, not folded", run(plain)}};
          }};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (device.is_cuda()) return out;
  for (int64_t batch : {1, 32, 128})
    for (double share : {0.25, 0.125}) {
      out.push_back(network_case(LowRankScheme::channel, share, batch));
      out.push_back(network_case(LowRankScheme::spatial, share, batch));
    }
  return out;
}

const Family family("lowrank", cases);

}  // namespace
}  // namespace tenon::bench
