// Tests that a kernel gives the same on the host and on the CUDA device, to the bit. Inputs are small integers,
// whose sums are exact in any order.
#pragma once

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "core/ops/elementwise.h"
#include "cuda/runtime/settings.h"
#include "tests/cuda/device_array.h"

namespace tenon {

namespace cuda {
/// Other settings for the lifetime of this.
class WithSettings {
 public:
  explicit WithSettings(const Settings& settings) : before_(set_settings(settings)) {}
  ~WithSettings() { set_settings(before_); }
  WithSettings(const WithSettings&) = delete;
  WithSettings& operator=(const WithSettings&) = delete;

 private:
  Settings before_;
};
}  // namespace cuda

/// Integers in [-8, 8].
inline Tensor integers(const Shape& shape, DType dtype, std::mt19937_64& random) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& value : values) value = static_cast<double>(random() % 17) - 8;
  return Tensor::from(values, shape).to(dtype);
}

inline bool same(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  return a.to(float64).to_vector<double>() == b.to(Device::cpu()).to(float64).to_vector<double>();
}

/// Applies `f` on both devices and compares; `f` must end with a launch of the kernel of that name.
template <class F>
void check_on_both(const char* kernel, const Tensor& x, F&& f) {
  const Tensor on_device = x.to(Device::cuda());
  const uint64_t before = cuda::launch_count();
  const Tensor result = f(on_device);
  CHECK(result.device().is_cuda());
  CHECK(cuda::launch_count() > before);
  CHECK(cuda::last_kernel() == std::string(kernel));
  CHECK(same(f(x), result));
}

}  // namespace tenon
