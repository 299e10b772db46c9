// What the tests of kernels share that compare a device with the host.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/tensor.h"

namespace tenon {

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

}  // namespace tenon
