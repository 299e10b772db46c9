// Pooling on the device has the host's bits: elements are chosen, and sums are taken in the host's order. Both
// orders of axes, overlapping, dilated and adaptive windows, and an index that no max_pool made.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <limits>

#include "core/ops/pool.h"
#include "core/random.h"
#include "tests/cuda/both_devices.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

namespace tenon {
namespace {

struct Pooling {
  Shape x;
  PoolOptions options;
  Dims adaptive = {};
};

const Pooling kPoolings[] = {
    {{2, 3, 300}, {.kernel = {5}, .stride = {2}, .padding = {2}}},
    {{2, 3, 16, 20}, {.kernel = {2}}},
    {{2, 5, 17, 19}, {.kernel = {3}, .stride = {2}, .padding = {1}}},
    {{1, 4, 17, 12}, {.kernel = {4, 3}, .stride = {3, 1}, .padding = {2, 0}, .ceil_mode = true}},
    {{2, 2, 7, 8, 9}, {.kernel = {3, 2, 3}, .stride = {1, 2, 2}, .padding = {1}}},
    {{2, 3, 13, 11}, {}, {4, 5}},
    {{1, 2, 5, 6, 7}, {}, {7, 2, 3}},
};

Tensor channels_inside(const Tensor& x) {
  Dims inside{0}, back{0, x.rank() - 1};
  for (int i = 2; i < x.rank(); ++i) inside.push_back(i), back.push_back(i - 1);
  inside.push_back(1);
  return x.permute(inside).contiguous().permute(back);
}

Dims spatial(const Tensor& x) {
  Dims extents;
  for (int i = 2; i < x.rank(); ++i) extents.push_back(x.size(i));
  return extents;
}

Tensor on_device(const Tensor& x) { return x.to(Device::cuda()); }

bool same_on_device(const Tensor& got, const Tensor& expected) {
  return got.device().is_cuda() && worst_difference(got, expected) == 0;
}

// Calls f(x, pooling, device form of x) in both orders of axes and both dtypes.
template <class F>
void for_each_pooling(uint64_t stream, F&& f) {
  Generator generator(test_seed(), stream);
  for (DType dtype : {float32, float64})
    for (const Pooling& p : kPoolings)
      for (bool last : {false, true}) {
        CAPTURE(p.x.str());
        CAPTURE(last);
        const Tensor x = random_integers(p.x, generator, -9, 10, dtype);  // with ties
        f(last ? channels_inside(x) : x, p, last ? channels_inside(on_device(x)) : on_device(x));
      }
}

std::pair<Tensor, Tensor> max_of(const Tensor& x, const Pooling& p) {
  return p.adaptive.rank() > 0 ? adaptive_max_pool(x, p.adaptive) : max_pool(x, p.options);
}

}  // namespace

TEST_CASE("cuda pool: largest elements, their places and the way back") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 91);
  for_each_pooling(92, [&](const Tensor& x, const Pooling& p, const Tensor& dx) {
    const auto [y, index] = max_of(x, p);
    const uint64_t before = cuda::launch_count();
    const auto [dy, dindex] = max_of(dx, p);
    CHECK(cuda::launch_count() == before + 1);
    CHECK(same_on_device(dy, y));
    CHECK(same_on_device(dindex, index));
    const Tensor g = random_normal(y.shape(), generator, 0, 1, x.dtype());
    CHECK(same_on_device(max_pool_backward(on_device(g), dindex, spatial(x)),
                         max_pool_backward(g, index, spatial(x))));
    CHECK(same_on_device(max_pool_gather(dx, dindex), max_pool_gather(x, index)));
  });
}

TEST_CASE("cuda pool: NaN is larger than any number, and the first counts") {
  if (cuda::skip_without_device()) return;
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::from(std::vector<float>{-infinity, -infinity, 1, nan, infinity, nan}, {1, 1, 6});
  const auto [y, index] = max_pool(on_device(x), {.kernel = {3}, .stride = {1}});
  CHECK(same_on_device(y, max_pool(x, {.kernel = {3}, .stride = {1}}).first));
  CHECK(index.to_vector<int32_t>() == std::vector<int32_t>{2, 3, 3, 3});
}

TEST_CASE("cuda pool: an index that names one input again and again") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 93);
  const Tensor g = random_normal({2, 3, 20, 10}, generator);
  for (int64_t most : {1, 3, 500}) {
    const Tensor index = random_integers(g.shape(), generator, 0, most, int32);
    const Tensor expected = max_pool_backward(g, index, {25, 20});
    CHECK(same_on_device(max_pool_backward(on_device(g), on_device(index), {25, 20}), expected));
  }
}

TEST_CASE("cuda pool: an index outside the input is an Error with the first such index") {
  if (cuda::skip_without_device()) return;
  const Tensor g = Tensor::zeros({3, 2, 20, 10}), x = Tensor::zeros({3, 2, 25, 20});
  for (int32_t bad : {500, -1}) {
    Tensor index = Tensor::zeros({3, 2, 20, 10}, int32);
    index.select(0, 1).select(0, 1).fill_(bad);
    index.select(0, 2).fill_(7777);
    const std::string expected =
        concat("max_pool: index ", bad, " is outside the 500 positions of the input");
    CHECK_THROWS_WITH_AS(max_pool_backward(on_device(g), on_device(index), {25, 20}), expected.c_str(),
                         Error);
    CHECK_THROWS_WITH_AS(max_pool_gather(on_device(x), on_device(index)), expected.c_str(), Error);
  }
}

TEST_CASE("cuda pool: means and the way back") {
  if (cuda::skip_without_device()) return;
  for_each_pooling(94, [&](const Tensor& x, const Pooling& p, const Tensor& dx) {
    const bool adaptive = p.adaptive.rank() > 0;
    for (bool padding : {true, false}) {
      PoolOptions options = p.options;
      options.count_include_pad = padding;
      const Tensor y = adaptive ? adaptive_avg_pool(x, p.adaptive) : avg_pool(x, options);
      CHECK(same_on_device(adaptive ? adaptive_avg_pool(dx, p.adaptive) : avg_pool(dx, options), y));
      const Tensor g = on_device(y);
      // The host adds the outputs of a line in another order, and the card may fuse a product with its sum.
      CHECK(worst_difference(adaptive ? adaptive_avg_pool_backward(g, spatial(x))
                                      : avg_pool_backward(g, spatial(x), options),
                             adaptive ? adaptive_avg_pool_backward(y, spatial(x))
                                      : avg_pool_backward(y, spatial(x), options)) <=
            (x.dtype() == float32 ? 1e-6 : 1e-14));
    }
  });
}

}  // namespace tenon

#endif
