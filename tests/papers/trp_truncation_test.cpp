// Trained rank pruning: the cut in the parameter itself, its ratchet, the theorem on ranks, and the nuclear norm's
// sub-gradient.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "papers/trp/networks.h"
#include "papers/trp/truncation.h"
#include "tests/seed.h"

namespace tenon::trp {
namespace {

constexpr LowRankScheme kSchemes[] = {LowRankScheme::channel, LowRankScheme::spatial,
                                      LowRankScheme::decoupled};

int64_t numerical_rank(LowRankScheme scheme, const Conv2d& conv) {
  const Svd full = svd(low_rank_matrix(scheme, conv.weight.value()));
  return rank_of({RankRule::Kind::relative_value, 1e-5}, full.s);
}

double distance(const Tensor& a, const Tensor& b) { return norm2(sub(a, b)).item(); }

// Wide enough to have a rank to lose.
Conv2d make_conv(Generator& g) { return Conv2d(24, 32, {3}, {.padding = {1}}, Bias::no, g); }

// A matrix of shape with these singular values.
Tensor with_values(const std::vector<double>& values, int64_t rows, int64_t cols, Generator& g) {
  const auto k = static_cast<int64_t>(values.size());
  const Tensor u = qr(random_normal({rows, k}, g, 0, 1, float64)).q;
  const Tensor v = qr(random_normal({cols, k}, g, 0, 1, float64)).q;
  return matmul(mul(u, Tensor::from(values)), v.t());
}

}  // namespace

TEST_CASE("trp: a cut changes the parameter itself, to the least rank that the energy allows") {
  Generator g(test_seed());
  for (LowRankScheme scheme : kSchemes) {
    CAPTURE(name_of(scheme));
    Conv2d conv = make_conv(g);
    const Tensor handle = conv.weight.value();  // what an optimiser holds
    const Tensor before = handle.clone();
    RankTruncation truncation({{"conv", &conv}}, {.scheme = scheme, .energy = 0.3, .period = 4});
    truncation.begin_step(0);
    CHECK(conv.weight.value().shares_storage_with(handle));
    const std::vector<NetworkCut> cuts = truncation.take_cuts();
    REQUIRE(cuts.size() == 1);
    const int64_t rank = cuts[0].layers[0].rank;
    CHECK(rank < full_rank(scheme, before.shape()));
    CHECK(numerical_rank(scheme, conv) == rank);
    // Eckart and Young: what is missing is the energy of the values that were dropped. Decoupled: of each matrix, all of
    // which keep as many as the one that needs most.
    const double lost = std::pow(distance(handle, before) / norm2(before).item(), 2);
    CHECK(lost <= 0.3);
    CHECK(lost > 0);
    // Between the cuts nothing is.
    const Tensor after = handle.clone();
    for (int64_t step : {1, 2, 3}) truncation.begin_step(step);
    CHECK(distance(handle, after) == 0);
    CHECK(truncation.take_cuts().empty());
    truncation.begin_step(4);
    CHECK(truncation.take_cuts().size() == 1);
  }
}

TEST_CASE(
    "trp: cuts without steps between them go on until no value is below the share, at most 1/e of them") {
  Generator g(test_seed());
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial})
    for (double energy : {0.05, 0.1}) {
      CAPTURE(name_of(scheme));
      Conv2d conv(48, 64, {3}, {.padding = {1}}, Bias::no, g);
      RankTruncation truncation({{"conv", &conv}}, {.scheme = scheme, .energy = energy, .period = 1});
      for (int64_t step = 0; step < 60; ++step) truncation.begin_step(step);
      const std::vector<NetworkCut> cuts = truncation.take_cuts();
      for (size_t z = 1; z < cuts.size(); ++z) CHECK(cuts[z].layers[0].rank <= cuts[z - 1].layers[0].rank);
      CHECK(cuts.front().layers[0].rank > static_cast<int64_t>(1 / energy));  // one cut does not do
      CHECK(cuts.back().layers[0].rank <= static_cast<int64_t>(1 / energy));
      CHECK(cuts.back().layers[0].rank == cuts[cuts.size() - 2].layers[0].rank);
    }
}

