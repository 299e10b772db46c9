// SVD training's layers, penalties and pruning: what the method rests on, one property a test.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "nn/loss.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
#include "nn/norm.h"
#include "nn/optim.h"
#include "papers/svd_training/baselines.h"
#include "papers/svd_training/pruning.h"
#include "papers/svd_training/regularisers.h"
#include "tests/seed.h"

namespace tenon::svd_training {
namespace {

constexpr LowRankScheme kSchemes[] = {LowRankScheme::channel, LowRankScheme::spatial};
constexpr Sparsifier kSparsifiers[] = {Sparsifier::l1, Sparsifier::hoyer, Sparsifier::hoyer_square};

double largest(const Tensor& x) { return amax(abs(x)).item(); }
double distance(const Tensor& a, const Tensor& b) { return largest(sub(a, b)) / std::max(largest(b), 1e-30); }

struct Geometry {
  int64_t c, n;
  Dims kernel;
  ConvOptions options;
};
const Geometry kGeometries[] = {{4, 6, {3}, {.padding = {1}}},
                                {6, 4, {3}, {.stride = {2}, .padding = {1}}},
                                {5, 7, {1}, {}},
                                {6, 3, {1}, {.stride = {2}}},
                                {3, 8, {7}, {.stride = {2}, .padding = {3}}}};

std::shared_ptr<SvdConv2d> factored(LowRankScheme scheme, Conv2d& conv) {
  auto layer = std::make_shared<SvdConv2d>(scheme, conv, low_rank_svds(scheme, {{"conv", &conv}}).front());
  layer->to(conv.weight.dtype());
  return layer;
}

// Turns the sign of every other singular value, which changes nothing else.
void flip_signs(SvdLayer& layer) {
  const Tensor half = layer.s.value().slice(0, 0, layer.rank(), 2);
  half.copy_(affine(half.clone(), -1, 0));
}

struct Outcome {
  Tensor y, du, ds, dv, dx;
};
Outcome outcome(SvdLayer& layer, Path path, const Tensor& x, const Tensor& of_y) {
  layer.set_path(path);
  layer.zero_grad();
  const Variable input(x, true);
  const Variable y = layer(input);
  backward(y, Variable(of_y));
  return {y.value(), layer.u.grad().value(), layer.s.grad().value(), layer.v.grad().value(),
          input.grad().value()};
}

std::shared_ptr<Sequential> small_resnet(Generator& g) {
  return make_resnet({.depths = {1, 1}, .widths = {4, 6}, .in_channels = 2, .classes = 3}, g);
}

// One layer with factors of its own.
std::shared_ptr<SvdLinear> layer_of(const Tensor& u, const Tensor& s, const Tensor& v) {
  return std::make_shared<SvdLinear>(Linear(u.size(0), v.size(0), Bias::no), Svd{u, s, v});
}
NamedSvdLayer drawn_layer(std::shared_ptr<SvdLinear>& keep, int64_t m, int64_t r, int64_t n,
                          uint64_t stream) {
  Generator g(test_seed(), stream);
  keep = layer_of(random_normal({m, r}, g, 0, 0.5, float64), random_normal({r}, g, 0, 1, float64),
                  random_normal({n, r}, g, 0, 0.5, float64));
  return {"layer", keep.get()};
}
void zero_gradients(SvdLayer& layer) {
  for (const Variable& p : layer.parameters()) p.set_grad(Variable(Tensor::zeros(p.shape(), p.dtype())));
}

}  // namespace

// ---- layers -------------------------------------------------------------------------------------------------------------

TEST_CASE(
    "svd training: pair, recomposed and dense convolution agree, and so do all gradients of the two ways") {
  Generator g(test_seed(), 1);
  for (DType dtype : {float32, float64})
    for (LowRankScheme scheme : kSchemes)
      for (const Geometry& c : kGeometries) {
        CAPTURE(name_of(scheme));
        CAPTURE(c.kernel);
        Conv2d conv(c.c, c.n, c.kernel, c.options, Bias::yes, g);
        conv.to(dtype);
        auto layer = factored(scheme, conv);
        const Tensor x = random_normal({2, c.c, 9, 11}, g, 0, 1, dtype);
        const Tensor y = conv(Variable(x)).value(), of_y = random_normal(y.shape(), g, 0, 1, dtype);
        const double tolerance = dtype == float32 ? 1e-4 : 1e-10;
        for (bool negative : {false, true}) {
          if (negative) flip_signs(*layer);
          const Outcome pair = outcome(*layer, Path::pair, x, of_y),
                        whole = outcome(*layer, Path::recomposed, x, of_y);
          CHECK(distance(pair.y, y) < tolerance);
          CHECK(distance(whole.y, y) < tolerance);
          CHECK(distance(pair.du, whole.du) < tolerance);
          CHECK(distance(pair.ds, whole.ds) < tolerance);
          CHECK(distance(pair.dv, whole.dv) < tolerance);
          CHECK(distance(pair.dx, whole.dx) < tolerance);
        }
        CHECK(distance(layer->folded()->forward(Variable(x)).value(), y) < tolerance);
        CHECK(distance(layer->recomposed()->forward(Variable(x)).value(), y) < tolerance);
      }
}

TEST_CASE("svd training: finite differences of both ways, of convolutions and of linear layers") {
  Generator g(test_seed(), 2);
  std::vector<std::pair<std::shared_ptr<SvdLayer>, Tensor>> layers;
  for (LowRankScheme scheme : kSchemes) {
    Conv2d conv(2, 3, {3}, {.stride = {2}, .padding = {1}}, Bias::yes, g);
    conv.to(float64);
    layers.emplace_back(factored(scheme, conv), random_normal({2, 2, 5, 4}, g, 0, 1, float64));
  }
  std::shared_ptr<SvdLinear> linear;
  drawn_layer(linear, 4, 3, 5, 3);
  layers.emplace_back(linear, random_normal({2, 4}, g, 0, 1, float64));
  for (const auto& [layer, x] : layers)
    for (Path path : {Path::pair, Path::recomposed}) {
      layer->set_path(path);
      // Away from 0, where |s| has a kink that a difference may straddle.
      const Tensor values = layer->s.value().clone();
      for (double *s = values.data<double>(), *end = s + values.numel(); s < end; ++s)
        *s += *s < 0 ? -0.5 : 0.5;
      auto f = [&layer = layer, &x = x](const std::vector<Variable>& in) {
        layer->u = in[0], layer->s = in[1], layer->v = in[2];
        return std::vector<Variable>{layer->forward(Variable(x))};
      };
      CHECK(gradcheck(f, {layer->u.value().clone(), values, layer->v.value().clone()}).relative_error < 1e-6);
    }
}

TEST_CASE("svd training: at s = 0 gradients are finite, and that of s itself is 0") {
  Generator g(test_seed(), 4);
  Conv2d conv(3, 4, {3}, {.padding = {1}}, Bias::no, g);
  for (LowRankScheme scheme : kSchemes)
    for (Path path : {Path::pair, Path::recomposed}) {
      auto layer = factored(scheme, conv);
      layer->s.value().fill_(0);
      const Tensor x = random_normal({1, 3, 5, 5}, g);
      const Outcome at_zero = outcome(*layer, path, x, Tensor::ones({1, 4, 5, 5}));
      for (const Tensor& gradient : {at_zero.du, at_zero.ds, at_zero.dv}) CHECK(largest(gradient) == 0);
    }
}

TEST_CASE(
    "svd training: a network is factored whole, computes the same, and its paths follow the multiply-adds") {
  Generator g(test_seed(), 5);
  const Tensor x = random_normal({3, 2, 8, 8}, g);
  for (LowRankScheme scheme : kSchemes) {
    Generator weights(1);
    auto dense = small_resnet(weights);
    Generator again(1);
    auto net = small_resnet(again);
    factorise(*net, scheme, Start::dense, g);
    CHECK(named_convs(*net).empty());
    CHECK(svd_layers(*net).size() == 6);  // stem, two in each of two blocks, one shortcut
    dense->eval();
    net->eval();
    const Tensor y = (*dense)(Variable(x)).value();
    CHECK(distance((*net)(Variable(x)).value(), y) < 1e-4);
    const OrthogonalityError error = orthogonality_error(svd_layers(*net));
    CHECK(error.worst < 1e-5);
    CHECK(spectrum_error(*net) < 1e-5);
    // A pair of rank 1 is the cheaper way everywhere.
    const int64_t dense_macs = inference_macs(*dense, {2, 8, 8});
    CHECK(inference_macs(*net, {2, 8, 8}) <= dense_macs);
    for (const auto& [name, layer] : svd_layers(*net)) layer->set_factors(truncated(svd(layer->matrix()), 1));
    const int64_t pairs = inference_macs(*net, {2, 8, 8});
    CHECK(pairs < dense_macs / 2);
    for (const auto& [name, layer] : svd_layers(*net)) net->replace(name, layer->folded());
    CHECK(inference_macs(*net, {2, 8, 8}) == pairs);
  }
}

TEST_CASE(
    "svd training: the accounts of ResNet-20 are those that were worked out from the published shapes") {
  Generator g(1);
  auto dense = make_cifar_resnet(20, 10, Block::basic, g);
  CHECK(inference_macs(*dense, {3, 32, 32}) == doctest::Approx(40.81e6).epsilon(1e-3));
  const int64_t ranks[] = {736, 1929};
  const double macs[] = {45.9e6, 81.3e6};
  for (int i = 0; i < 2; ++i) {
    Generator same(1);
    auto net = make_cifar_resnet(20, 10, Block::basic, same);
    factorise(*net, kSchemes[i], Start::random, g);
    CHECK(total_rank(svd_layers(*net), 0) == ranks[i]);
    for (const auto& [name, layer] : svd_layers(*net)) layer->set_path(Path::pair);
    CHECK(static_cast<double>(inference_macs(*net, {3, 32, 32})) == doctest::Approx(macs[i]).epsilon(2e-3));
  }
  // 16 -> 32, 3 x 3, stride 2, spatial, rank 10, 32 x 32: 10 . 16 . 3 . (16 . 32) + 32 . 10 . 3 . (16 . 16).
  Conv2d conv(16, 32, {3}, {.stride = {2}, .padding = {1}}, Bias::no, g);
  auto layer = factored(LowRankScheme::spatial, conv);
  layer->set_factors(truncated(svd(layer->matrix()), 10));
  LayerUses uses;
  layer->walk({1, 16, 32, 32}, uses);
  CHECK(uses.at(0).macs == 480 * 512 + 960 * 256);
}

TEST_CASE("svd training: a random start has the moments that the authors' code draws") {
  Generator g(7);
  Conv2d conv(64, 128, {3}, {.padding = {1}}, Bias::no, g);
  auto net = std::make_shared<Sequential>();
  net->add("conv", std::make_shared<Conv2d>(64, 128, Dims{3}, ConvOptions{.padding = {1}}, Bias::no, g));
  factorise(*net, LowRankScheme::channel, Start::random, g);
  const SvdLayer& layer = *svd_layers(*net).front().layer;
  CHECK(std::sqrt(variance(layer.u.value()).item()) == doctest::Approx(std::sqrt(2.0 / 128)).epsilon(0.02));
  CHECK(std::sqrt(variance(layer.v.value()).item()) == doctest::Approx(std::sqrt(2.0 / 576)).epsilon(0.02));
  CHECK(std::sqrt(variance(layer.s.value()).item()) == doctest::Approx(1).epsilon(0.2));
}

TEST_CASE("svd training: standardise changes no output and makes the factors a decomposition") {
  Generator g(test_seed(), 8);
  auto net = small_resnet(g);
  factorise(*net, LowRankScheme::spatial, Start::random, g);
  net->eval();
  const Tensor x = random_normal({2, 2, 8, 8}, g);
  const Tensor before = (*net)(Variable(x)).value();
  CHECK(orthogonality_error(svd_layers(*net)).worst > 0.1);
  standardise(*net);
  CHECK(distance((*net)(Variable(x)).value(), before) < 1e-4);
  CHECK(orthogonality_error(svd_layers(*net)).worst < 1e-5);
  CHECK(spectrum_error(*net) < 1e-5);
}

// ---- penalties ----------------------------------------------------------------------------------------------------------

TEST_CASE("svd training: the gradient of the orthogonality penalty is that of its value, batched or alone") {
  Generator g(test_seed(), 9);
  std::shared_ptr<SvdLinear> kept[3];
  // Two layers of one shape, which are one batch, and one of another; u and v of equal shape too.
  std::vector<NamedSvdLayer> layers = {drawn_layer(kept[0], 7, 4, 7, 10), drawn_layer(kept[1], 7, 4, 7, 11),
                                       drawn_layer(kept[2], 5, 3, 6, 12)};
  for (const auto& [name, layer] : layers) zero_gradients(*layer);
  add_orthogonality_gradient(layers, 0.7);
  constexpr double kStep = 1e-6;
  for (const auto& [name, layer] : layers)
    for (const Variable& factor : {layer->u, layer->v})
      for (int64_t at : {0, 5, 11}) {
        const Tensor x = factor.value().flatten().narrow(0, at, 1);
        const double middle = x.item();
        x.fill_(middle + kStep);
        const double above = orthogonality(layers);
        x.fill_(middle - kStep);
        const double below = orthogonality(layers);
        x.fill_(middle);
        const double expected = 0.7 * (above - below) / (2 * kStep);
        CHECK(factor.grad().value().flatten().narrow(0, at, 1).item() ==
              doctest::Approx(expected).epsilon(1e-6));
      }
}

TEST_CASE(
    "svd training: the orthogonality penalty is 0 at orthonormal columns, and 1/r^2 makes sizes comparable") {
  Generator g(test_seed(), 13);
  double values[2];
  for (int i = 0; i < 2; ++i) {
    const int64_t r = i == 0 ? 16 : 32;
    const Tensor q = qr(random_normal({64, r}, g, 0, 1, float64)).q;
    auto layer = layer_of(q, Tensor::ones({r}, float64), q);
    const std::vector<NamedSvdLayer> layers = {{"layer", layer.get()}};
    CHECK(orthogonality(layers) < 1e-20);
    zero_gradients(*layer);
    add_orthogonality_gradient(layers, 1);
    CHECK(largest(layer->u.grad().value()) < 1e-12);
    // The same error in every entry of the Gram matrix: A (I + E)^(1/2) with E = 0.01 everywhere, to first order.
    const Tensor turn = Tensor::full({r, r}, 0.005, float64);
    turn.as_strided({r}, {r + 1}, 0).fill_(1.005);
    layer->set_factors({matmul(q, turn), Tensor::ones({r}, float64), q});
    values[i] = orthogonality(layers);
  }
  CHECK(values[1] == doctest::Approx(values[0]).epsilon(0.2));
}

TEST_CASE("svd training: sparsity measures have their values, and their symmetries") {
  Generator g(test_seed(), 14);
  auto measured = [](Sparsifier sparsifier, const std::vector<double>& values) {
    const auto r = static_cast<int64_t>(values.size());
    auto layer = layer_of(Tensor::ones({r, r}, float64), Tensor::from(values), Tensor::ones({r, r}, float64));
    const std::vector<NamedSvdLayer> layers = {{"layer", layer.get()}};
    zero_gradients(*layer);
    add_sparsity_gradient(sparsifier, layers, 1);
    return std::pair(sparsity(sparsifier, layers), layer->s.grad().value().to_vector<double>());
  };
  using S = Sparsifier;
  CHECK(measured(S::hoyer, {0, -3, 0}).first == 0);
  CHECK(measured(S::hoyer_square, {0, -3, 0}).first == 0);
  CHECK(measured(S::l1, {0, -3, 0}).first == 3);
  CHECK(measured(S::hoyer, {2, 2, -2, 2}).first == doctest::Approx(1));
  CHECK(measured(S::hoyer_square, {2, 2, -2, 2}).first == doctest::Approx(3));
  CHECK(measured(S::l1, {2, 2, -2, 2}).first == 8);
  std::vector<double> s = random_normal({9}, g, 0, 1, float64).to_vector<double>(), scaled = s, flipped = s;
  for (double& x : scaled) x *= -5;
  for (size_t i = 0; i < s.size(); i += 2) flipped[i] = -flipped[i];
  for (Sparsifier sparsifier : kSparsifiers) {
    CAPTURE(name_of(sparsifier));
    const auto [value, gradient] = measured(sparsifier, s);
    CHECK(measured(sparsifier, flipped).first == doctest::Approx(value));
    CHECK(measured(sparsifier, scaled).first == doctest::Approx(sparsifier == S::l1 ? 5 * value : value));
    if (sparsifier != S::l1) {
      double along = 0;
      for (size_t i = 0; i < s.size(); ++i) along += s[i] * gradient[i];
      CHECK(std::fabs(along) < 1e-12);
    }
    // Nothing to gain: one value, or none that is not 0.
    for (const std::vector<double>& none : {std::vector<double>{-0.3}, std::vector<double>{0, 0}}) {
      const auto [at_none, of_none] = measured(sparsifier, none);
      if (sparsifier == S::l1) continue;
      CHECK(at_none == doctest::Approx(0));
      for (double x : of_none) CHECK(x == 0);
    }
  }
}

TEST_CASE("svd training: retraction gives orthonormal columns whose lengths go into s") {
  std::shared_ptr<SvdLinear> layer;
  const std::vector<NamedSvdLayer> layers = {drawn_layer(layer, 8, 3, 6, 15)};
  // Orthogonal columns of other lengths: then M stays.
  const Tensor q = qr(layer->u.value()).q, p = qr(layer->v.value()).q;
  layer->set_factors({mul(q, Tensor::from<double>({2, 3, 0.5})), layer->s.value(), p});
  const Tensor before = layer->matrix();
  retract(layers);
  CHECK(orthogonality_error(layers).worst < 1e-12);
  CHECK(distance(layer->matrix(), before) < 1e-12);
}

// ---- pruning ------------------------------------------------------------------------------------------------------------

TEST_CASE(
    "svd training: pruning keeps the fewest columns that hold the energy, ties with the last, and at least "
    "one") {
  const Tensor s = Tensor::from<double>({1, -4, 2, 0.5, -2, 0});
  // Squares: 16, 4, 4, 1, 0.25, 0 of 25.25.
  CHECK(kept_columns(s, 0).numel() == 6);
  CHECK(kept_columns(s, 1.3 / 25.25).to_vector<int64_t>() == std::vector<int64_t>{1, 2, 4});
  CHECK(kept_columns(s, 0.3 / 25.25).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2, 4});
  CHECK(kept_columns(s, 5.3 / 25.25).to_vector<int64_t>() == std::vector<int64_t>{1, 2, 4});  // 2 and -2 tie
  CHECK(kept_columns(s, 0.999).to_vector<int64_t>() == std::vector<int64_t>{1});
  CHECK_THROWS_AS(kept_columns(s, 1), Error);
}

