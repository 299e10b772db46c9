// The one header that kernel files (cuda/kernels/*.cu) include. The same file is compiled twice: by nvcc for
// the card, and as C++ against cuda/emulation for the CPU. What both compilers can read:
//
//   template <class T>
//   __global__ void scale_kernel(T* x, T factor, int64_t n) {
//     TENON_SHARED(T, tile, 256);          // static shared memory: an array `tile` of 256 T
//     TENON_DYNAMIC_SHARED(T, extra);      // dynamic shared memory: a pointer to what the launch asked for
//     ... threadIdx, blockIdx, blockDim, gridDim, __syncthreads(), __syncwarp(mask),
//     ... __shfl_sync, __shfl_down_sync, __shfl_xor_sync, __ballot_sync, integer atomics
//   }
//   launch("scale", scale_kernel<T>, {blocks}, {256}, 0, x, factor, n);
//
// Kernels are launched through launch() only, since `<<<>>>` is not C++. Float atomics are not offered: their
// order, and so their sum, would differ from run to run. Rules that the emulation enforces: every thread of a
// block reaches every __syncthreads (no early return before one), every lane named in a mask reaches the
// collective.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/error.h"
#include "cuda/runtime/device_runtime.h"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#define TENON_SHARED(T, name, count) __shared__ T name[count]
#define TENON_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char tenon_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(tenon_dynamic_shared)

namespace tenon::cuda {

using Dim3 = dim3;

/// Runs kernel(args...) on `grid` blocks of `block` threads with `shared_bytes` of dynamic shared memory,
/// on the current stream (cuda/runtime/stream.h), or the default one. Does not wait. Throws Error naming the kernel if the launch is refused.
/// `name` must be a string literal.
template <class... Params>
void launch(const char* name, void (*kernel)(Params...), Dim3 grid, Dim3 block, size_t shared_bytes,
            std::type_identity_t<Params>... args) {
  void* arguments[] = {static_cast<void*>(&args)...};
  const cudaError_t status =
      cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, arguments, shared_bytes,
                       static_cast<cudaStream_t>(detail::native_stream()));
  TENON_CHECK(status == cudaSuccess, "cudaLaunchKernel ", name, ": ", cudaGetErrorString(status));
  detail::count_launch(name);
}

}  // namespace tenon::cuda

#else

#include "cuda/emulation/execution.h"

#endif
