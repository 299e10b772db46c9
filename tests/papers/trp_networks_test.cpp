// The networks of TRP: which layers are decomposed, at what cost, and that the decomposed network was really built.
#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/compress/accounting.h"
#include "nn/compress/filters.h"
#include "nn/models/resnet.h"
#include "papers/experiment/images.h"
#include "papers/trp/networks.h"
#include "papers/trp/recipes.h"
#include "papers/trp/truncation.h"
#include "tests/seed.h"

namespace tenon::trp {
namespace {

const Shape kImage = {1, 9, 9};

std::shared_ptr<Sequential> small_network() { return make_network("resnet8", kImage, 10, 3); }

Tensor images(int64_t count) {
  Generator g(test_seed(), 5);
  return random_normal({count, 1, 9, 9}, g);
}

// Statistics of its own activations, so that nothing vanishes behind a norm.
std::shared_ptr<Sequential> settled_network() {
  auto net = small_network();
  estimate_statistics(*net, images(64), 32);
  net->eval();
  return net;
}

double squared_difference(Sequential& a, Sequential& b, const Tensor& x) {
  NoGrad no_grad;
  a.eval();
  b.eval();
  const Tensor d = sub(a(Variable(x)).value(), b(Variable(x)).value());
  return sum(mul(d, d)).item();
}
double largest_difference(Module& a, Module& b, const Tensor& x) {
  NoGrad no_grad;
  a.eval();
  b.eval();
  const Tensor y = a(Variable(x)).value();
  return amax(abs(sub(b(Variable(x)).value(), y))).item() / amax(abs(y)).item();
}

}  // namespace

TEST_CASE("trp: the networks of the tables, their convolutions and multiply-accumulates") {
  struct Expected {
    const char* name;
    Shape image;
    double macs;
    size_t trained;
  };
  const Expected all[] = {{"resnet8", {1, 14, 14}, 2.55e6, 6},     {"resnet20", {3, 32, 32}, 40.81e6, 18},
                          {"resnet32", {3, 32, 32}, 69.12e6, 30},  {"resnet56", {3, 32, 32}, 125.8e6, 54},
                          {"resnet56b", {3, 32, 32}, 127.3e6, 81}, {"resnet18", {3, 224, 224}, 1.814e9, 16},
                          {"resnet50", {3, 224, 224}, 4.087e9, 48}};
  for (const Expected& e : all) {
    CAPTURE(e.name);
    auto net = make_network(e.name, e.image, 10, 1);
    CHECK(static_cast<double>(conv_macs(*net, e.image)) == doctest::Approx(e.macs).epsilon(2e-3));
    CHECK(trained_convs(*net).size() == e.trained);
    for (const NamedConv& conv : trained_convs(*net)) CHECK(conv.name.find("layer") == 0);
  }
  CHECK_THROWS_WITH_AS(make_network("resnet9", kImage, 10, 1), doctest::Contains("resnet9"), Error);
  CHECK_THROWS_WITH_AS(make_network("resnet18", kImage, 10, 1), doctest::Contains("3 channels"), Error);
}

TEST_CASE("trp: a network cut in training is decomposed without a loss, and costs what was counted") {
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial, LowRankScheme::decoupled})
    for (bool strided : {false, true}) {
      CAPTURE(name_of(scheme));
      auto net = settled_network();
      RankTruncation truncation(trained_convs(*net), {.scheme = scheme, .energy = 0.2, .period = 1});
      {
        NoGrad no_grad;
        for (int64_t step = 0; step < 10; ++step) truncation.begin_step(step);
      }
      estimate_statistics(*net, images(64), 32);
      auto pairs = small_network();
      pairs->load_state(net->state());
      const Candidates candidates = candidates_of(*pairs, scheme, kImage, strided);
      CHECK(candidates.layers.size() == (strided ? 6 : 4));
      const Ranks ranks = candidates.by_rule({RankRule::Kind::relative_value, 1e-4});
      const int64_t expected = candidates.macs_at(ranks), dense = conv_macs(*net, kImage);
      candidates.decompose(*pairs, ranks);
      CHECK(conv_macs(*pairs, kImage) == expected);
      CHECK(expected <= dense);
      CHECK(ranks.empty() == (expected == dense));
      CHECK(largest_difference(*net, *pairs, images(8)) < 1e-4);
      for (const auto& [name, rank] : ranks) {
        const auto& pair = dynamic_cast<LowRankConv2d&>(pairs->at(name));
        CHECK(pair.rank() == rank);
      }
      CHECK(std::string(pairs->at("conv1").kind()) == "Conv2d");
    }
}

