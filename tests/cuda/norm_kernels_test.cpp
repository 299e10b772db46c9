// The ways in which the normalisation kernels sum, which shapes choose: lanes, warps or blocks a column, columns
// side by side, columns cut into parts along either axis; packed words or single numbers. Inputs of the first
// case are small integers around a power of two, so that all sums are exact and the statistics must have the
// host's bits.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <string>

#include "core/ops/elementwise.h"
#include "core/ops/norm.h"
#include "core/random.h"
#include "tests/cuda/both_devices.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

namespace tenon {
namespace {

struct Layout {
  Shape shape;
  int64_t groups;  // 0: batch norm
  bool channels_last;
};

const Layout kLayouts[] = {
    {{2, 3, 1}, 0, false},      {{5, 3, 7}, 0, false},      {{4, 6, 49}, 0, false},  // lanes
    {{3, 4, 20, 20}, 0, false}, {{1, 1, 9000}, 0, false},                            // blocks, a whole column
    {{40, 2, 300}, 0, false},   {{2, 2, 12000}, 0, false},                           // in parts
    {{50, 3}, 0, false},        {{300, 70}, 0, false},      {{9000, 4}, 0, false},   // columns side by side
    {{4, 6, 49}, 0, true},      {{20, 33, 40, 5}, 0, true}, {{3, 8, 5}, 2, false},
    {{2, 6, 40, 30}, 3, false}, {{2, 64, 5}, 1, false},  // sets of channels
    {{3, 8, 25}, 4, true},      {{70, 6}, 6, false},        {{300, 40}, 2, false},
};

Tensor laid(const Tensor& x, bool channels_last) {
  if (!channels_last) return x;
  Dims inside{0}, back{0, x.rank() - 1};
  for (int i = 2; i < x.rank(); ++i) inside.push_back(i), back.push_back(i - 1);
  inside.push_back(1);
  return x.permute(inside).contiguous().permute(back);
}

Tensor on_device(const Tensor& x) { return x.defined() ? x.to(Device::cuda()) : x; }

Normalized forward(const Layout& l, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return l.groups > 0 ? group_norm(x, l.groups, weight, bias, 1e-5) : batch_norm(x, weight, bias, 1e-5);
}

NormGradients backward(const Layout& l, const Tensor& g, const Tensor& x, const Tensor& weight,
                       const Normalized& n) {
  return l.groups > 0 ? group_norm_backward(g, x, l.groups, weight, n.mean, n.variance, 1e-5)
                      : batch_norm_backward(g, x, weight, n.mean, n.variance, 1e-5);
}

}  // namespace

TEST_CASE("cuda norm: statistics have the host's bits where sums are exact") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 81);
  for (DType dtype : {float32, float64})
    for (const Layout& l : kLayouts) {
      CAPTURE(l.shape.str());
      CAPTURE(l.channels_last);
      const Tensor integers = random_integers(l.shape, generator, -8, 9, dtype);
      const Tensor x = laid(affine(integers, 1, 16384), l.channels_last);
      const uint64_t before = cuda::launch_count();
      const Normalized got = forward(l, laid(on_device(x), l.channels_last), Tensor(), Tensor());
      CHECK(cuda::launch_count() >= before + 4);
      const Normalized expected = forward(l, x, Tensor(), Tensor());
      CHECK(worst_difference(got.mean, expected.mean) == 0);
      CHECK(worst_difference(got.variance, expected.variance) == 0);
      CHECK(worst_difference(got.y, expected.y) <= (dtype == float32 ? 1e-6 : 1e-14));
    }
}

TEST_CASE("cuda norm: forward and backward far from zero, with weight and without") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 82);
  for (DType dtype : {float32, float64})
    for (const Layout& l : kLayouts)
      for (bool affine_too : {false, true}) {
        CAPTURE(l.shape.str());
        const Shape channels{l.shape[1]};
        const Tensor x = laid(random_normal(l.shape, generator, 1e4, 1, dtype), l.channels_last);
        const Tensor g = laid(random_normal(l.shape, generator, 0, 1, dtype), l.channels_last);
        Tensor weight, bias;
        if (affine_too) {
          weight = random_normal(channels, generator, 1, 1, dtype);
          bias = random_normal(channels, generator, 0, 1, dtype);
        }
        const Normalized expected = forward(l, x, weight, bias);
        const Tensor dx = laid(on_device(x), l.channels_last);
        const Normalized got = forward(l, dx, on_device(weight), on_device(bias));
        // Beyond roundings of the result: those of float64 sums of squares, whose terms are about 1.
        const double tolerance = dtype == float32 ? 2e-6 : 1e-12;
        CHECK(worst_difference(got.y, expected.y) <= tolerance);
        CHECK(worst_difference(got.mean, expected.mean) <= 1e-13);
        CHECK(worst_difference(got.variance, expected.variance) <= 1e-12);
        const NormGradients wanted = backward(l, g, x, weight, expected);
        const NormGradients gradients =
            backward(l, laid(on_device(g), l.channels_last), dx, on_device(weight), got);
        CHECK(worst_difference(gradients.x, wanted.x) <= tolerance);
        CHECK(worst_difference(gradients.weight, wanted.weight) <= tolerance);
        CHECK(worst_difference(gradients.bias, wanted.bias) <= tolerance);
      }
}

TEST_CASE("cuda norm: views that no packed word fits") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 83);
  const Tensor whole = random_normal({2 * 4 * 8 + 1}, generator);
  const Tensor odd = whole.slice(0, 1, 65).reshape({2, 4, 8}),
               even = whole.slice(0, 0, 64).reshape({2, 4, 8});
  const Tensor moved = whole.to(Device::cuda());
  for (int64_t groups : {0, 2}) {
    const Layout l{odd.shape(), groups, false};
    const Tensor at_odd = moved.slice(0, 1, 65).reshape({2, 4, 8});
    CHECK(worst_difference(forward(l, at_odd, {}, {}).y, forward(l, odd, {}, {}).y) <= 1e-6);
    const Tensor at_even = moved.slice(0, 0, 64).reshape({2, 4, 8});
    CHECK(worst_difference(forward(l, at_even, {}, {}).y, forward(l, even, {}, {}).y) <= 1e-6);
  }
}

TEST_CASE("cuda norm: running statistics stay on the device") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 84);
  const Tensor x = random_normal({6, 5, 11}, generator, 3, 2);
  Tensor means[2], variances[2];
  for (int i : {0, 1}) {
    const Device device = i == 0 ? Device::cpu() : Device::cuda();
    means[i] = Tensor::zeros({5}, float32, device);
    variances[i] = Tensor::full({5}, 1, float32, device);
    const Normalized n = batch_norm(x.to(device), {}, {}, 1e-5);
    CHECK(n.mean.device() == device);
    update_running_statistics(means[i], variances[i], n.mean, n.variance, 66, 0.1);
    CHECK(means[i].device() == device);
  }
  CHECK(worst_difference(means[1], means[0]) <= 1e-6);
  CHECK(worst_difference(variances[1], variances[0]) <= 1e-6);
}

}  // namespace tenon

#endif
