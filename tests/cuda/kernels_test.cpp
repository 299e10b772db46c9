// The paths inside the CUDA kernels that sizes and strides choose: layouts and chunks of reductions, strided
// elementwise loops. Inputs are small integers, whose sums are exact, so host and device
// must agree to the bit (the formulas on real numbers are the catalogue's business). Each case also checks
// that a kernel was launched.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <vector>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "tests/cuda/both_devices.h"

namespace tenon {

TEST_CASE("cuda kernels: reductions in every layout, cut into chunks or not") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(2);
  struct Case {
    Shape shape;
    Dims axes;
    const char* last;  // kernel
  };
  const Case cases[] = {
      {{1}, {0}, "reduce"},              // one item
      {{7, 300}, {1}, "reduce"},         // rows
      {{300, 7}, {0}, "reduce"},         // columns, narrower than a block
      {{50, 130}, {0}, "reduce"},        // columns, several blocks
      {{4, 5, 6, 7}, {0, 2}, "reduce"},  // both mixed
      {{20000}, {0}, "reduce_join"},     // one result in chunks
      {{3, 18001}, {1}, "reduce_join"},  // rows in chunks
      {{9001, 3}, {0}, "reduce_join"},   // columns in chunks
      {{5, 60, 300}, {1, 2}, "reduce_join"},
      {{60, 5, 400}, {0, 2}, "reduce_join"},  // axes that do not merge, in chunks
      {{700, 64}, {0}, "reduce_join"},        // columns side by side, in chunks
  };
  for (DType dtype : {float32, float64, int32, uint8})
    for (const Case& c : cases) {
      CAPTURE(c.shape.str());
      const Tensor x = dtype == uint8 ? integers(c.shape, float32, random).to(int32).to(uint8)
                                      : integers(c.shape, dtype, random);
      check_on_both(c.last, x, [&](const Tensor& t) { return sum(t, c.axes); });
      check_on_both(c.last, x, [&](const Tensor& t) { return amax(t, c.axes, true); });
      check_on_both(c.last, x, [&](const Tensor& t) { return amin(t, c.axes); });
      if (is_floating(dtype)) {
        check_on_both(c.last, x, [&](const Tensor& t) { return norm1(t, c.axes); });
        check_on_both("sqrt", x, [&](const Tensor& t) { return norm2(t, c.axes); });
      }
      const int64_t axis = c.axes[0];
      check_on_both("reduce_with_index", x, [&](const Tensor& t) { return max_with_index(t, axis).first; });
      check_on_both("reduce_with_index", x, [&](const Tensor& t) { return max_with_index(t, axis).second; });
      check_on_both("reduce_with_index", x, [&](const Tensor& t) { return min_with_index(t, axis).second; });
    }
}

TEST_CASE("cuda kernels: NaN wins an extreme, and its first index is kept") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(3);
  std::vector<float> values = integers({700}, float32, random).to_vector<float>();
  values[433] = values[129] = values[691] = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from(values).to(Device::cuda());
  for (const auto& [value, index] : {max_with_index(x, 0), min_with_index(x, 0)}) {
    CHECK(std::isnan(value.item()));
    CHECK(index.item() == 129);
  }
  CHECK(std::isnan(amax(x).item()));
  CHECK(std::isnan(amin(x).item()));
}

TEST_CASE("cuda kernels: elementwise loops over strided and broadcast operands") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(4);
  for (Shape shape : {Shape{1}, Shape{1023}, Shape{5, 6, 7}, Shape{3, 1, 70, 9}}) {
    CAPTURE(shape.str());
    const Tensor x = integers(shape, float32, random);
    const Tensor row = integers({shape.back()}, float32, random);
    check_on_both("add", x, [&](const Tensor& t) { return add(t, row.to(t.device())); });
    check_on_both("less", x, [&](const Tensor& t) { return less(t, row.to(t.device())); });
    check_on_both("relu", x, [](const Tensor& t) { return relu(t); });
    check_on_both("copy", x, [](const Tensor& t) { return t.to(int32); });
    check_on_both("fill", x, [](const Tensor& t) { return Tensor::empty_like(t).fill_(3.5); });
    check_on_both("where", x, [&](const Tensor& t) {
      const Tensor other = row.to(t.device());
      const Tensor condition = less(t, other);
      return where(condition, t, other);
    });
    if (shape.rank() >= 3) {
      check_on_both("mul", x, [](const Tensor& t) { return mul(t.transpose(0, -1), t.transpose(0, -1)); });
      check_on_both("abs", x, [](const Tensor& t) { return abs(t.slice(-1, 0, t.size(-1), 2)); });
    }
  }
}

}  // namespace tenon

#endif
