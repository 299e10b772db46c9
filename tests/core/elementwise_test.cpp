// Elementwise ops where the catalogue's rows do not go: integers at the ends of their range, -0.
#include "core/ops/elementwise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace tenon;

namespace {

template <class T>
void check_wrapping() {
  const T low = std::numeric_limits<T>::lowest(), high = std::numeric_limits<T>::max();
  Tensor ends = Tensor::from<T>({high, low, high}), ones = Tensor::from<T>({1, 1, 2});
  CHECK(add(ends, ones).template to_vector<T>()[0] == low);
  CHECK(sub(ends, ones).template to_vector<T>()[1] == high);
  CHECK(mul(ends, ones).template to_vector<T>()[2] == static_cast<T>(-2));
}

}  // namespace

TEST_CASE("elementwise: integers wrap around") {
  check_wrapping<int64_t>();
  check_wrapping<int32_t>();
  check_wrapping<uint8_t>();
}

TEST_CASE("elementwise: the magnitude of -0 is +0") {
  for (DType dtype : {float32, float64})
    for (double x : abs(Tensor::full({37}, -0.0, dtype)).to(float64).to_vector<double>())
      REQUIRE_FALSE(std::signbit(x));
}
