// A convolution at full rank is its pair, in every scheme; ranks follow their rules; and the accounts agree with what
// was counted by hand.
#include "nn/compress/low_rank.h"

#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "nn/compress/accounting.h"
#include "nn/compress/responses.h"
#include "nn/models/resnet.h"
#include "tests/seed.h"

namespace tenon {
namespace {

constexpr LowRankScheme kSchemes[] = {LowRankScheme::channel, LowRankScheme::spatial,
                                      LowRankScheme::decoupled};

double distance(const Tensor& a, const Tensor& b) {
  return std::sqrt(sum(mul(sub(a, b), sub(a, b))).item() / sum(mul(b, b)).item());
}

Svd one_svd(LowRankScheme scheme, Conv2d& conv) { return low_rank_svds(scheme, {{"conv", &conv}}).front(); }

int64_t macs(Module& net, const Shape& input) { return account(net, input).macs; }

}  // namespace

TEST_CASE("low rank: a matrix goes back to its weight, bit for bit") {
  Generator g(test_seed());
  const Tensor w = random_normal({5, 3, 2, 4}, g);
  for (LowRankScheme scheme : kSchemes) {
    const Tensor m = low_rank_matrix(scheme, w);
    CHECK(low_rank_weight(scheme, m, w.shape()).contiguous().to_vector<float>() == w.to_vector<float>());
    CHECK(std::min(m.size(-1), m.size(-2)) == full_rank(scheme, w.shape()));
  }
  // Rows (i, y), columns (o, x).
  const Tensor spatial = low_rank_matrix(LowRankScheme::spatial, w);
  CHECK(spatial.select(0, 2 * 2 + 1).select(0, 3 * 4 + 2).item() ==
        w.select(0, 3).select(0, 2).select(0, 1).select(0, 2).item());
}

TEST_CASE("low rank: at full rank the pair computes what the convolution does") {
  Generator g(test_seed());
  struct Case {
    int64_t c, n;
    Dims kernel;
    ConvOptions options;
  };
  const Case cases[] = {{4, 6, {3}, {.padding = {1}}},
                        {6, 4, {3}, {.stride = {2}, .padding = {1}}},
                        {5, 7, {1}, {}},
                        {6, 3, {1}, {.stride = {2}}},
                        {3, 8, {7}, {.stride = {2}, .padding = {3}}},
                        {4, 5, {3, 5}, {.stride = {1, 2}, .padding = {0, 2}, .dilation = {2, 1}}}};
  for (LowRankScheme scheme : kSchemes)
    for (const Case& c : cases)
      for (Bias bias : {Bias::no, Bias::yes}) {
        CAPTURE(name_of(scheme));
        CAPTURE(c.kernel);
        Conv2d conv(c.c, c.n, c.kernel, c.options, bias, g);
        const Svd svd = one_svd(scheme, conv);
        const LowRankConv2d pair(scheme, conv, low_rank_pair(scheme, svd, conv.weight.shape()));
        NoGrad no_grad;
        const Variable x(random_normal({2, c.c, 11, 13}, g));
        const Tensor y = conv(x).value();
        CHECK(distance(const_cast<LowRankConv2d&>(pair).forward(x).value(), y) < 1e-5);
        CHECK(pair.rank() == full_rank(scheme, conv.weight.shape()));
        // Below it, the pair is the convolution of the truncated weight.
        const Svd cut = truncated(svd, 1);
        LowRankConv2d thin(scheme, conv, low_rank_pair(scheme, cut, conv.weight.shape()));
        conv.weight.value().copy_(low_rank_weight(scheme, product(cut), conv.weight.shape()));
        CHECK(distance(thin.forward(x).value(), conv(x).value()) < 1e-5);
      }
}

TEST_CASE("low rank: singular values of any sign stand for their magnitude") {
  Generator g(test_seed());
  const Shape shape{4, 3, 3, 3};
  for (LowRankScheme scheme : kSchemes) {
    Svd f = svd(low_rank_matrix(scheme, random_normal(shape, g)));
    const Tensor m = product(f);
    const LowRankPairOf<Tensor> pair = low_rank_pair(scheme, f, shape);
    f.s = affine(f.s, -1, 0);
    CHECK(distance(product(f), m) < 1e-6);
    CHECK(distance(low_rank_pair(scheme, f, shape).second, pair.second) < 1e-6);
  }
}

TEST_CASE("low rank: rules of rank") {
  using Kind = RankRule::Kind;
  const Tensor s = Tensor::from(std::vector<double>{4, 2, 2, 1, 0});  // squares 16 4 4 1 0, of 25
  CHECK(rank_of({Kind::energy, 0}, s) == 4);
  CHECK(rank_of({Kind::energy, 0.04}, s) == 3);
  CHECK(rank_of({Kind::energy, 0.039}, s) == 4);
  CHECK(rank_of({Kind::energy, 0.2}, s) == 2);
  CHECK(rank_of({Kind::energy, 1}, s) == 1);
  CHECK(rank_of({Kind::nuclear, 1.0 / 9}, s) == 3);
  CHECK(rank_of({Kind::value, 2}, s) == 3);
  CHECK(rank_of({Kind::value, 9}, s) == 1);
  CHECK(rank_of({Kind::relative_value, 0.5}, s) == 3);
  CHECK(rank_of({Kind::fraction, 0.5}, s) == 2);
  CHECK(rank_of({Kind::fraction, 0.1}, s) == 1);
  CHECK(rank_of({Kind::fixed, 9}, s) == 5);
  CHECK(rank_of({Kind::fixed, 1e19}, s) == 5);
  CHECK(rank_of({Kind::energy, 0.1}, Tensor::zeros({3})) == 1);
  // Of several matrices the largest rank counts.
  CHECK(rank_of({Kind::value, 1.5}, Tensor::from(std::vector<double>{2, 1, 1, 2, 2, 1}).reshape({2, 3})) ==
        2);
  CHECK_THROWS_WITH_AS(rank_of({Kind::energy, 1.5}, s), doctest::Contains("[0, 1]"), Error);
  CHECK_THROWS_AS(rank_of({Kind::value, -1}, s), Error);
}

TEST_CASE("low rank: what truncation by energy drops is the share it may, and no smaller rank would do") {
  Generator g(test_seed());
  const Tensor m = random_normal({24, 40}, g);
  const Svd full = svd(m);
  for (double share : {0.01, 0.1, 0.4}) {
    const int64_t rank = rank_of({RankRule::Kind::energy, share}, full.s);
    const double lost = distance(product(truncated(full, rank)), m);
    CHECK(lost * lost <= share * (1 + 1e-4));
    const double more = distance(product(truncated(full, rank - 1)), m);
    CHECK(more * more > share * (1 - 1e-4));
  }
}

TEST_CASE("low rank: the accounts of published networks") {
  auto net = make_cifar_resnet(20);
  const Shape image{1, 3, 32, 32};
  int64_t convs = 0;
  for (const LayerAccount& layer : account(*net, image).layers)
    if (layer.kind == "Conv2d") convs += layer.macs;
  CHECK(convs == doctest::Approx(40.81e6).epsilon(1e-3));  // TRP, section 2.7
  // All pairs at full rank: 45.9 M and 81.3 M (SVD training, section 7.6).
  int64_t ranks[2] = {0, 0};
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial}) {
    auto factored = make_cifar_resnet(20);
    for (const NamedConv& c : named_convs(*factored)) {
      const int64_t rank = full_rank(scheme, c.conv->weight.shape());
      ranks[scheme == LowRankScheme::spatial ? 1 : 0] += rank;
      decompose(*factored, c.name, scheme, one_svd(scheme, *c.conv), rank);
    }
    int64_t total = 0;
    for (const LayerAccount& layer : account(*factored, image).layers)
      if (layer.kind == "Conv2d") total += layer.macs;
    CHECK(total == doctest::Approx(scheme == LowRankScheme::spatial ? 81.3e6 : 45.9e6).epsilon(1e-3));
  }
  CHECK(ranks[0] == 736);
  CHECK(ranks[1] == 1929);
  // A strided spatial pair by hand: 3 x 1 from 16 to k channels over 16 x 32 places, 1 x 3 from k to 32 over 16 x 16.
  Generator g(1);
  Conv2d conv(16, 32, {3}, {.stride = {2}, .padding = {1}}, Bias::no, g);
  const Shape x{1, 16, 32, 32};
  CHECK(low_rank_macs(LowRankScheme::spatial, conv, x, 10) == 16 * 32 * 16 * 3 * 10 + 16 * 16 * 10 * 3 * 32);
  CHECK(low_rank_macs(LowRankScheme::channel, conv, x, 10) == 16 * 16 * (16 * 9 * 10 + 10 * 32));
  CHECK(low_rank_macs(LowRankScheme::decoupled, conv, x, 2) == 32 * 32 * 16 * 64 + 16 * 16 * 64 * 9);
  CHECK(dense_macs(conv, x) == 16 * 16 * 32 * 16 * 9);
  // k < n c kw / (S c + n)
  CHECK(break_even_rank(LowRankScheme::spatial, conv, x) == 32 * 16 * 3 / (2 * 16 + 32) - 1);
}

