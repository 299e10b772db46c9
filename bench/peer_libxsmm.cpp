#include "bench/peer_libxsmm.h"

#if defined(TENON_LIBXSMM)
#include <libxsmm.h>

#include "core/error.h"
#include "core/ops/matmul.h"
#include "core/parallel.h"
#endif

namespace tenon::bench {

#if defined(TENON_LIBXSMM)

namespace {

// Its matrices run down their columns: c^T = b^T a^T.
libxsmm_smmfunction kernel_of(int64_t m, int64_t n, int64_t k) {
  const float one = 1, zero = 0;
  const libxsmm_smmfunction kernel =
      libxsmm_smmdispatch(static_cast<int>(n), static_cast<int>(m), static_cast<int>(k), nullptr, nullptr,
                          nullptr, &one, &zero, nullptr, nullptr);
  TENON_CHECK(kernel != nullptr, "bench: libxsmm makes no code for ", m, " x ", n, " x ", k);
  return kernel;
}

void multiply(libxsmm_smmfunction kernel, const Tensor& a, const Tensor& b, const Tensor& c) {
  const int64_t m = a.size(1), k = a.size(2), n = b.size(2);
  const float *const pa = a.data<float>(), *const pb = b.data<float>();
  float* const pc = c.data<float>();
  parallel_for(a.size(0), grain_for_flops(m * n * k), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernel(pb + i * k * n, pa + i * m * k, pc + i * m * n);
  });
}

}  // namespace

void append_libxsmm(std::vector<Contestant>& contestants, const Tensor& a, const Tensor& b) {
  const Tensor c = Tensor::empty({a.size(0), a.size(1), b.size(2)});
  contestants.push_back({"libxsmm", [=, kernel = libxsmm_smmfunction{}]() mutable {
                           if (kernel != nullptr) return multiply(kernel, a, b, c);
                           kernel = kernel_of(a.size(1), b.size(2), a.size(2));
                           multiply(kernel, a, b, c);
                           check_agrees("libxsmm", c, matmul(a, b));
                         }});
}

#else

void append_libxsmm(std::vector<Contestant>& /*contestants*/, const Tensor& /*a*/, const Tensor& /*b*/) {}

#endif

}  // namespace tenon::bench
