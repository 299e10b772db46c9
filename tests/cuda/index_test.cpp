// The paths that sizes and strides choose in the CUDA index kernels: tiles and radix passes of sort, tiles of
// cumsum, chunks of nonzero, few and many indices of a scatter. Values are small integers, so that sums are
// exact, and host and device must agree to the bit. Sorted values repeat, so that a wrong order of equals shows
// in the positions.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include "core/ops/index.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/random.h"
#include "tests/cuda/device_array.h"

namespace tenon {
namespace {

Tensor integers(const Shape& shape, int64_t below, DType dtype, std::mt19937_64& random) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = static_cast<double>(random() % static_cast<uint64_t>(below));
  return Tensor::from(values, shape).to(dtype);
}

// Bits, but that every NaN is like every other.
bool same(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype() || !b.device().is_cuda()) return false;
  const std::vector<double> x = a.to(float64).to_vector<double>();
  const std::vector<double> y = b.to(Device::cpu()).to(float64).to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i)
    if (x[i] != y[i] && !(x[i] != x[i] && y[i] != y[i])) return false;
  return true;
}

// `kernel` is the one launched last.
template <class F>
void check_on_both(const char* kernel, F&& f) {
  const uint64_t before = cuda::launch_count();
  const Tensor result = f(Device::cuda());
  CHECK(cuda::launch_count() > before);
  CHECK(cuda::last_kernel() == std::string(kernel));
  CHECK(same(f(Device::cpu()), result));
}

// Values and their positions, of one sort a device: under the thread sanitizer a sort on the device takes seconds.
void check_sort(const char* kernel, const Tensor& x, int64_t axis, bool descending) {
  const auto [values, positions] = sort(x.to(Device::cuda()), axis, descending);
  CHECK(cuda::last_kernel() == std::string(kernel));
  const auto [expected, places] = sort(x, axis, descending);
  CHECK(same(expected, values));
  CHECK(same(places, positions));
}

}  // namespace

TEST_CASE("cuda index: sort in tiles, several lines a tile, and by radix") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (DType dtype : {float32, int64})
    for (const Shape& shape : {Shape{70, 1}, Shape{70, 2}, Shape{40, 33}, Shape{3, 512}, Shape{2, 513},
                               Shape{2, 2048}, Shape{2, 2049}, Shape{1, 9000}}) {
      if (dtype == int64 && shape[1] > 2049) continue;  // as 2049, in eight passes
      CAPTURE(shape.str());
      const Tensor x = integers(shape, 50, dtype, random);
      if (dtype == float32)
        for (int64_t i = 0; i < x.numel(); i += 37) x.data<float>()[i] = nan;
      const char* kernel = shape[1] > 2048 ? "sort_result" : "sort_tile";
      for (bool descending : {false, true}) check_sort(kernel, x, 1, descending);
      check_on_both(kernel, [&](Device device) { return topk(x.to(device), (shape[1] + 2) / 3, 1).second; });
      check_on_both(kernel, [&](Device device) { return argsort(x.t().to(device), 0); });
    }
}

TEST_CASE("cuda index: sort by radix uses all bytes of a key, signs, zeros of both signs, infinities") {
  if (cuda::skip_without_device()) return;
  Generator generator(5);
  const int64_t n = 5000;
  Tensor floats = random_normal({2, n}, generator, 0, 1e20);
  const float infinity = std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < 2 * n; i += 11) {
    const float special[] = {0.0f, -0.0f, infinity, -infinity, 1e-40f, -1e-40f};
    floats.data<float>()[i] = special[i % 6];
  }
  Tensor wide = random_integers({2, n}, generator, -1000000000, 1000000000, int64);
  for (int64_t i = 0; i < 2 * n; ++i) wide.data<int64_t>()[i] *= 4000000000;
  for (const Tensor& x :
       {floats, floats.to(float64), wide, random_integers({n}, generator, -2000000, 3, int32),
        random_integers({n}, generator, 0, 256, uint8)}) {
    CAPTURE(x.str());
    for (bool descending : {false, true}) check_sort("sort_result", x, -1, descending);
  }
}

