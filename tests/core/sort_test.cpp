// Sorting and the first k beside std::stable_sort: short lines, lines sorted by radix and by threshold, with ties, zeros
// of both signs, infinities and NaN, for every dtype.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>
#include <vector>

#include "core/ops/index.h"
#include "core/random.h"
#include "tests/seed.h"

namespace tenon {
namespace {

// Numbers with ties, among them all that floats hold beside numbers.
template <class T>
std::vector<T> draw(int64_t n, Generator& g) {
  const Tensor numbers = random_integers({n}, g, std::is_unsigned_v<T> ? 0 : -200, 200, dtype_of<T>);
  std::vector<T> x = numbers.template to_vector<T>();
  if constexpr (std::is_floating_point_v<T>) {
    const T special[] = {T{0},
                         -T{0},
                         std::numeric_limits<T>::infinity(),
                         -std::numeric_limits<T>::infinity(),
                         std::numeric_limits<T>::quiet_NaN(),
                         std::numeric_limits<T>::denorm_min()};
    const auto which = random_integers({n}, g, 0, 60, int64).to_vector<int64_t>();
    for (size_t i = 0; i < x.size(); ++i)
      if (which[i] < 6) x[i] = special[which[i]];
  }
  return x;
}

template <class T>
std::vector<int64_t> sorted_positions(const std::vector<T>& x, bool descending) {
  auto before = [&](int64_t i, int64_t j) {
    const T a = x[size_t(i)], b = x[size_t(j)];
    const bool less = a < b || (b != b && a == a), greater = b < a || (a != a && b == b);
    return descending ? greater : less;
  };
  std::vector<int64_t> at(x.size());
  std::iota(at.begin(), at.end(), 0);
  std::stable_sort(at.begin(), at.end(), before);
  return at;
}

// The same bits, but for what NaN carries.
template <class T>
bool same_number(T x, T y) {
  if constexpr (std::is_floating_point_v<T>)
    return (x == y && std::signbit(x) == std::signbit(y)) || (x != x && y != y);
  return x == y;
}

template <class T>
void check_order() {
  Generator g(test_seed(), 95);
  for (int64_t n : {1, 7, 64, 255, 256, 1000, 5000})
    for (bool descending : {false, true})
      for (int64_t step : {1, 3}) {
        CAPTURE(n);
        CAPTURE(descending);
        CAPTURE(step);
        CAPTURE(name_of(dtype_of<T>));
        const std::vector<T> x = draw<T>(n * step, g);
        const Tensor line = Tensor::from(x, {n, step}).select(1, 0);
        const std::vector<T> numbers = line.to_vector<T>();
        const std::vector<int64_t> expected = sorted_positions(numbers, descending);
        for (int64_t k : {int64_t{0}, int64_t{1}, n / 40, n / 8, n / 2, n}) {
          CAPTURE(k);
          auto [values, indices] = k == n ? sort(line, 0, descending) : topk(line, k, 0, descending);
          const std::vector<int64_t> at = indices.to_vector<int64_t>();
          CHECK(std::equal(at.begin(), at.end(), expected.begin()));
          const std::vector<T> got = values.to_vector<T>();
          for (size_t i = 0; i < got.size(); ++i) CHECK(same_number(got[i], numbers[size_t(expected[i])]));
        }
      }
}

}  // namespace

TEST_CASE("sort, topk: the order of std::stable_sort, and the numbers that were sorted") {
  check_order<float>();
  check_order<double>();
  check_order<int64_t>();
  check_order<int32_t>();
  check_order<uint8_t>();
}

}  // namespace tenon
