// Networks compiled for inference compute what they did, with statistics that are not those of the start.
#include "nn/compress/inference.h"

#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/compress/accounting.h"
#include "nn/linear.h"
#include "nn/models/resnet.h"
#include "nn/norm.h"
#include "nn/pool.h"
#include "tests/seed.h"

namespace tenon {
namespace {

double distance(const Tensor& a, const Tensor& b) {
  return std::sqrt(sum(mul(sub(a, b), sub(a, b))).item() / sum(mul(b, b)).item());
}

// Parameters and statistics of norms that are not 1 and 0.
void scramble(Module& net, Generator& g) {
  for (const NamedModule& m : net.named_modules())
    if (auto* norm = dynamic_cast<BatchNorm*>(m.module)) {
      const Shape shape = norm->weight.shape();
      norm->weight.value().copy_(random_uniform(shape, g, 0.5, 1.5));
      norm->bias.value().copy_(random_normal(shape, g));
      norm->running_mean.value().copy_(random_normal(shape, g));
      norm->running_var.value().copy_(random_uniform(shape, g, 0.5, 2));
    }
  net.eval();
}

}  // namespace

TEST_CASE("inference: batch norms, ReLU and shortcuts go into the convolutions") {
  Generator g(test_seed());
  for (Block block : {Block::basic, Block::bottleneck, Block::plain}) {
    auto net = make_resnet({.block = block, .depths = {2, 1}, .widths = {8, 12}, .in_channels = 2}, g);
    scramble(*net, g);
    const Variable x(random_normal({3, 2, 9, 9}, g));
    const auto fast = compile_inference(*net);
    NoGrad no_grad;
    CHECK(distance(fast->forward(x).value(), net->forward(x).value()) < 1e-5);
    CHECK(account(*fast, {1, 2, 9, 9}).macs == account(*net, {1, 2, 9, 9}).macs);
    for (const NamedModule& m : fast->named_modules())
      CHECK(std::string(m.module->kind()).find("Norm") == std::string::npos);
  }
}

TEST_CASE(
    "inference: chains without blocks, with and without biases, norms and ReLU; other modules are shared") {
  Generator g(test_seed());
  auto net = std::make_shared<Sequential>();
  net->add("a", std::make_shared<Conv2d>(2, 5, Dims{3}, ConvOptions{}, Bias::yes, g))
      .add("bn", std::make_shared<BatchNorm2d>(5))
      .add("tanh", std::make_shared<Tanh>())
      .add("b", std::make_shared<Conv2d>(5, 4, Dims{3}, ConvOptions{.stride = {2}}, Bias::no, g))
      .add("relu", std::make_shared<ReLU>())
      .add("bn2", std::make_shared<BatchNorm2d>(4))  // not behind a convolution: stays
      .add("flatten", std::make_shared<Flatten>())
      .add("fc", std::make_shared<Linear>(4 * 16, 3, Bias::yes, g));
  scramble(*net, g);
  const Variable x(random_normal({2, 2, 12, 12}, g));
  const auto fast = compile_inference(*net);
  NoGrad no_grad;
  CHECK(distance(fast->forward(x).value(), net->forward(x).value()) < 1e-5);
  CHECK(fast->size() == 6);
  CHECK(&fast->at("fc") == &net->at("fc"));
  CHECK(fast->walk(Shape{2, 2, 12, 12}, *std::make_unique<LayerUses>()) == Shape{2, 3});
}

TEST_CASE(
    "inference: pairs are folded in their second half, and give way to the dense form where that is faster") {
  Generator g(test_seed());
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial, LowRankScheme::decoupled}) {
    CAPTURE(std::string(name_of(scheme)));
    auto net = make_resnet({.depths = {1, 1}, .widths = {8, 12}, .in_channels = 2}, g);
    scramble(*net, g);
    const std::vector<NamedConv> convs = named_convs(*net);
    const std::vector<Svd> svds = low_rank_svds(scheme, convs);
    for (size_t i = 0; i < convs.size(); ++i)
      decompose(*net, convs[i].name, scheme, svds[i], std::max<int64_t>(1, svds[i].s.size(-1) / 2));
    const Variable x(random_normal({3, 2, 9, 9}, g));
    NoGrad no_grad;
    const Tensor y = net->forward(x).value();
    CHECK(distance(compile_inference(*net)->forward(x).value(), y) < 1e-4);
    const std::vector<PairTiming> timings = keep_faster_forms(*net, {3, 2, 9, 9}, 3);
    CHECK(timings.size() == convs.size());
    for (const PairTiming& t : timings)
      CHECK(std::string(net->at(t.name).kind()) == (t.pair_is_faster() ? "LowRankConv2d" : "Conv2d"));
    CHECK(distance(net->forward(x).value(), y) < 1e-4);
  }
}

}  // namespace tenon
