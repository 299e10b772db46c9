// Decompositions where they are hard: repeated, zero and graded spectra, rank-deficient and thin matrices, extreme scales;
// the truncated and list forms; gradients at repeated values.
#include "core/ops/linalg.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linalg.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "tests/seed.h"

namespace tenon {
namespace {

double largest_of(const Tensor& x) { return x.is_empty() ? 0 : amax(abs(x)).item(); }
Tensor eye(int64_t n) {
  return equal(Tensor::arange(n).unsqueeze(1), Tensor::arange(n).unsqueeze(0)).to(float64);
}
double distance_from_orthonormal(const Tensor& columns) {
  const Tensor x = columns.to(float64);
  return largest_of(sub(matmul(x.t(), x), eye(x.size(-1))));
}
// U diag(s) V^T in float64
Tensor product_of(const Svd& y) {
  return matmul(mul(y.u.to(float64), y.s.to(float64).unsqueeze(-2)), y.v.to(float64).t());
}

// What holds of any SVD, whatever the spectrum; `s` is the exact one, if it is known.
void check_svd(const char* what, const Tensor& a, const std::vector<double>& s = {}) {
  INFO(std::string(what), " ", a.str());
  const double epsilon = a.dtype() == float32 ? 1.2e-7 : 2.3e-16,
               root = std::sqrt(static_cast<double>(a.size(-1)));
  const Svd y = svd(a);
  CHECK(distance_from_orthonormal(y.u) <= 8 * root * epsilon);
  CHECK(distance_from_orthonormal(y.v) <= 8 * root * epsilon);
  const double scale = largest_of(a);
  CHECK(largest_of(sub(product_of(y), a.to(float64))) <= 8 * root * epsilon * scale);
  const std::vector<double> got = y.s.select(0, 0).to(float64).to_vector<double>();
  for (size_t i = 0; i + 1 < got.size(); ++i) CHECK(got[i] >= got[i + 1]);
  for (double x : got) CHECK(x >= 0);
  REQUIRE((s.empty() || s.size() == got.size()));
  for (size_t i = 0; i < s.size(); ++i)
    CHECK(std::fabs(got[i] - s[i]) <= 5e-6 * s[0] * (a.dtype() == float32 ? 1 : 1e-8));
}

// `count` matrices [m, n] of a spectrum between random orthogonal factors.
Tensor with_spectrum(int64_t count, int64_t m, int64_t n, const std::vector<double>& s,
                     Generator& generator) {
  const int64_t k = std::min(m, n);
  const Tensor u = qr(random_normal({count, m, k}, generator, 0, 1, float64)).q;
  const Tensor v = qr(random_normal({count, n, k}, generator, 0, 1, float64)).q;
  return matmul(mul(u, Tensor::from<double>(s, {k})), v.t());
}

}  // namespace

TEST_CASE("svd: every matrix is counted, by whatever way it comes") {
  const Tensor a = Tensor::ones({3, 4, 2});
  const int64_t before = svd_count();
  svd(a);
  svd(std::vector<Tensor>{a.select(0, 0), a.select(0, 1), Tensor::ones({2, 2})});
  qr(a);
  CHECK(svd_count() - before == 6);
}

TEST_CASE("linalg: svd of spectra that are repeated, graded or zero, in every way of computing it") {
  Generator generator(test_seed(), 1);
  struct Size {
    int64_t count, m, n;
  };
  // A full group of lanes; a few (one by one); tall and wide; past the columns of a group.
  for (const Size& size :
       {Size{18, 8, 8}, Size{2, 8, 8}, Size{18, 20, 7}, Size{18, 7, 20}, Size{2, 60, 60}, Size{2, 90, 50}}) {
    const int64_t k = std::min(size.m, size.n);
    std::vector<double> equal_values(static_cast<size_t>(k), 3.0), pairs, graded, half_zero;
    for (int64_t i = 0; i < k; ++i) {
      pairs.push_back(static_cast<double>(k - i + i % 2));
      graded.push_back(std::pow(10.0, -12.0 * static_cast<double>(i) / static_cast<double>(k)));
      half_zero.push_back(i < k / 2 ? 1.0 + static_cast<double>(k - i) : 0.0);
    }
    const std::vector<std::pair<const char*, std::vector<double>>> spectra = {
        {"all equal", equal_values}, {"pairs", pairs}, {"graded", graded}, {"half zero", half_zero}};
    for (const auto& spectrum : spectra)
      for (const DType dtype : {float32, float64}) {
        const Tensor a = with_spectrum(size.count, size.m, size.n, spectrum.second, generator).to(dtype);
        check_svd(spectrum.first, a, spectrum.second);
      }
  }
}

TEST_CASE("linalg: svd of matrices with rows and columns of zeros, of ones, and of extreme scale") {
  Generator generator(test_seed(), 2);
  for (const int64_t count : {2, 20})
    for (const int64_t n : {5, 33, 60})
      for (const DType dtype : {float32, float64}) {
        Tensor a = random_normal({count, n, n}, generator, 0, 1, dtype);
        check_svd("random", a);
        check_svd("zero", Tensor::zeros({count, n, n}, dtype));
        check_svd("ones", Tensor::ones({count, n, n}, dtype));
        check_svd("identity", eye(n).to(dtype).expand({count, n, n}));
        check_svd("one row", a.narrow(1, 0, 1));
        check_svd("one column", a.narrow(2, 0, 1));
        check_svd("tiny", affine(a, dtype == float32 ? 1e-36 : 1e-300, 0));
        check_svd("huge", affine(a, dtype == float32 ? 1e36 : 1e300, 0));
        a.narrow(1, 1, 2).fill_(0);
        a.narrow(2, 2, 2).fill_(0);
        check_svd("zero rows and columns", a);
        check_svd("tall, zero columns", a.slice(2, 0, n, 2));
        check_svd("wide, zero rows", a.slice(1, 0, n, 2));
      }
}

TEST_CASE("linalg: singular values in float32 are those of float64 to 5e-6 of the largest") {
  Generator generator(test_seed(), 3);
  for (const Shape& shape :
       {Shape{40, 8, 8}, Shape{20, 32, 32}, Shape{20, 144, 16}, Shape{3, 64, 64}, Shape{2, 192, 96}}) {
    const Tensor a = random_normal(shape, generator);
    const Tensor single = svd(a).s.to(float64), exact = svd(a.to(float64)).s;
    CHECK(largest_of(div(sub(single, exact), exact.narrow(-1, 0, 1))) <= 5e-6);
  }
}

TEST_CASE("linalg: a list of matrices gives what each gives alone") {
  Generator generator(test_seed(), 4);
  std::vector<Tensor> list;
  for (const Shape& shape :
       {Shape{16, 9}, Shape{9, 16}, Shape{16, 9}, Shape{3, 3}, Shape{60, 50}, Shape{0, 4}, Shape{16, 9}})
    list.push_back(random_normal(shape, generator, 0, 1, float64));
  const std::vector<Svd> all = svd(list);
  REQUIRE(all.size() == list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const Svd alone = svd(list[i]);
    CHECK(all[i].u.shape() == alone.u.shape());
    CHECK(largest_of(sub(all[i].u, alone.u)) < 1e-11);
    CHECK(largest_of(sub(all[i].s, alone.s)) < 1e-11);
    CHECK(largest_of(sub(all[i].v, alone.v)) < 1e-11);
  }
  CHECK(svd(std::vector<Tensor>{}).empty());
}

TEST_CASE("linalg: truncation by rank and by energy") {
  const Tensor s = Tensor::from<double>({4, 2, 1, 0});  // squares 16, 4, 1, 0 of 21
  CHECK(rank_for_energy(s, 0) == 3);
  CHECK(rank_for_energy(s, 0.9 / 21) == 3);
  CHECK(rank_for_energy(s, 1.0 / 21 + 1e-12) == 2);
  CHECK(rank_for_energy(s, 5.0 / 21 + 1e-12) == 1);
  CHECK(rank_for_energy(s, 1) == 0);
  CHECK(rank_for_energy(Tensor::zeros({3}), 0) == 0);
  CHECK_THROWS_WITH_AS(rank_for_energy(s, 1.5), "rank_for_energy: expects a share in [0, 1], got 1.5", Error);
  Generator generator(test_seed(), 5);
  const Tensor a = with_spectrum(1, 9, 6, {6, 5, 4, 3, 2, 1}, generator).select(0, 0);
  const Svd low = truncated(svd(a), 2);
  CHECK(low.u.shape() == Shape{9, 2});
  CHECK(low.v.shape() == Shape{6, 2});
  // Eckart and Young: what is lost is the next singular value.
  CHECK(svd(sub(a, product_of(low))).s.to_vector<double>()[0] == doctest::Approx(4));
  CHECK_THROWS_AS(truncated(svd(a), 7), Error);
}

TEST_CASE("linalg: eigh of indefinite matrices with repeated, close and zero values") {
  Generator generator(test_seed(), 6);
  auto repeated = [](int64_t n, const std::vector<double>& pattern) {
    std::vector<double> w;
    for (int64_t i = 0; i < n; ++i)
      w.push_back(pattern[static_cast<size_t>(i) * pattern.size() / static_cast<size_t>(n)]);
    return w;
  };
  std::vector<std::vector<double>> spectra = {
      {-2, -2, 0, 0, 1, 2, 2}, repeated(7, {0}), repeated(7, {-1, 1})};
  // Past the leaves of divide and conquer: everything deflates, half of it, nothing.
  for (const int64_t n : {70, 131}) {
    spectra.push_back(repeated(n, {1}));
    spectra.push_back(repeated(n, {-1, 0, 1}));
    std::vector<double> close, even;
    for (int64_t i = 0; i < n; ++i) {
      close.push_back(1 + 1e-9 * static_cast<double>(i));
      even.push_back((static_cast<double>(i) - 20) / static_cast<double>(n));
    }
    spectra.push_back(close);
    spectra.push_back(even);
  }
  for (const DType dtype : {float32, float64})
    for (const std::vector<double>& w : spectra) {
      const int64_t n = static_cast<int64_t>(w.size());
      const double bound = 8 * std::sqrt(static_cast<double>(n)) * (dtype == float32 ? 1.2e-7 : 2.3e-16) * 2;
      const Tensor exact = Tensor::from<double>(w, {n});
      const Tensor v = qr(random_normal({2, n, n}, generator, 0, 1, float64)).q;
      const Tensor a = matmul(mul(v, exact), v.t()).to(dtype);
      const Eigh y = eigh(a);
      INFO("n = ", n, ", from ", w.front(), " to ", w.back());
      CHECK(distance_from_orthonormal(y.vectors) <= bound);
      CHECK(largest_of(sub(y.values.to(float64), exact)) <= bound);
      const Tensor vectors = y.vectors.to(float64);
      const Tensor back = matmul(mul(vectors, y.values.to(float64).unsqueeze(-2)), vectors.t());
      CHECK(largest_of(sub(back, a.to(float64))) <= bound);
    }
  // Tridiagonal as they are: the coupling of the halves is 0; Wilkinson's W, whose large values come in pairs that agree
  // to 14 digits.
  Tensor split = Tensor::zeros({90, 90}, float64), wilkinson = Tensor::zeros({91, 91}, float64);
  for (int64_t i = 0; i < 91; ++i) {
    double* const row = wilkinson.data<double>() + 91 * i;
    row[i] = std::fabs(static_cast<double>(i - 45)) / 45;
    if (i > 0) row[i - 1] = 1.0 / 45;
    if (i < 90) row[i + 1] = 1.0 / 45;
    if (i < 90) split.data<double>()[91 * i] = static_cast<double>(i % 7);
  }
  for (const Tensor& a : {split, wilkinson}) {
    const Eigh y = eigh(a);
    CHECK(distance_from_orthonormal(y.vectors) < 1e-13);
    CHECK(largest_of(sub(matmul(mul(y.vectors, y.values.unsqueeze(-2)), y.vectors.t()), a)) < 1e-13);
  }
}

TEST_CASE("linalg: qr and polar") {
  Generator generator(test_seed(), 7);
  // Rank 3 of 5, and zero: q stays orthonormal.
  const Tensor low = matmul(random_normal({9, 3}, generator, 0, 1, float64),
                            random_normal({3, 5}, generator, 0, 1, float64));
  for (const Tensor& a : {low, Tensor::zeros({9, 5}, float64), affine(low, 1e200, 0)}) {
    const Qr y = qr(a);
    CHECK(distance_from_orthonormal(y.q) < 1e-14);
    CHECK(largest_of(sub(matmul(y.q, y.r), a)) <= 1e-14 * std::max(largest_of(a), 1.0));
  }
  const Tensor a = with_spectrum(4, 12, 6, {5, 4, 3, 2, 1, 0.01}, generator);
  const Svd y = svd(a);
  CHECK(largest_of(sub(polar(a), matmul(y.u, y.v.t()))) < 1e-12);
  CHECK(distance_from_orthonormal(polar(a.to(float32))) < 1e-5);
  CHECK_THROWS_WITH_AS(polar(Tensor::zeros({3, 2})), doctest::Contains("polar: does not converge"), Error);
}

namespace {

Variable product(const SvdOf<Variable>& y, bool with_values) {
  return matmul(with_values ? y.u * unsqueeze(y.s, 0) : y.u, transpose(y.v, 0, 1));
}

}  // namespace

TEST_CASE("linalg: gradients of svd and eigh where values repeat") {
  Generator generator(test_seed(), 8);
  for (const DType dtype : {float32, float64}) {
    const double epsilon = dtype == float32 ? 1.2e-7 : 2.3e-16;
    const Tensor weight = random_normal({6, 4}, generator, 0, 1, dtype);
    for (const std::vector<double>& s : {std::vector<double>{3, 3, 3, 1}, std::vector<double>{2, 2, 2, 2}}) {
      const Variable a(with_spectrum(1, 6, 4, s, generator).select(0, 0).to(dtype), true);
      // What depends on the freedom has no gradient; what comes is a number all the same.
      const Tensor any = gradients({sum(svd(a).u * Variable(weight))}, {a})[0].value();
      CHECK(std::isfinite(largest_of(any)));
      // The sum of the values is differentiable: its gradient is U V^T.
      const SvdOf<Variable> y = svd(a);
      const Tensor of_sum = gradients({sum(y.s)}, {a})[0].value();
      CHECK(largest_of(sub(of_sum, matmul(y.u.value(), y.v.value().t()))) <= 50 * epsilon);
      // So is U V^T. At A = 2 Q, it takes Q (Q^T W - W^T Q) / 4 + (W - Q Q^T W) / 2 from W.
      if (s[3] != 2) continue;
      const Tensor of_polar = gradients({sum(product(svd(a), false) * Variable(weight))}, {a})[0].value();
      const Tensor q = matmul(y.u.value(), y.v.value().t());
      const Tensor within = affine(sub(matmul(q.t(), weight), matmul(weight.t(), q)), 0.25, 0);
      const Tensor beyond = affine(sub(weight, matmul(q, matmul(q.t(), weight))), 0.5, 0);
      const double roundings =
          std::cbrt(epsilon);  // of the damped part, which is 0 but for them: epsilon / damping
      CHECK(largest_of(sub(of_polar, add(matmul(q, within), beyond))) <= roundings);
    }
    // U S V^T is A, so its gradient is the weight: to (damping / gap)^2, and to roundings over the gap.
    const double gap = dtype == float32 ? 3e-3 : 1e-6;
    const Variable a(
        with_spectrum(1, 6, 4, {3 + 3 * gap, 3, 1 + 3 * gap, 1}, generator).select(0, 0).to(dtype), true);
    const Tensor g = gradients({sum(product(svd(a), true) * Variable(weight))}, {a})[0].value();
    CHECK(largest_of(sub(g, weight)) <= 1e-2);
    // V diag(w) V^T likewise.
    const Tensor square_weight = random_normal({3, 3}, generator, 0, 1, dtype);
    const Tensor q = qr(random_normal({3, 3}, generator, 0, 1, float64)).q;
    const Variable b(matmul(mul(q, Tensor::from<double>({2, 2 + 2 * gap, -1})), q.t()).to(dtype), true);
    const EighOf<Variable> e = eigh(b);
    const Variable again = matmul(e.vectors * unsqueeze(e.values, 0), transpose(e.vectors, 0, 1));
    const Tensor h = gradients({sum(again * Variable(square_weight))}, {b})[0].value();
    CHECK(largest_of(sub(h, affine(add(square_weight, square_weight.t()), 0.5, 0))) <= 1e-2);
    const Variable identity(eye(3).to(dtype), true);
    const Variable loss = sum(eigh(identity).vectors * Variable(square_weight));
    CHECK(std::isfinite(largest_of(gradients({loss}, {identity})[0].value())));
    const Tensor of_values = gradients({sum(eigh(identity).values)}, {identity})[0].value();
    CHECK(largest_of(sub(of_values, eye(3).to(dtype))) <= 10 * epsilon);
  }
  const Variable zero(Tensor::zeros({3, 2}), true);
  const SvdOf<Variable> y = svd(zero);
  CHECK(std::isfinite(largest_of(gradients({sum(y.u) + sum(y.s) + sum(y.v)}, {zero})[0].value())));
  CHECK_THROWS_WITH_AS(svd(zero, -1), doctest::Contains("damping"), Error);
}

}  // namespace tenon