TEST_CASE("trp: one cut of nothing, of rank one, and of equal values") {
  Generator g(test_seed());
  Conv2d conv(8, 12, {1}, {}, Bias::no, g);
  const auto rank_after = [&](const Tensor& matrix, double energy) {
    conv.weight.value().copy_(matrix.reshape({12, 8, 1, 1}));
    RankTruncation truncation({{"conv", &conv}}, {.scheme = LowRankScheme::channel, .energy = energy});
    truncation.begin_step(0);
    return truncation.take_cuts()[0].layers[0].rank;
  };
  CHECK(rank_after(Tensor::zeros({12, 8}), 0.1) == 1);
  CHECK(norm2(conv.weight.value()).item() == 0);
  CHECK(rank_after(with_values({3}, 12, 8, g), 0.1) == 1);
  CHECK(rank_after(with_values({2, 2, 2, 2, 2, 2, 2, 2}, 12, 8, g), 0.26) == 6);  // two of eight: 0.25
  CHECK(rank_after(with_values({1, 1e-1, 1e-2, 1e-3}, 12, 8, g), 1e-12) == 4);
  CHECK_THROWS_WITH_AS(rank_after(Tensor::full({12, 8}, NAN), 0.1), doctest::Contains("svd"), Error);
  CHECK_THROWS_WITH_AS(RankTruncation({}, {.energy = 1}), doctest::Contains("[0, 1)"), Error);
  CHECK_THROWS_WITH_AS(RankTruncation({}, {.period = 0}), doctest::Contains("period"), Error);
}

TEST_CASE("trp: singular values move no further than the matrix does (Mirsky)") {
  Generator g(test_seed());
  for (int trial = 0; trial < 20; ++trial) {
    const Tensor m = random_normal({18, 27}, g), e = random_normal({18, 27}, g, 0, 0.3);
    CHECK(distance(svd(add(m, e)).s, svd(m).s) <= norm2(e).item() * (1 + 1e-5));
  }
}

TEST_CASE("trp: updates below the bound of the theorem never raise a rank; longer ones do") {
  Generator g(test_seed());
  constexpr double kEnergy = 0.05;
  constexpr int64_t kPeriod = 5;
  // `length` of an update, as a multiple of the bound sqrt(e) / m |W|.
  const auto rises = [&](double length, int cuts_in_all) {
    Conv2d conv(8, 12, {3}, {.padding = {1}}, Bias::no, g);
    RankTruncation truncation({{"conv", &conv}}, {.energy = kEnergy, .period = kPeriod});
    const Tensor& w = conv.weight.value();
    int64_t last = 1000;
    int found = 0;
    for (int64_t step = 0; step < cuts_in_all * kPeriod; ++step) {
      truncation.begin_step(step);
      for (const NetworkCut& cut : truncation.take_cuts()) {
        const LayerCut& layer = cut.layers[0];
        if (!std::isnan(layer.steps_ratio)) {
          CHECK(layer.moved_ratio <= layer.steps_ratio * (1 + 1e-5));
          if (length < 1) CHECK(layer.steps_ratio < std::sqrt(kEnergy));
        }
        found += layer.rank > last ? 1 : 0;
        last = layer.rank;
      }
      const Tensor direction = random_normal(w.shape(), g);
      // The bound is of the norm at the next cut, which is no less than this much of the present one.
      const double norm = norm2(w).item() * (1 - std::sqrt(kEnergy));
      const double step_length = length * std::sqrt(kEnergy) / static_cast<double>(kPeriod) * norm;
      w.copy_(add(w, affine(direction, step_length / norm2(direction).item(), 0)));
      truncation.after_step(step);
    }
    return found;
  };
  CHECK(rises(0.9, 200) == 0);
  CHECK(rises(6, 400) > 0);  // about thirty times: of 40 cuts alone one seed in twenty sees none
}

