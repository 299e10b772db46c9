// The float32 functions of core/math.h against the C library in float64: errors in units of the last place (ulp), over a
// dense sweep of all floats and at the edges.
#include "core/math.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>

using namespace tenon;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
constexpr float kMin = std::numeric_limits<float>::min();
constexpr float kMax = std::numeric_limits<float>::max();

// |got - exact| in steps of float32 at `exact`. 0 where both are NaN or both are beyond the largest float.
double ulp_error(float got, double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e9;
  if (static_cast<float>(exact) == got) return 0;
  if (std::isnan(got)) return 1e9;
  // Infinity counts as the step after the largest float.
  const double value = std::isinf(got) ? std::copysign(0x1p128, got) : static_cast<double>(got);
  int exponent = 0;
  std::frexp(exact, &exponent);
  return std::fabs(value - exact) / std::ldexp(1.0, std::max(exponent, -125) - 24);
}

struct Worst {
  double ulp = 0;
  float at = 0;
};

// Every 509th float of both signs, from 0 through the denormals to infinity and NaN: 8.4 million.
template <class F, class G>
Worst sweep(F function, G exact) {
  Worst worst;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 509) {
    const float x = math::as_float(static_cast<int32_t>(static_cast<uint32_t>(bits)));
    const double error = ulp_error(function(x), exact(static_cast<double>(x)));
    if (error > worst.ulp) worst = {error, x};
  }
  return worst;
}

bool is_nan(float x) { return x != x; }

}  // namespace

TEST_CASE("math: errors of the float32 functions over all floats") {
  SUBCASE("exp") {
    Worst w = sweep([](float x) { return math::exp(x); }, [](double x) { return std::exp(x); });
    INFO("at ", w.at);
    CHECK(w.ulp < 1.1);
  }
  SUBCASE("log") {
    Worst w = sweep([](float x) { return math::log(x); }, [](double x) { return std::log(x); });
    INFO("at ", w.at);
    CHECK(w.ulp < 0.9);
  }
  SUBCASE("log1p") {
    Worst w = sweep([](float x) { return math::log1p(x); }, [](double x) { return std::log1p(x); });
    INFO("at ", w.at);
    CHECK(w.ulp < 2.6);
  }
  SUBCASE("tanh") {
    Worst w = sweep([](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); });
    INFO("at ", w.at);
    CHECK(w.ulp < 1.4);
  }
}

TEST_CASE("math: exp at its edges") {
  CHECK(math::exp(0.0f) == 1);
  CHECK(math::exp(-0.0f) == 1);
  CHECK(math::exp(kDenormal) == 1);
  CHECK(math::exp(kInfinity) == kInfinity);
  CHECK(math::exp(-kInfinity) == 0);
  CHECK(is_nan(math::exp(kNan)));
  CHECK(math::exp(88.7228f) < kInfinity);
  CHECK(math::exp(88.7229f) == kInfinity);
  CHECK(math::exp(kMax) == kInfinity);
  CHECK(math::exp(-87.5f) > 0);  // a denormal
  CHECK(math::exp(-103.9f) == kDenormal);
  CHECK(math::exp(-104.0f) == 0);
  CHECK(math::exp(-kMax) == 0);
}

TEST_CASE("math: log and log1p at their edges") {
  CHECK(math::log(1.0f) == 0);
  CHECK(math::log(0.0f) == -kInfinity);
  CHECK(math::log(-0.0f) == -kInfinity);
  CHECK(math::log(kInfinity) == kInfinity);
  CHECK(is_nan(math::log(-kDenormal)));
  CHECK(is_nan(math::log(-kInfinity)));
  CHECK(is_nan(math::log(kNan)));
  CHECK(math::log(kDenormal) == doctest::Approx(-103.27893));
  CHECK(math::log(kMin) == doctest::Approx(-87.336545));
  CHECK(math::log(kMax) == doctest::Approx(88.722839));

  CHECK(math::log1p(0.0f) == 0);
  CHECK(math::log1p(kDenormal) == kDenormal);
  CHECK(math::log1p(-kMin) == -kMin);
  CHECK(math::log1p(-1.0f) == -kInfinity);
  CHECK(is_nan(math::log1p(-1.0000001f)));
  CHECK(is_nan(math::log1p(-kInfinity)));
  CHECK(math::log1p(kInfinity) == kInfinity);
  CHECK(math::log1p(kMax) == doctest::Approx(88.722839));
  CHECK(is_nan(math::log1p(kNan)));
}

TEST_CASE("math: tanh, sigmoid and softplus at their edges") {
  CHECK(math::tanh(0.0f) == 0);
  CHECK(math::tanh(-0.0f) == 0);
  CHECK(math::tanh(kDenormal) == kDenormal);
  CHECK(math::tanh(kInfinity) == 1);
  CHECK(math::tanh(-kInfinity) == -1);
  CHECK(math::tanh(-kMax) == -1);
  CHECK(is_nan(math::tanh(kNan)));
  float before = -1;
  for (float x = -12; x < 12; x += 1e-3f) {  // rises everywhere, and is odd
    CHECK(math::tanh(x) >= before);
    CHECK(math::tanh(-x) == -math::tanh(x));
    before = math::tanh(x);
  }
  CHECK(math::sigmoid(kInfinity) == 1);
  CHECK(math::sigmoid(-kInfinity) == 0);
  CHECK(math::sigmoid(0.0f) == 0.5f);
  CHECK(is_nan(math::sigmoid(kNan)));
  CHECK(math::softplus(kInfinity) == kInfinity);
  CHECK(math::softplus(-kInfinity) == 0);
  CHECK(math::softplus(1000.0f) == 1000);
  CHECK(is_nan(math::softplus(kNan)));
}

TEST_CASE("math: maximum and minimum keep NaN from either side") {
  CHECK(is_nan(math::maximum(kNan, 1.0f)));
  CHECK(is_nan(math::maximum(1.0f, kNan)));
  CHECK(is_nan(math::minimum(kNan, 1.0f)));
  CHECK(is_nan(math::minimum(1.0f, kNan)));
  CHECK(math::maximum(-kInfinity, 1.0f) == 1);
}