TEST_CASE("svd training: zeroed columns, removed columns and the folded network are one function") {
  Generator g(test_seed(), 16);
  const Tensor x = random_normal({4, 2, 8, 8}, g);
  for (LowRankScheme scheme : kSchemes) {
    auto net = small_resnet(g);
    factorise(*net, scheme, Start::dense, g);
    for (const auto& [name, layer] : svd_layers(*net)) flip_signs(*layer);
    (*net)(Variable(x));  // statistics of its own
    net->eval();
    const Kept kept = columns_to_keep(*net, 0.2);
    zero_columns(*net, kept);
    const Tensor zeroed = (*net)(Variable(x)).value();
    remove_columns(*net, kept);
    const Tensor removed = (*net)(Variable(x)).value();
    CHECK(distance(removed, zeroed) < 1e-5);
    for (const auto& [name, layer] : svd_layers(*net)) net->replace(name, layer->folded());
    net->eval();
    CHECK(distance((*net)(Variable(x)).value(), removed) < 1e-5);
  }
}

TEST_CASE(
    "svd training: with orthonormal factors the energy that pruning loses is the energy of s that it drops") {
  Generator g(test_seed(), 17);
  auto net = small_resnet(g);
  factorise(*net, LowRankScheme::channel, Start::dense, g);
  double dropped = 0, all = 0;
  const Kept kept = columns_to_keep(*net, 0.2);
  for (size_t i = 0; i < kept.size(); ++i) {
    const Tensor s = svd_layers(*net)[i].layer->s.value().to(float64);
    const double total = sum(square(s)).item();
    dropped += total - sum(square(index_select(s, 0, kept[i].columns))).item();
    all += total;
  }
  CHECK(energy_lost(*net, kept) == doctest::Approx(dropped / all).epsilon(1e-4));
}

