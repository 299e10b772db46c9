// Random streams: Philox against its published vectors, moments, and the same bits for any number of threads.
#include "core/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "core/parallel.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

}  // namespace

// Random123's kat_vectors, philox4x32-10.
TEST_CASE("philox: known answers") {
  using Words = std::array<uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("generator: continues from its state; streams and seeds differ; tensors begin at whole blocks") {
  Generator a(test_seed(), 3);
  a.next();
  Generator b = Generator::from(a.state());
  for (int i = 0; i < 20; ++i) CHECK(a.next() == b.next());
  CHECK(Generator(1, 2).next() != Generator(1, 3).next());
  CHECK(Generator(1, 2).next() != Generator(2, 2).next());

  Generator words(7, 1), tensors(7, 1);
  tensors.next();  // a tensor drawn after one word begins at word 4
  for (int i = 0; i < 4; ++i) words.next();
  Tensor x = random_uniform({5}, tensors);
  for (float v : x.to_vector<float>()) CHECK(v == static_cast<float>(words.next_uniform()));
  CHECK(tensors.state().position == 9);
}

TEST_CASE("random tensors: the same bits for 1, 2 and 7 threads") {
  const int before = num_threads();
  const std::function<Tensor(Generator&)> draws[] = {
      [](Generator& g) { return random_uniform({300007}, g, -2, 5); },
      [](Generator& g) { return random_normal({300007}, g, 1, 3); },
      [](Generator& g) {
        return random_normal({1001, 100}, g, 0, 1, float64);
      },
      [](Generator& g) { return random_integers({300007}, g, -5, 1000); },
      [](Generator& g) { return random_bernoulli({300007}, g, 0.3); }};
  for (const auto& draw : draws) {
    set_num_threads(1);
    Generator g(test_seed(), 50);
    Tensor one = draw(g);
    const uint64_t position = g.state().position;
    for (int threads : {2, 7}) {
      set_num_threads(threads);
      Generator again(test_seed(), 50);
      CHECK(same_bits(draw(again), one));
      CHECK(again.state().position == position);
    }
  }
  set_num_threads(before);
}

// n = 10^6 numbers; every bound is six standard deviations of the statistic.
TEST_CASE("random_normal: moments and tails") {
  Generator g(test_seed(), 51);
  const int64_t n = 1000000;
  std::vector<float> x = random_normal({n}, g).to_vector<float>();
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  int64_t beyond_two = 0;
  for (double v : x) {
    m1 += v, m2 += v * v, m3 += v * v * v, m4 += v * v * v * v;
    beyond_two += std::fabs(v) > 2;
  }
  const double count = static_cast<double>(n), six = 6 / std::sqrt(count);
  CHECK(std::fabs(m1 / count) < six);
  CHECK(std::fabs(m2 / count - 1) < six * std::sqrt(2.0));
  CHECK(std::fabs(m3 / count) < six * std::sqrt(15.0));
  CHECK(std::fabs(m4 / count - 3) < six * std::sqrt(96.0));
  const double tail = 0.0455002639;  // 2 (1 - Phi(2))
  CHECK(std::fabs(static_cast<double>(beyond_two) / count - tail) < six * std::sqrt(tail * (1 - tail)));
  auto [low, high] = std::minmax_element(x.begin(), x.end());
  CHECK(*low > -6);
  CHECK(*low < -4);
  CHECK(*high < 6);
  CHECK(*high > 4);
  Generator scaled(test_seed(), 51);
  CHECK(random_normal({n}, scaled, 10, 2).to_vector<float>()[17] == doctest::Approx(10 + 2 * x[17]));
}

TEST_CASE("random_uniform: inside its half-open range, evenly spread") {
  Generator g(test_seed(), 52);
  const int64_t n = 1000000;
  for (auto [low, high] : {std::pair<double, double>{0, 1}, {1, 2}, {-3, 0.1}, {1e6, 1e6 + 1}}) {
    std::vector<float> x = random_uniform({n}, g, low, high).to_vector<float>();
    auto [smallest, largest] = std::minmax_element(x.begin(), x.end());
    CHECK(*smallest >= static_cast<float>(low));
    CHECK(*largest < static_cast<float>(high));
  }
  std::vector<int64_t> bins(16);
  for (double v : random_uniform({n}, g, 0, 1, float64).to_vector<double>())
    ++bins[static_cast<size_t>(v * 16)];
  double chi2 = 0;  // 15 degrees of freedom: 15 +- 5.5
  for (int64_t b : bins) chi2 += std::pow(static_cast<double>(b) - n / 16.0, 2) / (n / 16.0);
  CHECK(chi2 < 15 + 10 * 5.5);
  CHECK_THROWS_AS(random_uniform({2}, g, 0, 1, int32), Error);
}

TEST_CASE("random_integers, random_bernoulli, random_permutation: ranges, shares, refusals") {
  Generator g(test_seed(), 53);
  std::vector<int64_t> counts(7);
  for (int64_t v : random_integers({70000}, g, -3, 4).to_vector<int64_t>())
    ++counts.at(static_cast<size_t>(v + 3));
  for (int64_t c : counts) CHECK(std::abs(c - 10000) < 6 * 93);
  CHECK(random_integers({5}, g, 200, 201, uint8).to_vector<uint8_t>() == std::vector<uint8_t>(5, 200));
  int64_t ones = 0;
  for (uint8_t v : random_bernoulli({100000}, g, 0.3).to_vector<uint8_t>()) ones += v;
  CHECK(std::abs(ones - 30000) < 6 * 145);
  CHECK(random_bernoulli({100}, g, 1).to_vector<uint8_t>() == std::vector<uint8_t>(100, 1));
  CHECK(random_bernoulli({100}, g, 0).to_vector<uint8_t>() == std::vector<uint8_t>(100, 0));
  std::vector<int64_t> order = random_permutation(1000, g).to_vector<int64_t>();
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  CHECK(order == Tensor::arange(1000).to_vector<int64_t>());
  CHECK(random_permutation(0, g).is_empty());
  CHECK_THROWS_AS(random_integers({2}, g, 3, 3), Error);
  CHECK_THROWS_AS(random_integers({2}, g, 0, int64_t{1} << 40), Error);
  using Limits = std::numeric_limits<int64_t>;
  CHECK_THROWS_AS(random_integers({2}, g, Limits::min(), Limits::max()), Error);
  CHECK_THROWS_AS(random_bernoulli({2}, g, 1.5), Error);
  CHECK_THROWS_AS(g.next_below(0), Error);
}
