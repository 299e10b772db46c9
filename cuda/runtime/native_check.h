// Native builds only: from a status of the CUDA runtime to an Error.
#pragma once

#include <cuda_runtime_api.h>

#include "core/error.h"
#include "cuda/runtime/device_runtime.h"

namespace tenon::cuda {

/// Throws Error naming the call, the runtime's words and the kernel launched last, which an asynchronous error
/// may stem from.
inline void check(cudaError_t status, const char* call) {
  TENON_CHECK(status == cudaSuccess, call, ": ", cudaGetErrorString(status),
              " (last kernel launched: ", *last_kernel() ? last_kernel() : "none", ")");
}

}  // namespace tenon::cuda