TEST_CASE("trp: ranks for a number of multiply-accumulates use as much of it as they can") {
  auto net = small_network();
  const int64_t dense = conv_macs(*net, kImage);
  const Candidates candidates = candidates_of(*net, LowRankScheme::spatial, kImage, true);
  for (double speed_up : {1.5, 2.5, 4.0}) {
    const auto macs = static_cast<int64_t>(static_cast<double>(dense) / speed_up);
    const std::optional<Ranks> ranks = candidates.by_macs(macs);
    REQUIRE(ranks);
    CHECK(candidates.macs_at(*ranks) <= macs);
    CHECK(candidates.macs_at(*ranks) > 0.9 * static_cast<double>(macs));
    CHECK(ranks_of(ranks_json(*ranks)) == *ranks);
  }
  CHECK(!candidates.by_macs(1000));
}

TEST_CASE(
    "trp: at all components the data-driven pairs compute what the convolutions do; at fewer, their "
    "responses best") {
  auto net = settled_network(), pairs = small_network(), plain = small_network();
  pairs->load_state(net->state());
  plain->load_state(net->state());
  const Tensor x = images(40);
  const Candidates by_responses = candidates_by_responses(*pairs, kImage, true, x);
  CHECK(largest_difference(*net, *pairs, x) == 0);  // the recorders are gone
  Ranks full, half;
  for (const Candidate& c : by_responses.layers) full[c.layer.name] = c.values.numel();
  half["layer3.0.conv2"] = 12;
  by_responses.decompose(*pairs, full);
  CHECK(largest_difference(*net, *pairs, x) < 1e-4);
  // One layer at few components: nearer than the decomposition of the weight alone.
  pairs = small_network();
  pairs->load_state(net->state());
  candidates_by_responses(*pairs, kImage, true, x).decompose(*pairs, half);
  candidates_of(*plain, LowRankScheme::channel, kImage, true).decompose(*plain, half);
  CHECK(squared_difference(*net, *pairs, x) < squared_difference(*net, *plain, x));
}

TEST_CASE("trp: removed filters are those of least norm, and what stays computes as if they were zero") {
  auto net = settled_network(), masked = small_network();
  const State start = clone_state(net->state());
  masked->load_state(start);
  const int64_t dense = conv_macs(*net, kImage);
  const std::optional<Filters> kept = filters_by_macs(*net, experiment::one_image(kImage), dense / 2);
  REQUIRE(kept);
  CHECK(kept->size() == 3);
  keep_filters(*net, *kept);
  const int64_t macs = conv_macs(*net, kImage);
  CHECK(macs <= dense / 2);
  CHECK(macs > dense * 2 / 5);
  for (const auto& [name, filters] : *kept) {
    auto& conv = dynamic_cast<Conv2d&>(masked->at(name));
    const Tensor& w = conv.weight.value();
    const std::vector<float> norms = norm1(w, {1, 2, 3}).to_vector<float>();
    std::string norm = name;
    auto& bn = dynamic_cast<BatchNorm2d&>(masked->at(norm.replace(norm.rfind("conv"), 4, "bn")));
    float least = 1e30F, most = 0;
    for (int64_t i = 0; i < w.size(0); ++i) {
      const bool stays = std::find(filters.begin(), filters.end(), i) != filters.end();
      (stays ? least : most) = stays ? std::min(least, norms[static_cast<size_t>(i)])
                                     : std::max(most, norms[static_cast<size_t>(i)]);
      if (stays) continue;
      bn.weight.value().narrow(0, i, 1).fill_(0);
      bn.bias.value().narrow(0, i, 1).fill_(0);
    }
    CHECK(least >= most);
  }
  CHECK(largest_difference(*masked, *net, images(8)) < 1e-5);
  auto again = small_network();
  again->load_state(start);
  CHECK(*filters_by_macs(*again, experiment::one_image(kImage), macs) == *kept);
  CHECK(!filters_by_macs(*small_network(), experiment::one_image(kImage), 1000));
}

TEST_CASE("trp: every arm comes after those that it needs, and a schedule keeps its proportions") {
  for (Row row : {Row::workshop, Row::ijcai}) {
    std::vector<std::string> before;
    for (const Recipe& recipe : recipes(row)) {
      CAPTURE(recipe.arm);
      CHECK(&recipe_of(row, recipe.arm) == &recipe);
      for (const std::string& needed : {recipe.start, recipe.like})
        CHECK((needed.empty() || std::find(before.begin(), before.end(), needed) != before.end()));
      before.push_back(recipe.arm);
    }
    for (const std::string& arm : experiment_spec(row).default_arms) CHECK_NOTHROW(recipe_of(row, arm));
  }
  CHECK(with_needed(Row::ijcai, {"scratch-trp-spatial-0.02", "basic-nu-channel"}) ==
        std::vector<std::string>{"nu-channel", "trp-spatial-0.02", "basic-nu-channel",
                                 "scratch-trp-spatial-0.02"});
  CHECK_THROWS_WITH_AS(recipe_of(Row::workshop, "nu-channel"), doctest::Contains("nu-channel"), Error);
  CHECK(with_epochs(schedule_of(experiment::Scale::kPaper), 41).milestones == std::vector<int64_t>{20, 30});
}

}  // namespace tenon::trp