TEST_CASE("cuda index: running sums in tiles, over tiles, and by lines") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(2);
  struct Case {
    Shape shape;
    int64_t axis;
    const char* kernel;
  };
  const Case cases[] = {{{300, 16}, 1, "cumsum"},      {{20, 5000}, 0, "cumsum"},
                        {{3, 17}, 1, "cumsum_tile"},   {{2, 2048}, 1, "cumsum_tile"},
                        {{2, 2049}, 1, "cumsum_tile"}, {{9000, 3}, 0, "cumsum_tile"}};
  for (DType dtype : {float32, int32})
    for (const Case& c : cases) {
      CAPTURE(c.shape.str());
      const Tensor x = integers(c.shape, 9, dtype, random);
      for (bool reverse : {false, true})
        check_on_both(c.kernel, [&](Device device) { return cumsum(x.to(device), c.axis, reverse); });
    }
}

TEST_CASE("cuda index: sums of few and of many indices, with repetitions and places that none names") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(3);
  for (int64_t count : {1, 32, 33, 2100}) {
    CAPTURE(count);
    const Tensor source = integers({3, count}, 9, float32, random),
                 index = integers({3, count}, 7, int64, random);
    check_on_both("scatter_add",
                  [&](Device device) { return scatter_add(source.to(device), 1, index.to(device), 9); });
    check_on_both("scatter_add", [&](Device device) {
      return scatter_add(source.t().to(device), 0, index.t().to(device), 9);
    });
    const Tensor list = integers({count}, 7, int64, random), rows = integers({count, 5}, 9, float32, random);
    check_on_both("index_add",
                  [&](Device device) { return index_add(rows.to(device), 0, list.to(device), 9); });
    check_on_both("index_add",
                  [&](Device device) { return index_add(rows.t().to(device), 1, list.to(device), 9); });
  }
}

TEST_CASE("cuda index: sums have the bits of the host, whose order they keep") {
  if (cuda::skip_without_device()) return;
  Generator generator(1, 4);
  std::mt19937_64 random(4);
  const Tensor source = random_normal({500, 3}, generator, 0, 1, float64),
               index = integers({500}, 3, int64, random);
  check_on_both("index_add",
                [&](Device device) { return index_add(source.to(device), 0, index.to(device), 3); });
}

TEST_CASE("cuda index: nonzero at the ends of chunks") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(5);
  for (int64_t n : {1, 255, 257, 8191, 8192, 8193, 20000}) {
    CAPTURE(n);
    const Tensor x = integers({n}, 3, float32, random);
    check_on_both("nonzero", [&](Device device) { return nonzero(Tensor::ones({n}, uint8, device)); });
    if (n > 1) check_on_both("nonzero", [&](Device device) { return nonzero(x.to(device)); });
    if (n > 1)
      check_on_both("gather",
                    [&](Device device) { return masked_select(x.to(device), x.to(uint8).to(device)); });
  }
  CHECK(nonzero(Tensor::zeros({300}, float32, Device::cuda())).shape() == Shape{0});
}

TEST_CASE("cuda index: an index out of range is refused as on the host") {
  if (cuda::skip_without_device()) return;
  const Tensor x = Tensor::ones({4, 3}, float32, Device::cuda());
  for (int64_t wrong : {-1, 4}) {
    const Tensor index = Tensor::from(std::vector<int64_t>{0, wrong, 2}).to(Device::cuda());
    const std::string message = concat("index ", wrong, " is out of range for an extent of 4");
    CHECK_THROWS_WITH_AS(index_select(x, 0, index), doctest::Contains(message.c_str()), Error);
    CHECK_THROWS_WITH_AS(index_add(x.narrow(0, 0, 3), 0, index, 4), doctest::Contains(message.c_str()),
                         Error);
  }
}

}  // namespace tenon

#endif
