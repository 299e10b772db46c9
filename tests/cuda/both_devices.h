// What the tests of kernels share that compare the CUDA device with the host: to the bit, on small integers, whose
// sums are exact in any order; or by the worst difference.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
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

/// Largest |a - b| / max(1, |b|) over all elements, of tensors on any devices; 0 where both are NaN or the same
/// infinity, and infinity where only one of them is. Another shape or dtype counts as infinity.
inline double worst_difference(const Tensor& a, const Tensor& b) {
  const double infinity = HUGE_VAL;
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return infinity;
  const auto x = a.to(Device::cpu()).to(float64).to_vector<double>();
  const auto y = b.to(Device::cpu()).to(float64).to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double d = std::fabs(x[i] - y[i]) / std::max(1.0, std::fabs(y[i]));
    worst = std::isnan(d) ? infinity : std::max(worst, d);
  }
  return worst;
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
