// Random tensors drawn on the device: the host's bits, and the host's place in the stream afterwards.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <functional>

#include "core/ops/dropout.h"
#include "core/random.h"
#include "tests/cuda/both_devices.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

namespace tenon {

TEST_CASE("cuda random: every distribution has the host's bits") {
  if (cuda::skip_without_device()) return;
  using Draw = std::function<Tensor(const Shape&, Generator&, Device)>;
  const Draw draws[] = {
      [](const Shape& s, Generator& g, Device d) { return random_uniform(s, g, -2, 5, float32, d); },
      [](const Shape& s, Generator& g, Device d) { return random_uniform(s, g, 0.1, 0.3, float64, d); },
      [](const Shape& s, Generator& g, Device d) { return random_normal(s, g, 3, 0.7, float32, d); },
      [](const Shape& s, Generator& g, Device d) { return random_normal(s, g, -1, 2, float64, d); },
      [](const Shape& s, Generator& g, Device d) { return random_integers(s, g, -5, 1000, int64, d); },
      [](const Shape& s, Generator& g, Device d) { return random_integers(s, g, 0, 200, uint8, d); },
      [](const Shape& s, Generator& g, Device d) { return random_integers(s, g, -9, 9, float32, d); },
      [](const Shape& s, Generator& g, Device d) { return random_bernoulli(s, g, 0.3, d); }};
  for (const Draw& draw : draws)
    for (const Shape& shape : {Shape{0}, Shape{1}, Shape{4, 7, 11}, Shape{1023}, Shape{5000}}) {
      CAPTURE(shape.str());
      Generator host(test_seed(), 95), device(test_seed(), 95);
      for (Generator* g : {&host, &device}) g->next();
      const uint64_t before = cuda::launch_count();
      const Tensor got = draw(shape, device, Device::cuda());
      CHECK(cuda::launch_count() == before + (got.is_empty() ? 0 : 1));
      CHECK(worst_difference(got, draw(shape, host, Device::cpu())) == 0);
      CHECK(host.state().position == device.state().position);
    }
}

TEST_CASE("cuda random: dropout drops the same elements as on the host") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed(), 96);
  const Tensor x = random_normal({6, 5, 33}, generator);
  Generator host(test_seed(), 97), device(test_seed(), 97);
  const Dropped expected = dropout(x, 0.4, host), got = dropout(x.to(Device::cuda()), 0.4, device);
  CHECK(got.mask.device().is_cuda());
  CHECK(worst_difference(got.mask, expected.mask) == 0);
  CHECK(worst_difference(got.y, expected.y) == 0);
  const Dropped channels = dropout_channels(x.to(Device::cuda()), 0.4, device);
  CHECK(worst_difference(channels.y, dropout_channels(x, 0.4, host).y) == 0);
}

}  // namespace tenon

#endif
