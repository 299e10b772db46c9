// Streams keep their order, events join them; in the emulation a forgotten wait shows.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include "cuda/runtime/stream.h"

#include <doctest/doctest.h>

#include <vector>

#include "core/ops/elementwise.h"
#include "core/tensor.h"
#include "tests/cuda/device_array.h"

namespace tenon::cuda {

TEST_CASE("cuda streams: one stream keeps its order, copies included") {
  if (skip_without_device()) return;
  const std::vector<float> in = {1, 2, 3};
  Tensor x = Tensor::zeros({3}).to(Device::cuda());
  std::vector<float> out(3, -1);
  Stream stream;
  {
    const CurrentStream current(stream);
    copy_to_device_async(x.raw(), in.data(), 12);
    const Tensor y = mul(x, x);
    copy_to_host_async(out.data(), y.raw(), 12);
    stream.synchronize();
  }
  CHECK(out == std::vector<float>{1, 4, 9});
}

TEST_CASE("cuda streams: the default stream waits for all others") {
  if (skip_without_device()) return;
  const std::vector<int> in = {5, 6};
  DeviceArray<int> x(std::vector<int>{0, 0});
  Stream stream;
  {
    const CurrentStream current(stream);
    copy_to_device_async(x.data(), in.data(), x.bytes());
  }
  CHECK(x.to_host() == in);
}

TEST_CASE("cuda streams: an event orders two streams; time passes between two events") {
  if (skip_without_device()) return;
  const std::vector<int> in = {7, 8, 9};
  std::vector<int> out(3, 0);
  DeviceArray<int> x(out);
  Stream writer, reader;
  Event start, written;
  {
    const CurrentStream current(writer);
    start.record();
    copy_to_device_async(x.data(), in.data(), x.bytes());
    written.record();
  }
  reader.wait(written);
  {
    const CurrentStream current(reader);
    copy_to_host_async(out.data(), x.data(), x.bytes());
  }
  reader.synchronize();
  CHECK(out == in);
  CHECK(milliseconds_between(start, written) > 0);
}

#if defined(TENON_CUDA_EMULATED)

TEST_CASE("cuda streams: the emulation shows a forgotten wait, of the host or of a stream") {
  const std::vector<int> in = {7, 8, 9}, before(3, 1);
  std::vector<int> out(3, 0);
  DeviceArray<int> x(before);
  Stream writer, reader;
  {
    const CurrentStream current(writer);
    copy_to_device_async(x.data(), in.data(), x.bytes());
  }
  {
    const CurrentStream current(reader);  // without reader.wait(event of the writer)
    copy_to_host_async(out.data(), x.data(), x.bytes());
    CHECK(out == std::vector<int>(3, 0));  // without reader.synchronize()
  }
  reader.synchronize();
  CHECK(out == before);
}

#endif

}  // namespace tenon::cuda

#endif