TEST_CASE(
    "svd training: the moments of Adam follow the columns that stay, and training goes on as if they had "
    "been alone") {
  Generator g(test_seed(), 18);
  const Tensor x = random_normal({6, 2, 8, 8}, g), labels = random_integers({6}, g, 0, 3);
  auto net = small_resnet(g);
  factorise(*net, LowRankScheme::channel, Start::dense, g);
  auto step = [&](Module& module, Optimizer& optimizer) {
    optimizer.zero_grad();
    backward(cross_entropy(module(Variable(x)), labels));
    optimizer.step();
  };
  Adam optimizer(net->named_parameters(), {.lr = 1e-3});
  for (int i = 0; i < 3; ++i) step(*net, optimizer);
  const Kept kept = columns_to_keep(*net, 0.1);
  const State moments = without_columns(optimizer.state(), kept);
  for (const auto& [name, columns] : kept) {
    const Tensor before = optimizer.state().at("second_moment." + name + ".u"),
                 after = moments.at("second_moment." + name + ".u");
    REQUIRE(after.shape() == (Shape{before.size(0), columns.numel()}));
    for (int64_t j = 0; j < columns.numel(); ++j)
      CHECK(distance(after.select(1, j),
                     before.select(1, columns.select(0, j).to(int64).to_vector<int64_t>()[0])) == 0);
    CHECK(moments.at("first_moment." + name + ".s").numel() == columns.numel());
  }
  remove_columns(*net, kept);
  Adam compacted(net->named_parameters(), {.lr = 1e-3});
  compacted.load_state(moments);
  step(*net, compacted);
  for (const auto& [name, layer] : svd_layers(*net)) CHECK(std::isfinite(largest(layer->u.value())));
  CHECK(compacted.state().at("step_count.fc.weight").to_vector<int64_t>()[0] == 4);
}

