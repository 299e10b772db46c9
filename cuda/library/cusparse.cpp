// By cuSPARSE's generic SpMM on compressed rows, with the algorithm whose sums have a fixed order. What it prepares for a
// pattern (cusparseSpMM_preprocess) is kept with the pattern, and made anew when the dense operands are of another
// kind or extent.
#include "core/error.h"
#include "cuda/library/products.h"
#include "cuda/runtime/device_runtime.h"
#include "cuda/runtime/scratch.h"

#if defined(TENON_CUSPARSE)
#include <cusparse.h>

#include <algorithm>
#endif

namespace tenon::cuda::library {

#if defined(TENON_CUSPARSE)

namespace {

void check(cusparseStatus_t status, const char* call) {
  TENON_CHECK(status == CUSPARSE_STATUS_SUCCESS, call, ": ", cusparseGetErrorString(status));
}

// The host thread's handle, on the current stream; never destroyed, as that of cuBLAS.
cusparseHandle_t handle() {
  static thread_local cusparseHandle_t made = [] {
    cusparseHandle_t h = nullptr;
    check(cusparseCreate(&h), "cusparseCreate");
    return h;
  }();
  check(cusparseSetStream(made, static_cast<cudaStream_t>(detail::native_stream())), "cusparseSetStream");
  return made;
}

// cuSPARSE wants pointers that may be written to, and only reads what is constant here.
void* writable(const void* pointer) { return const_cast<void*>(pointer); }

constexpr cusparseSpMMAlg_t kAlgorithm = CUSPARSE_SPMM_CSR_ALG3;  // the deterministic one

// What is kept for a pattern.
class PreparedProduct {
 public:
  PreparedProduct(const SpmmPlan& p, DType dtype) : plan_(p), dtype_(dtype) {
    check(cusparseCreateCsr(&w_, p.rows_y, p.rows_x, p.w.entries, writable(p.w.offsets),
                            writable(p.w.indices), writable(p.w.offsets), CUSPARSE_INDEX_32I,
                            CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, type()),
          "cusparseCreateCsr");
    check(cusparseCreateDnMat(&x_, p.rows_x, p.n, std::max(p.x_row, p.n), writable(p.w.offsets), type(),
                              CUSPARSE_ORDER_ROW),
          "cusparseCreateDnMat");
    check(cusparseCreateDnMat(&y_, p.rows_y, p.n, p.n, writable(p.w.offsets), type(), CUSPARSE_ORDER_ROW),
          "cusparseCreateDnMat");
  }
  ~PreparedProduct() {
    cusparseDestroySpMat(w_);
    cusparseDestroyDnMat(x_);
    cusparseDestroyDnMat(y_);
  }
  PreparedProduct(const PreparedProduct&) = delete;
  PreparedProduct& operator=(const PreparedProduct&) = delete;

  bool suits(const SpmmPlan& p, DType dtype) const {
    return dtype == dtype_ && p.n == plan_.n && p.x_row == plan_.x_row;
  }

  // y = W x + beta y
  void multiply(void* y, const void* values, const void* x, double beta) {
    check(cusparseCsrSetPointers(w_, writable(plan_.w.offsets), writable(plan_.w.indices), writable(values)),
          "cusparseCsrSetPointers");
    check(cusparseDnMatSetValues(x_, writable(x)), "cusparseDnMatSetValues");
    check(cusparseDnMatSetValues(y_, y), "cusparseDnMatSetValues");
    const float one32 = 1, beta32 = static_cast<float>(beta);
    const double one64 = 1;
    const bool is_double = dtype_ == float64;
    const void* const alpha = is_double ? static_cast<const void*>(&one64) : &one32;
    const void* const share = is_double ? static_cast<const void*>(&beta) : &beta32;
    if (!buffer_) prepare(alpha, share);
    check(cusparseSpMM(handle(), kPlain, kPlain, alpha, w_, x_, share, y_, type(), kAlgorithm,
                       buffer_->as<void>()),
          "cusparseSpMM");
    detail::count_library_call("cusparse");
  }

 private:
  static constexpr cusparseOperation_t kPlain = CUSPARSE_OPERATION_NON_TRANSPOSE;

  cudaDataType type() const { return dtype_ == float64 ? CUDA_R_64F : CUDA_R_32F; }
  void prepare(const void* alpha, const void* beta) {
    size_t bytes = 0;
    check(cusparseSpMM_bufferSize(handle(), kPlain, kPlain, alpha, w_, x_, beta, y_, type(), kAlgorithm,
                                  &bytes),
          "cusparseSpMM_bufferSize");
    buffer_ = std::make_unique<Scratch>(std::max<size_t>(bytes, 1));
    check(cusparseSpMM_preprocess(handle(), kPlain, kPlain, alpha, w_, x_, beta, y_, type(), kAlgorithm,
                                  buffer_->as<void>()),
          "cusparseSpMM_preprocess");
  }

  SpmmPlan plan_;
  DType dtype_;
  cusparseSpMatDescr_t w_ = nullptr;
  cusparseDnMatDescr_t x_ = nullptr, y_ = nullptr;
  std::unique_ptr<Scratch> buffer_;
};

// The values in the order of the lists.
void permute(const SparseLists& w, DType dtype, void* to, const void* values) {
  const cudaDataType type = dtype == float64 ? CUDA_R_64F : CUDA_R_32F;
  cusparseSpVecDescr_t ordered = nullptr;
  cusparseConstDnVecDescr_t all = nullptr;
  check(cusparseCreateSpVec(&ordered, w.entries, w.entries, writable(w.positions), to, CUSPARSE_INDEX_32I,
                            CUSPARSE_INDEX_BASE_ZERO, type),
        "cusparseCreateSpVec");
  check(cusparseCreateConstDnVec(&all, w.entries, values, type), "cusparseCreateConstDnVec");
  const cusparseStatus_t status = cusparseGather(handle(), all, ordered);
  cusparseDestroySpVec(ordered);
  cusparseDestroyDnVec(all);
  check(status, "cusparseGather");
}

}  // namespace

void spmm(const SpmmPlan& p, DType dtype, void* y, const void* values, const void* x, double beta) {
  check_spmm(p);
  const Scratch ordered(static_cast<size_t>(p.w.entries) * size_of(dtype));
  if (p.w.positions != nullptr) permute(p.w, dtype, ordered.as<void>(), values);
  const std::lock_guard lock(p.w.library->mutex);
  auto kept = std::static_pointer_cast<PreparedProduct>(p.w.library->plan);
  if (kept == nullptr || !kept->suits(p, dtype)) {
    kept = std::make_shared<PreparedProduct>(p, dtype);
    p.w.library->plan = kept;
  }
  kept->multiply(y, p.w.positions != nullptr ? ordered.as<void>() : values, x, beta);
}

#elif !defined(TENON_CUDA_EMULATED)  // which has twins.cpp

void spmm(const SpmmPlan&, DType, void*, const void*, const void*, double) {
  fail("spmm: TENON_CUDA_SPMM asks for cusparse, which this build (CUDA=", build_mode(),
       ") lacks: it comes with CUDA=native where its headers are found");
}

#endif

}  // namespace tenon::cuda::library
