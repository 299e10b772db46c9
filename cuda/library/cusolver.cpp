// By cuSOLVER's batched Jacobi SVD.
#include "core/error.h"
#include "cuda/library/products.h"
#include "cuda/runtime/device_runtime.h"
#include "cuda/runtime/scratch.h"

#if defined(TENON_CUSOLVER)
#include <cusolverDn.h>

#include <vector>
#endif

namespace tenon::cuda::library {

#if defined(TENON_CUSOLVER)

namespace {

void check(cusolverStatus_t status, const char* call) {
  TENON_CHECK(status == CUSOLVER_STATUS_SUCCESS, call, ": status ", static_cast<int>(status));
}

// The host thread's handle, on the current stream; never destroyed, as that of cuBLAS.
cusolverDnHandle_t handle() {
  static thread_local cusolverDnHandle_t made = [] {
    cusolverDnHandle_t h = nullptr;
    check(cusolverDnCreate(&h), "cusolverDnCreate");
    return h;
  }();
  check(cusolverDnSetStream(made, static_cast<cudaStream_t>(detail::native_stream())), "cusolverDnSetStream");
  return made;
}

class Parameters {  // as the library sets them: to full precision, values in falling order
 public:
  Parameters() { check(cusolverDnCreateGesvdjInfo(&p_), "cusolverDnCreateGesvdjInfo"); }
  ~Parameters() { cusolverDnDestroyGesvdjInfo(p_); }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  gesvdjInfo_t get() const { return p_; }

 private:
  gesvdjInfo_t p_ = nullptr;
};

constexpr cusolverEigMode_t kVectors = CUSOLVER_EIG_MODE_VECTOR;

int workspace(int m, int n, const float* a, const float* s, const float* u, const float* v,
              const Parameters& parameters, int count) {
  int size = 0;
  check(cusolverDnSgesvdjBatched_bufferSize(handle(), kVectors, m, n, a, m, s, u, m, v, n, &size,
                                            parameters.get(), count),
        "cusolverDnSgesvdjBatched_bufferSize");
  return size;
}
int workspace(int m, int n, const double* a, const double* s, const double* u, const double* v,
              const Parameters& parameters, int count) {
  int size = 0;
  check(cusolverDnDgesvdjBatched_bufferSize(handle(), kVectors, m, n, a, m, s, u, m, v, n, &size,
                                            parameters.get(), count),
        "cusolverDnDgesvdjBatched_bufferSize");
  return size;
}
cusolverStatus_t decompose(int m, int n, float* a, float* s, float* u, float* v, float* work, int size,
                           int* info, const Parameters& parameters, int count) {
  return cusolverDnSgesvdjBatched(handle(), kVectors, m, n, a, m, s, u, m, v, n, work, size, info,
                                  parameters.get(), count);
}
cusolverStatus_t decompose(int m, int n, double* a, double* s, double* u, double* v, double* work, int size,
                           int* info, const Parameters& parameters, int count) {
  return cusolverDnDgesvdjBatched(handle(), kVectors, m, n, a, m, s, u, m, v, n, work, size, info,
                                  parameters.get(), count);
}

// Its numbers as ours: 0 for a matrix that converged.
void report(int64_t count, LinalgStatus* status, const int* info) {
  std::vector<int32_t> numbers(static_cast<size_t>(count));
  copy_to_host(numbers.data(), info, numbers.size() * sizeof(int32_t));
  for (int32_t& number : numbers)
    number = static_cast<int32_t>(number == 0 ? LinalgStatus::ok : LinalgStatus::not_converged);
  copy_to_device(status, numbers.data(), numbers.size() * sizeof(int32_t));
}

}  // namespace

void svd(int64_t count, int64_t m, int64_t n, DType dtype, void* a, void* u, void* s, void* v,
         LinalgStatus* status) {
  check_svd(count, m, n);
  const int rows = static_cast<int>(m), columns = static_cast<int>(n), batch = static_cast<int>(count);
  const Scratch info(static_cast<size_t>(count) * sizeof(int));
  visit_floating("svd", dtype, [&](auto tag) {
    using T = decltype(tag);
    T *const pa = static_cast<T*>(a), *const ps = static_cast<T*>(s), *const pu = static_cast<T*>(u),
             *const pv = static_cast<T*>(v);
    const Parameters parameters;
    const int size = workspace(rows, columns, pa, ps, pu, pv, parameters, batch);
    const Scratch work(static_cast<size_t>(size + 1) * sizeof(T));
    check(decompose(rows, columns, pa, ps, pu, pv, work.as<T>(), size, info.as<int>(), parameters, batch),
          "cusolver gesvdjBatched");
  });
  detail::count_library_call("cusolver");
  report(count, status, info.as<const int>());
}

#elif !defined(TENON_CUDA_EMULATED)  // which has twins.cpp

void svd(int64_t, int64_t, int64_t, DType, void*, void*, void*, void*, LinalgStatus*) {
  fail("svd: TENON_CUDA_SVD asks for cusolver, which this build (CUDA=", build_mode(),
       ") lacks: it comes with CUDA=native where its headers are found");
}

#endif

}  // namespace tenon::cuda::library
