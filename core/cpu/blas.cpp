#include "core/cpu/blas.h"

#include <cblas.h>

#include <algorithm>
#include <mutex>

extern "C" void openblas_set_num_threads(int);

namespace tenon::cpu {
namespace {

void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda,
          const float* b, int ldb, float keep, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1.0f, a, lda, b, ldb, keep, c, ldc);
}
void gemm(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda,
          const double* b, int ldb, double keep, double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1.0, a, lda, b, ldb, keep, c, ldc);
}

// How BLAS is told of a matrix of `rows` x `columns`. It wants a leading dimension of at least the row
// length, even where that is not used (a single row).
struct Operand {
  CBLAS_TRANSPOSE transpose;
  int leading;
};
template <class T>
Operand operand(const Matrix<T>& x, int64_t rows, int64_t columns) {
  if (x.column == 1 || columns == 1)
    return {CblasNoTrans, static_cast<int>(rows > 1 ? std::max(x.row, columns) : columns)};
  return {CblasTrans, static_cast<int>(std::max(x.column, rows))};
}

template <class T>
void run(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, T keep, Matrix<T> c) {
  static std::once_flag once;
  std::call_once(once, [] { openblas_set_num_threads(1); });
  // A column-major C is the row-major C^T = B^T A^T.
  if (operand(c, m, n).transpose == CblasTrans)
    return run<T>(n, m, k, {b.at, b.column, b.row}, {a.at, a.column, a.row}, keep, {c.at, c.column, c.row});
  const Operand oa = operand(a, m, k), ob = operand(b, k, n), oc = operand(c, m, n);
  gemm(oa.transpose, ob.transpose, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), a.at,
       oa.leading, b.at, ob.leading, keep, c.at, oc.leading);
}

}  // namespace

void multiply(int64_t m, int64_t n, int64_t k, Matrix<const float> a, Matrix<const float> b, float keep,
              Matrix<float> c) {
  run<float>(m, n, k, a, b, keep, c);
}
void multiply(int64_t m, int64_t n, int64_t k, Matrix<const double> a, Matrix<const double> b, double keep,
              Matrix<double> c) {
  run<double>(m, n, k, a, b, keep, c);
}

}  // namespace tenon::cpu
