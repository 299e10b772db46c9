// Sends an op to the kernels of a device: cpu::f or cuda::f with the same arguments. For core/ops/*.cpp only.
#pragma once

#include "core/tensor.h"

// [dispatch]
#ifdef TENON_CUDA_OFF
#define TENON_DISPATCH(device, function, ...) cpu::function(__VA_ARGS__)
#else
#define TENON_DISPATCH(device, function, ...) \
  ((device).is_cuda() ? cuda::function(__VA_ARGS__) : cpu::function(__VA_ARGS__))
#endif
// [/dispatch]

namespace tenon {

/// For ops whose kernels exist on the host only: refuses device tensors by name instead of falling back in
/// silence.
inline void require_host(const char* op, const Tensor& x) {
  TENON_CHECK(x.device().is_cpu(), op, ": has no CUDA kernel; expects tensors on cpu, got ", x.str());
}

}  // namespace tenon
