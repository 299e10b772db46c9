#include "core/error.h"
#include "cuda/library/products.h"
#include "cuda/runtime/device_runtime.h"
#include "cuda/runtime/settings.h"

#if defined(TENON_CUBLAS)
#include <cublas_v2.h>

#include <limits>
#endif

namespace tenon::cuda::library {

#if defined(TENON_CUBLAS)

namespace {

void check(cublasStatus_t status, const char* call) {
  TENON_CHECK(status == CUBLAS_STATUS_SUCCESS, call, ": ", cublasGetStatusString(status));
}

// The host thread's handle, on the current stream. It lives as long as the process: to destroy it after the
// CUDA runtime has gone would be an error.
cublasHandle_t handle() {
  static thread_local cublasHandle_t made = [] {
    cublasHandle_t h = nullptr;
    check(cublasCreate(&h), "cublasCreate");
    return h;
  }();
  check(cublasSetStream(made, static_cast<cudaStream_t>(detail::native_stream())), "cublasSetStream");
  check(cublasSetMathMode(made, settings().tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH),
        "cublasSetMathMode");
  return made;
}

int narrow(int64_t value) {
  TENON_CHECK(value <= std::numeric_limits<int>::max(),
              "matmul: cuBLAS expects extents and steps below 2^31, got ", value);
  return static_cast<int>(value);
}

// How cuBLAS, whose matrices run down their columns, sees one of ours: a row-major one is its transpose.
struct Operand {
  cublasOperation_t operation;
  int leading;
};
Operand operand(int64_t row_step, int64_t column_step) {
  if (column_step == 1) return {CUBLAS_OP_N, narrow(row_step)};
  return {CUBLAS_OP_T, narrow(column_step)};
}

cublasStatus_t gemm(cublasHandle_t h, const MatmulPlan& p, const Operand& a, const Operand& b,
                    const int64_t* step, int count, float* c, const float* pa, const float* pb) {
  const float one = 1, zero = 0;
  return cublasSgemmStridedBatched(h, b.operation, a.operation, narrow(p.n), narrow(p.m), narrow(p.k), &one,
                                   pb, b.leading, step[2], pa, a.leading, step[1], &zero, c, narrow(p.c_row),
                                   step[0], count);
}
cublasStatus_t gemm(cublasHandle_t h, const MatmulPlan& p, const Operand& a, const Operand& b,
                    const int64_t* step, int count, double* c, const double* pa, const double* pb) {
  const double one = 1, zero = 0;
  return cublasDgemmStridedBatched(h, b.operation, a.operation, narrow(p.n), narrow(p.m), narrow(p.k), &one,
                                   pb, b.leading, step[2], pa, a.leading, step[1], &zero, c, narrow(p.c_row),
                                   step[0], count);
}

}  // namespace

// C^T = B^T A^T, in cuBLAS's order.
void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b) {
  const Operand oa = operand(plan.a_row, plan.a_column), ob = operand(plan.b_row, plan.b_column);
  const int last = plan.batch.rank - 1;
  const int64_t inner = last < 0 ? 1 : plan.batch.extent[last];
  int64_t step[3] = {};
  for (int i = 0; i < 3 && last >= 0; ++i) step[i] = plan.batch.stride[i][last];
  visit_floating("matmul", dtype, [&](auto tag) {
    using T = decltype(tag);
    for (int64_t item = 0; item < plan.batch.numel; item += inner) {
      int64_t offset[3];
      plan.batch.offsets_of(item, offset);
      check(gemm(handle(), plan, oa, ob, step, narrow(inner), static_cast<T*>(c) + offset[0],
                 static_cast<const T*>(a) + offset[1], static_cast<const T*>(b) + offset[2]),
            "cublas gemmStridedBatched");
      detail::count_library_call("cublas");
    }
  });
}

#elif !defined(TENON_CUDA_EMULATED)  // which has twins.cpp

void matmul(const MatmulPlan&, DType, void*, const void*, const void*) {
  fail("matmul: TENON_CUDA_MATMUL asks for cublas, which this build (CUDA=", build_mode(),
       ") lacks: it comes with CUDA=native where its headers are found");
}

#endif

}  // namespace tenon::cuda::library
