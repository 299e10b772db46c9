// Axes and histograms: ticks that a person would choose, counts that add up.
#include "papers/experiment/charts.h"

#include <cmath>
#include <numeric>
#include <random>

#include "core/error.h"
#include "doctest/doctest.h"
#include "papers/experiment/axis.h"
#include "tests/seed.h"

using namespace tenon;
using namespace tenon::experiment;

namespace {

std::vector<std::string> labels(const std::vector<double>& ticks) {
  std::vector<std::string> out;
  for (double tick : ticks) out.push_back(tick_label(tick));
  return out;
}

double total(const Histogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(), 0.0);
}

}  // namespace

TEST_CASE("axis: linear ticks are round and inside the range") {
  CHECK(labels(linear_ticks(0, 1, 5)) == std::vector<std::string>{"0", "0.2", "0.4", "0.6", "0.8", "1"});
  CHECK(labels(linear_ticks(-0.35, 0.35, 4)) == std::vector<std::string>{"-0.2", "0", "0.2"});
  CHECK(labels(linear_ticks(97.1, 98.6, 5)) == std::vector<std::string>{"97.5", "98", "98.5"});
  CHECK(linear_ticks(3, 3, 5) == std::vector<double>{3});
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < 1000; ++i) {
    const double low =
        std::ldexp(static_cast<double>(random() % 2000) - 1000, static_cast<int>(random() % 60) - 30);
    const double high =
        low + std::ldexp(1 + static_cast<double>(random() % 1000), static_cast<int>(random() % 60) - 30);
    const std::vector<double> ticks = linear_ticks(low, high, 6);
    CAPTURE(low);
    CAPTURE(high);
    CHECK(ticks.size() <= 8);
    if (high - low <= 2e-9 * std::max(std::abs(low), std::abs(high))) continue;  // too narrow for round ticks
    CHECK(ticks.size() >= 2);
    CHECK(ticks.front() >= low - 1e-6 * (high - low));
    CHECK(ticks.back() <= high + 1e-6 * (high - low));
  }
}

TEST_CASE("axis: logarithmic ticks are decades, thinned or filled as needed") {
  CHECK(labels(log_ticks(0.001, 100, 6)) ==
        std::vector<std::string>{"0.001", "0.01", "0.1", "1", "10", "100"});
  CHECK(labels(log_ticks(0.9, 30, 6)) == std::vector<std::string>{"1", "2", "5", "10", "20"});
  CHECK(log_ticks(1e-30, 1e30, 6).size() <= 7);
  CHECK(log_ticks(3.1, 3.9, 5).size() >= 2);
}

TEST_CASE("axis: labels") {
  CHECK(tick_label(0) == "0");
  CHECK(tick_label(-2.5) == "-2.5");
  CHECK(tick_label(20000) == "20k");
  CHECK(tick_label(3e6) == "3M");
  CHECK(tick_label(1e-5) == "10⁻⁵");
  CHECK(tick_label(2e-12) == "2·10⁻¹²");
  CHECK(tick_label(1e12) == "10¹²");
}

TEST_CASE("axis: values map onto pixels, linear and logarithmic") {
  const Axis linear({2, 4, false}, false, 10, 110, 5);
  CHECK(linear.pixel(3) == doctest::Approx(60));
  const Axis log({1, 100, false}, true, 200, 0, 5);
  CHECK(log.pixel(10) == doctest::Approx(100));
  CHECK(log.pixel(100) == doctest::Approx(0));
  CHECK(showable(1, true));
  CHECK_FALSE(showable(0, true));
  CHECK_FALSE(showable(INFINITY, false));
  CHECK(linear_ticks(1e9, std::nextafter(1e9, 2e9), 5).size() == 1);
  CHECK(linear_ticks(-9e299, 9e299, 5).size() >= 2);
  CHECK_FALSE(showable(std::nan(""), false));
}

TEST_CASE("histogram: edges belong to bins, the rest is left out") {
  const std::vector<double> values = {0, 0.24, 0.25, 1, 1.01, -0.01, std::nan("")};
  const Histogram histogram = make_histogram("h", values, 0, 1, 4);
  CHECK(histogram.counts == std::vector<double>{2, 1, 0, 1});
  CHECK_THROWS_AS(make_histogram("h", values, 1, 1, 4), Error);
  CHECK_THROWS_AS(make_histogram("h", values, 0, 1, 0), Error);
}

TEST_CASE("histogram: log magnitudes leave zeros out and keep the extremes") {
  const std::vector<float> values = {0, -0.0F, 1, -1, 1e-3F, 1e-30F, 1e30F, INFINITY, NAN};
  const Histogram histogram = log_magnitude_histogram("h", values, -4, 2, 6);
  CHECK(total(histogram) == 6);
  CHECK(histogram.counts == std::vector<double>{1, 1, 0, 0, 2, 2});
}
