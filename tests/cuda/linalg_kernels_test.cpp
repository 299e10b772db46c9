// The decompositions' kernels in the ways that sizes choose: each number of registers of a lane, work in shared memory that
// is there, that has to be asked for, and in global memory, an odd number of columns, tall matrices through QR; and spectra that are hard. Against what defines them.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

namespace tenon {
namespace {

double largest_of(const Tensor& x) { return amax(abs(x)).item(); }
Tensor host64(const Tensor& x) { return x.to(Device::cpu()).to(float64); }
double distance_from_orthonormal(const Tensor& columns) {
  const Tensor x = host64(columns), n = Tensor::arange(x.size(-1));
  return largest_of(sub(matmul(x.t(), x), equal(n.unsqueeze(1), n.unsqueeze(0)).to(float64)));
}
double tolerance_of(DType dtype, int64_t n) {
  return 16 * std::sqrt(static_cast<double>(n)) * (dtype == float32 ? 1.2e-7 : 2.3e-16);
}

void check_svd(const Tensor& a) {
  CAPTURE(a.str());
  const Svd y = svd(a.to(Device::cuda()));
  const double tolerance = tolerance_of(a.dtype(), a.size(-1));
  CHECK(distance_from_orthonormal(y.u) <= tolerance);
  CHECK(distance_from_orthonormal(y.v) <= tolerance);
  const Tensor back = matmul(mul(host64(y.u), host64(y.s).unsqueeze(-2)), host64(y.v).t());
  CHECK(largest_of(sub(back, host64(a))) <= tolerance * std::max(largest_of(a), 1e-30));
  CHECK(largest_of(sub(host64(y.s), host64(svd(a).s))) <= tolerance * std::max(largest_of(svd(a).s), 1e-30));
}

}  // namespace

TEST_CASE("cuda linalg: svd of every size of team and memory, and of hard spectra") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 81);
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape :
         {Shape{3, 1, 1}, Shape{2, 2, 2}, Shape{3, 9, 9}, Shape{2, 20, 20}, Shape{1, 33, 33},
          Shape{1, 79, 79}, Shape{2, 50, 7}, Shape{2, 7, 50}, Shape{3, 1, 6}})
      check_svd(random_normal(shape, generator, 0, 1, dtype));
    check_svd(Tensor::zeros({2, 6, 4}, dtype));
    check_svd(Tensor::ones({2, 18, 18}, dtype));
    const Tensor low = matmul(random_normal({12, 3}, generator, 0, 1, dtype),
                              random_normal({3, 12}, generator, 0, 1, dtype));
    check_svd(low);
    check_svd(affine(low, dtype == float32 ? 1e-34 : 1e-290, 0));
    check_svd(affine(low, dtype == float32 ? 1e34 : 1e290, 0));
  }
}

// 48 KB of shared memory, which a block has without asking, end behind 110 columns of float32 and 77 of float64; what a
// Hopper has at all behind 240 and 169. Only the result is looked at, so that it holds for any device.
TEST_CASE("cuda linalg: svd of matrices whose columns take asked-for shared memory, or do not fit it") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 83);
  for (const int64_t n : {150, 192, 241}) check_svd(random_normal({1, n, n}, generator));
  for (const int64_t n : {120, 171}) check_svd(random_normal({1, n, n}, generator, 0, 1, float64));
}

TEST_CASE("cuda linalg: eigh, qr, cholesky and solves of every size") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 82);
  for (const DType dtype : {float32, float64})
    for (const int64_t n : {1, 2, 5, 17, 40, 110}) {
      const double tolerance = tolerance_of(dtype, n);
      CAPTURE(n);
      const Tensor a = random_normal({2, n, n}, generator, 0, 1, dtype);
      const Tensor symmetric = affine(add(a, a.t()), 0.5, 0);
      const double norm = largest_of(svd(symmetric).s);
      const Eigh e = eigh(a.to(Device::cuda()));
      CHECK(distance_from_orthonormal(e.vectors) <= tolerance);
      CHECK(largest_of(sub(host64(e.values), host64(eigh(a).values))) <= tolerance * norm);
      const Tensor v = host64(e.vectors), back = matmul(mul(v, host64(e.values).unsqueeze(-2)), v.t());
      CHECK(largest_of(sub(back, host64(symmetric))) <= 4 * tolerance * norm);

      const Tensor tall = random_normal({2, n + 13, n}, generator, 0, 1, dtype);
      const Qr y = qr(tall.to(Device::cuda()));
      CHECK(distance_from_orthonormal(y.q) <= tolerance);
      CHECK(largest_of(sub(matmul(host64(y.q), host64(y.r)), host64(tall))) <=
            tolerance * largest_of(svd(tall).s));

      const Tensor gram = matmul(tall.t(), tall);
      const Tensor l = cholesky(gram.to(Device::cuda()));
      CHECK(largest_of(sub(matmul(host64(l), host64(l).t()), host64(gram))) <=
            tolerance * largest_of(svd(gram).s));
      const Tensor b = random_normal({2, n, 130}, generator, 0, 1, dtype);
      for (const bool transposed : {false, true}) {
        const Tensor x = solve_triangular(l, b.to(Device::cuda()), {.transposed = transposed});
        const Tensor product = matmul(transposed ? host64(l).t() : host64(l), host64(x));
        CHECK(largest_of(sub(product, host64(b))) <=
              100 * tolerance *
                  std::max(largest_of(x.to(Device::cpu())) * largest_of(l.to(Device::cpu())), 1.0));
      }
    }
}

TEST_CASE("cuda linalg: the matrix at fault is named") {
  if (cuda::skip_without_device()) return;
  Tensor a = Tensor::ones({3, 2, 2});
  a.data<float>()[4 * 2 + 1] = NAN;
  const Tensor on_device = a.to(Device::cuda());
  CHECK_THROWS_WITH_AS(svd(on_device), "svd: matrix 2 of 3 has a NaN or an infinity", Error);
  CHECK_THROWS_WITH_AS(svd(on_device.narrow(1, 0, 1)), doctest::Contains("svd: matrix 2 of 3"), Error);
  CHECK_THROWS_WITH_AS(eigh(on_device), doctest::Contains("eigh: matrix 2 of 3 has a NaN"), Error);
  CHECK_THROWS_WITH_AS(qr(on_device), doctest::Contains("qr: matrix 2 of 3 has a NaN"), Error);
  CHECK_THROWS_WITH_AS(cholesky(on_device), "cholesky: matrix 0 of 3 is not positive definite", Error);
}

}  // namespace tenon

#endif
