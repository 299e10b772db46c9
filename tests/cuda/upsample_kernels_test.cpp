// Upsampling on the device, enlarging and shrinking, by factors whole and odd, from and to a single element, along
// axes inside and outside in memory. Weights are computed by the host's formula and sums taken in the host's
// order; a card may fuse a product with its sum, hence the tolerance of a rounding or two.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include "core/ops/upsample.h"
#include "core/random.h"
#include "tests/cuda/both_devices.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

namespace tenon {

TEST_CASE("cuda upsample: nearest and linear, and the way back") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 98);
  struct Case {
    Shape x;
    Dims size;
  };
  const Case cases[] = {{{2, 3, 7}, {14}},
                        {{2, 3, 50}, {7}},
                        {{1, 2, 1}, {9}},
                        {{1, 2, 9}, {1}},
                        {{2, 3, 5, 6}, {11, 7}},
                        {{1, 5, 8, 8}, {16, 16}},
                        {{2, 2, 3, 4, 5}, {5, 4, 12}},
                        {{1, 1, 300}, {1000}},
                        {{1, 1, 1000}, {3}}};
  auto moved = [](const Tensor& x) { return x.to(Device::cuda()); };
  for (DType dtype : {float32, float64})
    for (const Case& c : cases)
      for (bool reversed : {false, true}) {
        CAPTURE(c.x.str());
        CAPTURE(reversed);
        auto lay = [&](const Tensor& x) {
          return reversed ? x.transpose(1, -1).contiguous().transpose(1, -1) : x;
        };
        const Tensor x = random_normal(c.x, generator, 0, 1, dtype);
        Shape shape = c.x;
        Dims in;
        for (int i = 0; i < c.size.rank(); ++i) in.push_back(c.x[i + 2]), shape[i + 2] = c.size[i];
        const Tensor g = random_normal(shape, generator, 0, 1, dtype);
        const Tensor dx = lay(moved(x)), dg = lay(moved(g));
        const double tolerance = dtype == float32 ? 1e-6 : 1e-14;
        const uint64_t before = cuda::launch_count();
        CHECK(worst_difference(upsample_nearest(dx, c.size), upsample_nearest(x, c.size)) == 0);
        CHECK(cuda::launch_count() > before);
        CHECK(worst_difference(upsample_nearest_backward(dg, in), upsample_nearest_backward(g, in)) <=
              tolerance);
        for (bool aligned : {false, true}) {
          CHECK(worst_difference(upsample_linear(dx, c.size, aligned), upsample_linear(x, c.size, aligned)) <=
                tolerance);
          CHECK(worst_difference(upsample_linear_backward(dg, in, aligned),
                                 upsample_linear_backward(g, in, aligned)) <= tolerance);
        }
      }
}

}  // namespace tenon

#endif