TEST_CASE("trp: lambda times the sub-gradient of the nuclear norm joins the gradient, by its three rules") {
  Generator g(test_seed());
  const auto gradient_at = [](int64_t step, const Conv2d& conv, RankTruncation& truncation) {
    truncation.begin_step(step);
    conv.weight.set_grad(Variable(Tensor::zeros(conv.weight.shape())));
    truncation.after_backward(step);
    return conv.weight.grad().value().clone();
  };
  for (LowRankScheme scheme : kSchemes)
    for (NuclearSteps when : {NuclearSteps::tsvd, NuclearSteps::every, NuclearSteps::cached}) {
      CAPTURE(name_of(scheme));
      Conv2d conv = make_conv(g);
      RankTruncation truncation(
          {{"conv", &conv}},
          {.scheme = scheme, .energy = 0.2, .period = 4, .lambda = 0.5, .nuclear_steps = when});
      const Tensor first = gradient_at(0, conv, truncation);
      const Tensor at_cut = conv.weight.value().clone();
      // <S, W> is the sum of the values that stayed, and S has no direction longer than one.
      const Svd kept = svd(low_rank_matrix(scheme, at_cut));
      CHECK(sum(mul(first, at_cut)).item() == doctest::Approx(0.5 * sum(kept.s).item()).epsilon(1e-4));
      CHECK(amax(svd(low_rank_matrix(scheme, first)).s).item() == doctest::Approx(0.5).epsilon(1e-4));
      conv.weight.value().copy_(random_normal(at_cut.shape(), g));
      const Tensor second = gradient_at(1, conv, truncation);
      switch (when) {
        case NuclearSteps::tsvd:
          CHECK(norm2(second).item() == 0);
          break;
        case NuclearSteps::cached:
          CHECK(distance(second, first) == 0);
          break;
        case NuclearSteps::every: {
          const Svd full = svd(low_rank_matrix(scheme, conv.weight.value()));
          CHECK(sum(mul(second, conv.weight.value())).item() ==
                doctest::Approx(0.5 * sum(full.s).item()).epsilon(1e-4));
        }
      }
    }
}

TEST_CASE(
    "trp: along S the nuclear norm rises by one for each value, and the polar factor is S at full rank") {
  Generator g(test_seed());
  const Tensor m = random_normal({30, 12}, g, 0, 1, float64);
  const Svd full = svd(m);
  const Tensor s = matmul(full.u, full.v.t());
  const auto nuclear = [](const Tensor& x) { return sum(svd(x).s).item(); };
  const double h = 1e-4;
  CHECK((nuclear(add(m, affine(s, h, 0))) - nuclear(m)) / h == doctest::Approx(12).epsilon(1e-6));
  CHECK(distance(polar(m), s) < 1e-6);  // Newton-Schulz, products alone
}

TEST_CASE("trp: what the cuts keep comes back from a state, and from the log") {
  Generator g(test_seed());
  Conv2d conv = make_conv(g), other = make_conv(g);
  other.load_state(conv.state());
  const TruncationOptions options = {.energy = 0.1, .period = 3, .lambda = 0.1};
  RankTruncation truncation({{"conv", &conv}}, options), resumed({{"conv", &other}}, options);
  const Tensor push = random_normal(conv.weight.shape(), g, 0, 0.01);
  const auto steps = [&](RankTruncation& t, const Conv2d& c, int64_t from, int64_t to) {
    for (int64_t step = from; step < to; ++step) {
      t.begin_step(step);
      c.weight.set_grad(Variable(Tensor::zeros(push.shape())));
      t.after_backward(step);
      const Tensor& w = c.weight.value();
      w.copy_(add(add(w, push), c.weight.grad().value()));
      t.after_step(step);
    }
    return cuts_json(t.take_cuts());
  };
  steps(truncation, conv, 0, 5);
  const State state = clone_state(truncation.state());
  other.load_state(conv.state());
  resumed.load_state(state);
  const Json expected = steps(truncation, conv, 5, 9);
  CHECK(steps(resumed, other, 5, 9).dump() == expected.dump());
  CHECK(other.weight.value().to_vector<float>() == conv.weight.value().to_vector<float>());
  CHECK(cuts_json(cuts_of(expected)).dump() == expected.dump());
  CHECK_THROWS_WITH_AS(resumed.load_state({}), doctest::Contains("rank.conv"), Error);
}

}  // namespace tenon::trp