TEST_CASE("low rank: a decomposed network computes what it did") {
  Generator g(test_seed());
  auto net = make_resnet({.depths = {1, 1}, .widths = {8, 12}, .in_channels = 1}, g);
  net->eval();
  NoGrad no_grad;
  const Variable x(random_normal({3, 1, 9, 9}, g));
  const Tensor y = net->forward(x).value().clone();
  const int64_t before = macs(*net, {1, 1, 9, 9});
  std::vector<NamedConv> convs = named_convs(*net);
  CHECK(convs.size() == 6);
  for (LowRankScheme scheme : kSchemes) {
    const Svd full = low_rank_svds(scheme, {convs.back()}).front();
    decompose(*net, convs.back().name, scheme, full, full.s.size(-1));
    convs.pop_back();
    CHECK(distance(net->forward(x).value(), y) < 1e-4);
  }
  CHECK(macs(*net, {1, 1, 9, 9}) > before);
  CHECK(std::string(net->at("layer2.0.downsample.0").kind()) == "LowRankConv2d");
  CHECK_THROWS_WITH_AS(net->replace("layer2.0.bn1", std::make_shared<Identity>()), doctest::Contains("bn1"),
                       Error);
  CHECK_THROWS_WITH_AS(net->replace("layer9", std::make_shared<Identity>()), doctest::Contains("layer9"),
                       Error);
}

