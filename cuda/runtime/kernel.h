// The one header that kernel files (cuda/kernels/*.cu) include. The same file is compiled twice: by nvcc for
// the card, and as C++ against cuda/emulation for the CPU. What both compilers can read:
//
//   template <class T>
//   __global__ void scale_kernel(T* x, T factor, int64_t n) {
//     TENON_SHARED(T, tile, 256);          // static shared memory: an array `tile` of 256 T
//     TENON_DYNAMIC_SHARED(T, extra);      // dynamic shared memory: a pointer to what the launch asked for
//     ... threadIdx, blockIdx, blockDim, gridDim, __syncthreads(), __syncwarp(mask),
//     TENON_UNROLL for (...)               // unrolled in full, so that its arrays stay in registers
//     ... __shfl_sync, __shfl_down_sync, __shfl_xor_sync, __ballot_sync, integer atomics
//     ... fast_reciprocal, fast_root
//     ... copy_async, commit_copies, wait_for_copies: asynchronous copies into shared memory
//     ... to_tf32, mma_m16n8k8: a product on the tensor cores
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

#define TENON_UNROLL _Pragma("unroll")
// Aligned for 16-byte accesses.
#define TENON_SHARED(T, name, count) __shared__ __align__(16) T name[count]
#define TENON_DYNAMIC_SHARED(T, name)                                   \
  extern __shared__ __align__(16) unsigned char tenon_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(tenon_dynamic_shared)

/// Before a loop: keep it a loop. Unrolled, the addresses of all its turns may take more registers than there are.
#define TENON_ROLLED _Pragma("unroll 1")

namespace tenon::cuda {

using Dim3 = dim3;

/// Runs kernel(args...) on `grid` blocks of `block` threads with `shared_bytes` of dynamic shared memory,
/// on the current stream (cuda/runtime/stream.h), or the default one. Does not wait. Throws Error naming the
/// kernel if the launch is refused. More than kSharedUnasked bytes, up to shared_memory_limit(), are asked for
/// here. `name` must be a string literal.
template <class... Params>
void launch(const char* name, void (*kernel)(Params...), Dim3 grid, Dim3 block, size_t shared_bytes,
            std::type_identity_t<Params>... args) {
  detail::check_shared_memory(name, shared_bytes);
  if (shared_bytes > kSharedUnasked) {
    const cudaError_t status =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    TENON_CHECK(status == cudaSuccess, "cudaFuncSetAttribute ", name, ": ", cudaGetErrorString(status));
  }
  void* arguments[] = {static_cast<void*>(&args)...};
  const cudaError_t status =
      cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, arguments, shared_bytes,
                       static_cast<cudaStream_t>(detail::native_stream()));
  TENON_CHECK(status == cudaSuccess, "cudaLaunchKernel ", name, ": ", cudaGetErrorString(status));
  detail::count_launch(name);
}

/// p, but the compiler does not know how it came about. It then adds to it in one instruction; else it may take a sum
/// of addresses apart and put it together again, four instructions each time.
template <class T>
__device__ __forceinline__ T* opaque(T* p) {
  asm("" : "+l"(p));
  return p;
}

/// 1 / x and the square root of x, to two units in the last place; numbers below 1e-38 count as 0. A card has an
/// instruction for each, where the exact ones take ten and more. In float64 they are the exact ones.
__device__ __forceinline__ float fast_reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float fast_root(float x) {
  float y;
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ double fast_reciprocal(double x) { return 1 / x; }
__device__ __forceinline__ double fast_root(double x) { return sqrt(x); }

/// Starts to copy one T (of 4, 8 or 16 bytes, both addresses aligned to them) from global to shared memory
/// without waiting; writes zeros, and does not read `global`, if not `inside`. PTX: cp.async.
template <class T>
__device__ __forceinline__ void copy_async(T* shared, const T* global, bool inside = true) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = inside ? static_cast<int>(sizeof(T)) : 0;
  if constexpr (sizeof(T) == 16) {  // past the first-level cache
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(sizeof(T)),
                 "r"(bytes)
                 : "memory");
  }
}
/// Closes the group of copies that the thread has started since the last commit; it may be empty.
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until all groups of this thread but the last `groups` have landed. Other threads see what landed
/// after a __syncthreads behind it.
template <int groups>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}

/// x rounded to TF32: 8 bits of exponent, 10 of mantissa, in the place of a float's.
__device__ __forceinline__ float to_tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}
/// D += A B by a whole warp: A is 16 x 8, B 8 x 8, both of TF32 numbers, D 16 x 8 in float32. Lane 4 g + t holds
///   a[i] = A[g + 8 (i % 2)][t + 4 (i / 2)],  b[i] = B[t + 4 i][g],  d[i] = D[g + 8 (i / 2)][2 t + i % 2].
/// PTX: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32.
__device__ __forceinline__ void mma_m16n8k8(float (&d)[4], const float (&a)[4], const float (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, "
      "%1, "
      "%2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
        "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

}  // namespace tenon::cuda

#else

#define TENON_ROLLED

namespace tenon::cuda {
template <class T>
T* opaque(T* p) {
  return p;
}
}  // namespace tenon::cuda

#include "cuda/emulation/async_copy.h"
#include "cuda/emulation/execution.h"
#include "cuda/emulation/mma.h"

#define TENON_UNROLL

#endif
