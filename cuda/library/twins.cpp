// Twins of NVIDIA's libraries, for emulated builds: the contracts of products.h, served by the kernels of core/cpu/ on the
// emulated device's memory. So what our kernels do around a call of a library (layouts, bias, signs) runs and is tested
// where there is no card. They say nothing of the libraries themselves: neither of their speed, nor of their rounding
// (with settings().tf32, too, they compute in float32), nor of how products.h's native half calls them.
#if defined(TENON_CUDA_EMULATED)

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

#include "core/error.h"
#include "cuda/emulation/device_memory.h"
#include "cuda/emulation/stream_work.h"
#include "cuda/library/products.h"
#include "cuda/runtime/device_runtime.h"

namespace tenon::cuda::library {
namespace {

// Runs `work` where a launch would run, with device memory open to it.
void serve(const char* library, std::function<void()> work) {
  detail::count_library_call(library);
  emulation::submit([work = std::move(work)] {
    const emulation::DeviceAccess access;
    work();
  });
}

}  // namespace

/// Twin of cuBLAS's.
void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b) {
  serve("cublas", [=] { cpu::matmul(plan, dtype, c, a, b); });
}

/// Twins of cuDNN's.
void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias) {
  ConvPlan sums = plan;
  sums.relu = false;
  serve("cudnn", [=] { cpu::conv(sums, dtype, y, x, weight, bias, nullptr); });
}
void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight) {
  serve("cudnn", [=] { cpu::conv_backward_input(plan, dtype, gx, g, weight); });
}
void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  serve("cudnn", [=] { cpu::conv_backward_weight(plan, dtype, gw, g, x); });
}

/// Twin of cuSPARSE's.
void spmm(const SpmmPlan& plan, DType dtype, void* y, const void* values, const void* x, double beta) {
  check_spmm(plan);
  SpmmPlan product = plan;
  product.relu = false;
  serve("cusparse", [=] {
    visit_floating("spmm", dtype, [&](auto tag) {
      using T = decltype(tag);
      std::vector<T> wx(static_cast<size_t>(plan.rows_y * plan.n));
      cpu::spmm(product, dtype, wx.data(), values, x, nullptr);
      T* const to = static_cast<T*>(y);
      for (size_t i = 0; i < wx.size(); ++i) to[i] = beta == 0 ? wx[i] : wx[i] + static_cast<T>(beta) * to[i];
    });
  });
}

/// Twin of cuSOLVER's. The columns of v that have no singular value are NaN.
void svd(int64_t count, int64_t m, int64_t n, DType dtype, void* a, void* u, void* s, void* v,
         LinalgStatus* status) {
  check_svd(count, m, n);
  serve("cusolver", [=] {
    visit_floating("svd", dtype, [&](auto tag) {
      using T = decltype(tag);
      // Down its columns, A lies as A^T row by row does, which is tall: A^T = V diag(s) U^T.
      std::vector<T> left(static_cast<size_t>(count * n * m)), right(static_cast<size_t>(count * m * m));
      cpu::svd({{count, n, m, n * m, m, 1}}, dtype, a, left.data(), s, right.data(), status);
      T *const pu = static_cast<T*>(u), *const pv = static_cast<T*>(v);
      std::fill(pv, pv + count * n * n, std::numeric_limits<T>::quiet_NaN());
      for (int64_t b = 0; b < count; ++b)
        for (int64_t j = 0; j < m; ++j) {
          for (int64_t i = 0; i < m; ++i) pu[(b * m + j) * m + i] = right[(b * m + i) * m + j];
          for (int64_t i = 0; i < n; ++i) pv[(b * n + j) * n + i] = left[(b * n + i) * m + j];
        }
    });
  });
}

}  // namespace tenon::cuda::library

#endif
