// Statistics of batch norm where careless sums lose them: millions of numbers far from zero.
#include "core/ops/norm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "tests/seed.h"

namespace tenon {
namespace {

// Mean and variance in two passes of compensated sums: as exact as double holds.
std::pair<double, double> exact_statistics(const float* x, int64_t n) {
  auto total = [n](auto term) {
    double sum = 0, lost = 0;
    for (int64_t i = 0; i < n; ++i) {
      double t = term(i) - lost, next = sum + t;
      lost = (next - sum) - t;
      sum = next;
    }
    return sum / static_cast<double>(n);
  };
  double mean = total([&](int64_t i) { return static_cast<double>(x[i]); });
  double variance = total(
      [&](int64_t i) { return (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean); });
  return {mean, variance};
}

}  // namespace

TEST_CASE("batch_norm: statistics of 8 million voxels far from zero") {
  Generator generator(test_seed(), 91);
  for (double mean : {1e3, 1e5}) {
    Tensor x = random_normal({4, 1, 128, 128, 128}, generator, mean, 1);
    auto [exact_mean, exact_variance] = exact_statistics(x.data<float>(), x.numel());
    Normalized out = batch_norm(x, Tensor(), Tensor());
    INFO("mean ", mean);
    CHECK(std::fabs(out.mean.item() - exact_mean) <= 1e-12 * mean);
    CHECK(std::fabs(out.variance.item() - exact_variance) <= 1e-9);
    CHECK(std::fabs(sum(out.y.to(float64)).item()) / static_cast<double>(x.numel()) < 1e-6);
    CHECK(std::fabs(norm2(out.y.to(float64)).item() / std::sqrt(static_cast<double>(x.numel())) - 1) < 1e-4);
  }
}

TEST_CASE("batch_norm: an outlier that comes first does not spoil the variance of the rest") {
  Generator generator(test_seed(), 92);
  Tensor x = random_normal({100000, 1}, generator, 0, 1);
  x.data<float>()[0] = 1e6f;
  auto [exact_mean, exact_variance] = exact_statistics(x.data<float>(), x.numel());
  Normalized out = batch_norm(x, Tensor(), Tensor());
  CHECK(out.mean.item() == doctest::Approx(exact_mean).epsilon(1e-10));
  CHECK(out.variance.item() == doctest::Approx(exact_variance).epsilon(1e-9));
}

TEST_CASE("batch_norm: keeps the memory order, which changes nothing else") {
  Generator generator(test_seed(), 93);
  Tensor last =
      random_normal({2, 5, 6, 7}, generator, 3, 2).permute({0, 3, 1, 2});  // [2, 7, 5, 6], channels last
  Tensor w = random_normal({7}, generator), b = random_normal({7}, generator);
  Normalized y = batch_norm(last, w, b);
  CHECK(y.y.strides() == last.strides());
  Normalized z = batch_norm(last.contiguous(), w, b);
  CHECK(z.y.is_contiguous());
  CHECK(amax(abs(sub(y.y, z.y))).item() < 1e-6);
  CHECK(group_norm(last, 7, w, b).y.strides() == last.strides());
}

TEST_CASE("batch_norm: constant channels and single elements become their bias") {
  Tensor b = Tensor::from(std::vector<float>{3, -2});
  for (const Shape& shape : {Shape{4, 2, 3}, Shape{1, 2}}) {
    Normalized out = batch_norm(Tensor::full(shape, 1e4 / 3), Tensor::ones({2}), b);
    CHECK(amax(abs(out.variance)).item() == 0);
    for (int64_t c = 0; c < 2; ++c)
      CHECK(amax(abs(affine(out.y.select(1, c), 1, c == 0 ? -3 : 2))).item() == 0);
  }
}

TEST_CASE("update_running_statistics: against a naive loop over batches") {
  Generator generator(test_seed(), 94);
  constexpr int64_t kChannels = 3, kBatch = 7, kInner = 5;
  Tensor running_mean = Tensor::zeros({kChannels}), running_variance = Tensor::ones({kChannels});
  std::vector<double> mean(kChannels, 0), variance(kChannels, 1);
  for (int step = 0; step < 20; ++step) {
    Tensor x = random_normal({kBatch, kChannels, kInner}, generator, 2, 3);
    Normalized out = batch_norm(x, Tensor(), Tensor());
    update_running_statistics(running_mean, running_variance, out.mean, out.variance, kBatch * kInner, 0.1);
    for (int64_t c = 0; c < kChannels; ++c) {
      double m = 0, v = 0, n = kBatch * kInner;
      auto visit = [&](auto f) {
        for (int64_t b = 0; b < kBatch; ++b)
          for (int64_t i = 0; i < kInner; ++i)
            f(static_cast<double>(x.data<float>()[(b * kChannels + c) * kInner + i]));
      };
      visit([&](double e) { m += e / n; });
      visit([&](double e) { v += (e - m) * (e - m) / (n - 1); });
      mean[static_cast<size_t>(c)] = 0.9 * mean[static_cast<size_t>(c)] + 0.1 * m;
      variance[static_cast<size_t>(c)] = 0.9 * variance[static_cast<size_t>(c)] + 0.1 * v;
    }
  }
  for (int64_t c = 0; c < kChannels; ++c) {
    CHECK(running_mean.data<float>()[c] == doctest::Approx(mean[static_cast<size_t>(c)]).epsilon(1e-5));
    CHECK(running_variance.data<float>()[c] ==
          doctest::Approx(variance[static_cast<size_t>(c)]).epsilon(1e-5));
  }
}

}  // namespace tenon