TEST_CASE("svd training: a network takes the ranks of a state before it takes the state") {
  Generator g(test_seed(), 19);
  auto net = small_resnet(g), other = small_resnet(g);
  factorise(*net, LowRankScheme::spatial, Start::dense, g);
  factorise(*other, LowRankScheme::spatial, Start::random, g);
  remove_columns(*net, columns_to_keep(*net, 0.3));
  CHECK_THROWS_AS(other->load_state(net->state()), Error);
  fit_ranks(*other, net->state());
  other->load_state(net->state());
  CHECK(total_rank(svd_layers(*other), 0) == total_rank(svd_layers(*net), 0));
  CHECK_THROWS_WITH_AS(fit_ranks(*other, {}), doctest::Contains("conv1.s"), Error);
}

// ---- baselines ----------------------------------------------------------------------------------------------------------

TEST_CASE("svd training: filters go by the sum of |w|, or by what the others can stand for") {
  const Tensor w = Tensor::from<float>({1, 0, -5, 0, 1, 0.1F, 3, 0}, {4, 2, 1, 1});
  CHECK(strongest_filters(w, 2, FilterNorm::l1) == std::vector<int64_t>{1, 3});
  // 0 and 2 lie together in the middle; -5 and 3 are far from all.
  CHECK(strongest_filters(w, 2, FilterNorm::median) == std::vector<int64_t>{1, 3});
  CHECK_THROWS_WITH_AS(strongest_filters(w, 5), doctest::Contains("1 to 4"), Error);
  Generator g(test_seed(), 20);
  auto net = small_resnet(g), again = small_resnet(g);
  keep_filters(*net, filters_by_share(*net, 0.5));
  CHECK(dynamic_cast<Conv2d&>(net->at("layer2.0.conv1")).out_channels() == 3);
  CHECK((*net)(Variable(Tensor::ones({2, 2, 8, 8}))).shape() == (Shape{2, 3}));
  fit_filters(*again, net->state());
  again->load_state(net->state());
  CHECK(inference_macs(*again, {2, 8, 8}) == inference_macs(*net, {2, 8, 8}));
}

}  // namespace tenon::svd_training
