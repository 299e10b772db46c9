// Pooling where rows are as wide as vectors, with numbers that are not: the catalogue's references know no NaN.
#include "core/ops/pool.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace tenon;

namespace {

// The place of the largest of x[from, to), where NaN is larger than any and the first counts.
int32_t largest(const std::vector<double>& x, int64_t from, int64_t to) {
  int64_t at = from;
  for (int64_t i = from + 1; i < to; ++i)
    if (!std::isnan(x[size_t(at)]) && (x[size_t(i)] > x[size_t(at)] || std::isnan(x[size_t(i)]))) at = i;
  return static_cast<int32_t>(at);
}

}  // namespace

TEST_CASE("max_pool: NaN, infinities and ties in every lane of a vector") {
  const double special[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity(), 1, 1};
  for (int64_t stride : {1, 2, 3})
    for (DType dtype : {float32, float64}) {
      std::vector<double> x;
      for (int64_t i = 0; i < 145; ++i) x.push_back(special[(i * i + i / 7) % 5]);
      const auto [y, index] =
          max_pool(Tensor::from(x, {1, 1, 145}).to(dtype), {.kernel = {3}, .stride = {stride}});
      const auto places = index.to_vector<int32_t>();
      const auto values = y.to(float64).to_vector<double>();
      for (size_t o = 0; o < places.size(); ++o) {
        CAPTURE(o);
        const int64_t first = static_cast<int64_t>(o) * stride;
        const int32_t expected = largest(x, first, first + 3);
        CHECK(places[o] == expected);
        const double value = x[size_t(expected)];
        CHECK((values[o] == value || (std::isnan(values[o]) && std::isnan(value))));
      }
    }
}
