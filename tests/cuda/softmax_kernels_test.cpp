// The ways in which the softmax kernels walk a row, which its extent and stride choose: held by lanes, a warp
// or a block, walked by a block, columns alone and shared. Against the host, whose kernels the catalogue
// compares with plain loops.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "core/ops/elementwise.h"
#include "core/ops/softmax.h"
#include "core/random.h"
#include "tests/cuda/both_devices.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

namespace tenon {
namespace {

struct Rows {
  Shape shape;
  int64_t axis;
};

const Rows kRows[] = {
    {{1}, 0},          {{70, 3}, 1},    {{37, 100}, 1},  // lanes
    {{5, 300}, 1},     {{3, 511}, 1},                    // a warp
    {{3, 700}, 1},     {{2, 3001}, 1},  {{2, 4096}, 1},  // a block, held
    {{2, 4097}, 1},    {{1, 20000}, 1},                  // a block, walked
    {{4, 5, 33}, 1},   {{300, 7}, 0},   {{2, 3, 2}, 1},  // columns
    {{3, 100, 65}, 1}, {{1000, 9}, 0},                   // columns that threads share
};

Tensor on_device(const Tensor& x) { return x.to(Device::cuda()); }

// Every op of the family on both devices; the inputs may hold anything.
void check_family(const Tensor& x, int64_t axis, double tolerance) {
  CAPTURE(x.str());
  const uint64_t before = cuda::launch_count();
  CHECK(worst_difference(softmax(on_device(x), axis), softmax(x, axis)) <= tolerance);
  CHECK(worst_difference(log_softmax(on_device(x), axis), log_softmax(x, axis)) <= tolerance);
  CHECK(worst_difference(logsumexp(on_device(x), axis), logsumexp(x, axis)) <= tolerance);
  CHECK(cuda::launch_count() >= before + 3);
}

// Roundings of e^x, and of the row's constants: a few each.
double tolerance_of(DType dtype) { return dtype == float32 ? 1e-6 : 1e-14; }

}  // namespace

TEST_CASE("cuda softmax: rows of every length and stride") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 71);
  for (DType dtype : {float32, float64})
    for (const Rows& rows : kRows) {
      const Tensor x = random_normal(rows.shape, generator, 0, 3, dtype);
      check_family(x, rows.axis, tolerance_of(dtype));
      check_family(affine(x, 1, 1e4), rows.axis, tolerance_of(dtype));  // far from zero
    }
}

TEST_CASE("cuda softmax: a walk whose largest number grows at every step loses nothing") {
  if (cuda::skip_without_device()) return;
  for (const Rows& rows : {Rows{{1, 20000}, 1}, Rows{{20000, 1}, 0}, Rows{{600, 2}, 0}})
    check_family(affine(Tensor::arange(rows.shape.numel()).to(float32), 1e-3, -5).reshape(rows.shape),
                 rows.axis, 1e-6);
}

TEST_CASE("cuda softmax: infinities and NaN come out as on the host") {
  if (cuda::skip_without_device()) return;
  const double infinity = std::numeric_limits<double>::infinity();
  Generator generator(test_seed(), 72);
  for (const Rows& rows : kRows) {
    const Tensor x = random_normal(rows.shape, generator);
    auto with = [&](double first, double last) {
      Tensor y = x.clone();
      y.select(rows.axis, 0).fill_(first);
      y.select(rows.axis, -1).fill_(last);
      check_family(y, rows.axis, 1e-6);
    };
    with(-infinity, 1);
    with(-infinity, -infinity);
    with(2, infinity);
    with(infinity, 2);
    with(std::numeric_limits<double>::quiet_NaN(), 1);
    with(1, std::numeric_limits<double>::quiet_NaN());
    check_family(Tensor::full(rows.shape, -infinity), rows.axis, 0);
  }
}

TEST_CASE("cuda softmax: cross-entropy of every kind of row, with smoothing and without") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 73);
  for (DType dtype : {float32, float64})
    for (const Shape& shape :
         {Shape{70, 3}, Shape{9, 300}, Shape{3, 2000}, Shape{2, 5000}, Shape{2, 40, 3, 5}})
      for (double smoothing : {0.0, 0.1}) {
        CAPTURE(shape.str());
        const Tensor z = random_normal(shape, generator, 5, 2, dtype), g = Tensor::scalar(3, dtype);
        Shape rows = shape;
        rows.erase(1);
        const Tensor labels = random_integers(rows, generator, 0, shape[1]);
        const double tolerance = tolerance_of(dtype);
        CHECK(worst_difference(softmax_cross_entropy(on_device(z), on_device(labels), smoothing),
                               softmax_cross_entropy(z, labels, smoothing)) <= tolerance);
        CHECK(worst_difference(
                  softmax_cross_entropy_backward(on_device(g), on_device(z), on_device(labels), smoothing),
                  softmax_cross_entropy_backward(g, z, labels, smoothing)) <= tolerance);
      }
}

TEST_CASE("cuda softmax: a label that names no class is an Error with the first such label") {
  if (cuda::skip_without_device()) return;
  const Tensor z = on_device(Tensor::zeros({700, 3})), g = on_device(Tensor::scalar(1));
  for (int64_t bad : {int64_t{3}, int64_t{-1}, int64_t{1} << 40}) {
    Tensor labels = Tensor::zeros({700}, int64);
    labels.slice(0, 650, 651).fill_(-77);
    labels.slice(0, 333, 334).fill_(static_cast<double>(bad));
    const std::string expected = concat("expects labels in [0, 3), got ", bad);
    CHECK_THROWS_WITH_AS(softmax_cross_entropy(z, on_device(labels)),
                         ("softmax_cross_entropy: " + expected).c_str(), Error);
    CHECK_THROWS_WITH_AS(softmax_cross_entropy_backward(g, z, on_device(labels)),
                         ("softmax_cross_entropy_backward: " + expected).c_str(), Error);
  }
}

}  // namespace tenon

#endif