TEST_CASE(
    "low rank: responses of two dimensions are kept whole by two components, where the weight's own lose "
    "some") {
  Generator g(test_seed(), 21);
  const Tensor m = random_normal({5, 8}, g);
  const Tensor x = matmul(random_normal({8, 2}, g), random_normal({2, 50}, g)), y = matmul(m, x);
  const Tensor covariance = affine(matmul(y, y.t()).to(float64), 1.0 / 50, 0);
  const ResponseFactors by = response_factors(m, covariance);
  CHECK(by.factors.s.numel() == 5);
  CHECK(rank_of({RankRule::Kind::energy, 1e-6}, by.spectrum) == 2);
  CHECK(distance(matmul(product(truncated(by.factors, 2)), x), y) < 1e-4);
  CHECK(distance(matmul(product(truncated(svd(m), 2)), x), y) > 1e-3);
  CHECK(distance(product(by.factors), m) < 1e-5);  // nothing is lost at all five
}

TEST_CASE(
    "low rank: statistics of responses are those of what the convolutions give, and the network stays as it "
    "was") {
  Generator g(test_seed(), 22);
  auto net = make_resnet({.depths = {1, 1}, .widths = {4, 6}, .in_channels = 1}, g);
  const Tensor x = random_normal({130, 1, 6, 6}, g);  // a batch and a part of one
  const State before = clone_state(net->state());
  const std::vector<NamedConv> convs = named_convs(*net);
  const auto responses = response_statistics(*net, {convs.front()}, x);
  CHECK(net->is_training());
  CHECK(&dynamic_cast<Conv2d&>(net->at(convs.front().name)) == convs.front().conv);
  for (const auto& [name, value] : net->state())
    if (value.dtype() == float32) CHECK(value.to_vector<float>() == before.at(name).to_vector<float>());
  NoGrad no_grad;
  const Tensor y = convs.front().conv->forward(Variable(x)).value().permute({1, 0, 2, 3}).reshape({4, -1});
  const Tensor centred = sub(y, mean(y, {1}, true)).to(float64);
  const ResponseStatistics& seen = responses.at(convs.front().name);
  CHECK(distance(seen.mean, mean(y, {1}).to(float64)) < 1e-5);
  CHECK(distance(seen.covariance,
                 affine(matmul(centred, centred.t()), 1.0 / static_cast<double>(y.size(1)), 0)) < 1e-5);
  // Images that do not fit, or none: the recorders go all the same.
  CHECK_THROWS_AS(response_statistics(*net, convs, random_normal({2, 3, 6, 6}, g)), Error);
  CHECK_THROWS_WITH_AS(response_statistics(*net, convs, Tensor::zeros({0, 1, 6, 6})),
                       doctest::Contains("N > 0"), Error);
  CHECK(&dynamic_cast<Conv2d&>(net->at(convs.back().name)) == convs.back().conv);
}

}  // namespace tenon
