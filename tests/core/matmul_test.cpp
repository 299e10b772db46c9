// Products of small integers, whose float32 sums are exact: bits can be compared with plain loops at sizes
// that take every tile, whole and partial, of every kernel.
#include "core/ops/matmul.h"

#include <doctest/doctest.h>

#include "core/random.h"

namespace tenon {
namespace {

Tensor integers(const Shape& shape, DType dtype, Generator& generator) {
  return random_integers(shape, generator, -4, 5, int64).to(dtype);
}

template <class T>
std::vector<T> naive(const Tensor& a, const Tensor& b) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const std::vector<T> x = a.to_vector<T>(), y = b.to_vector<T>();
  std::vector<T> out(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t l = 0; l < k; ++l)
      for (int64_t j = 0; j < n; ++j)
        out[static_cast<size_t>(i * n + j)] +=
            x[static_cast<size_t>(i * k + l)] * y[static_cast<size_t>(l * n + j)];
  return out;
}

// A [m, k] that lies in memory by rows or by columns, in a larger matrix or not.
Tensor laid_out(const Tensor& x, bool by_columns, bool inside) {
  const Tensor turned = by_columns ? x.t() : x;
  const int64_t rows = turned.size(0), columns = turned.size(1);
  Tensor whole = Tensor::full({rows, columns + (inside ? 3 : 0)}, 1e6, x.dtype());
  Tensor part = whole.narrow(1, 0, columns);
  part.copy_(turned);
  return by_columns ? part.t() : part;
}

template <class T>
void check_product(int64_t m, int64_t n, int64_t k, Generator& generator) {
  const Tensor a = integers({m, k}, dtype_of<T>, generator), b = integers({k, n}, dtype_of<T>, generator);
  const std::vector<T> expected = naive<T>(a, b);
  for (int layout = 0; layout < 8; ++layout) {
    INFO("m ", m, ", n ", n, ", k ", k, ", layout ", layout);
    const bool inside = (layout & 4) != 0;
    const Tensor c = matmul(laid_out(a, (layout & 1) != 0, inside), laid_out(b, (layout & 2) != 0, inside));
    CHECK(c.to_vector<T>() == expected);
  }
}

}  // namespace

TEST_CASE("matmul: exact at every extent up to 100, in every layout") {
  Generator generator(1);
  for (int64_t n = 1; n <= 100; ++n) {
    check_product<float>(n, n, n, generator);
    // The three extents go through 1 to 100 in different orders.
    const int64_t m = 37 * n % 101, k = 73 * n % 101;
    check_product<float>(m, n, k, generator);
    check_product<double>(k, m, n, generator);
  }
}

TEST_CASE("matmul: exact where the kernels change: few rows, long sums, rows of B pages apart, pieces") {
  Generator generator(2);
  const Shape shapes[] = {{1, 300, 784},  {5, 33, 257},   {24, 40, 784}, {25, 40, 784},
                          {300, 1, 784},  {33, 1100, 70}, {3, 5, 2100},  {70, 9, 2100},
                          {40, 700, 300}, {700, 40, 300}, {1, 2000, 600}};
  for (const Shape& s : shapes) {
    check_product<float>(s[0], s[1], s[2], generator);
    check_product<double>(s[0], s[1], s[2], generator);
  }
}

TEST_CASE("matmul: a batch gives the bits of its items") {
  Generator generator(3);
  for (const Shape& s : {Shape{7, 9, 11}, Shape{1, 8, 40}, Shape{64, 32, 48}, Shape{130, 3, 150}}) {
    const Tensor a = random_normal({5, s[0], s[2]}, generator), b = random_normal({5, s[1], s[2]}, generator);
    const Tensor c = matmul(a, b.t());
    for (int64_t i = 0; i < 5; ++i)
      CHECK(c.select(0, i).to_vector<float>() ==
            matmul(a.select(0, i), b.select(0, i).t()).to_vector<float>());
  }
}

}  // namespace tenon
