// Many small products in one call, n x n x n, beside OpenBLAS, Eigen and libxsmm called for each matrix
// and oneDNN called for all: sizes that fill the SIMD vectors and sizes that do not, with B as it lies and turned round (the x W^T of a linear
// layer).
//
// GCC 12 takes the undefined lanes of its own AVX-512 intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <cblas.h>

#include <Eigen/Core>

#include "bench/harness.h"
#include "bench/peer_libxsmm.h"
#include "bench/peer_onednn.h"
#include "core/ops/matmul.h"
#include "core/parallel.h"

extern "C" void openblas_set_num_threads(int);

namespace tenon::bench {
namespace {

constexpr int64_t kBatch = 64;

void openblas(const Tensor& a, const Tensor& b, bool turned, const Tensor& c) {
  const int n = static_cast<int>(a.size(1));
  for (int64_t i = 0, at = 0; i < kBatch; ++i, at += n * n)
    cblas_sgemm(CblasRowMajor, CblasNoTrans, turned ? CblasTrans : CblasNoTrans, n, n, n, 1,
                a.data<float>() + at, n, b.data<float>() + at, n, 0, c.data<float>() + at, n);
}

void eigen(const Tensor& a, const Tensor& b, bool turned, const Tensor& c) {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const int64_t n = a.size(1);
  for (int64_t i = 0, at = 0; i < kBatch; ++i, at += n * n) {
    const Eigen::Map<const Matrix> left(a.data<float>() + at, n, n), right(b.data<float>() + at, n, n);
    Eigen::Map<Matrix> out(c.data<float>() + at, n, n);
    if (turned) {
      out.noalias() = left * right.transpose();
    } else {
      out.noalias() = left * right;
    }
  }
}

Case products(int64_t n, bool turned) {
  const double dn = static_cast<double>(n), batch = static_cast<double>(kBatch);
  return {concat("matmul/batched-64", turned ? "-turned" : "", "/", n), 2 * batch * dn * dn * dn,
          12 * batch * dn * dn, [=] {
            Generator g(1);
            const Tensor a = random_normal({kBatch, n, n}, g), b = random_normal({kBatch, n, n}, g);
            const Tensor c = Tensor::empty({kBatch, n, n});
            std::vector<Contestant> contestants = {{"tenon", [=] { matmul(a, turned ? b.t() : b); }}};
            if (num_threads() == 1) {
              openblas_set_num_threads(1);
              Eigen::setNbThreads(1);
              contestants.push_back({"openblas", [=] { openblas(a, b, turned, c); }});
              contestants.push_back({"eigen", [=] { eigen(a, b, turned, c); }});
            }
            append_onednn(contestants, a, turned ? b.t() : b);
            if (!turned) append_libxsmm(contestants, a, b);  // it makes no code for a B turned round
            return contestants;
          }};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (device.is_cuda()) return out;
  for (bool turned : {false, true})
    for (int64_t n : {8, 12, 16, 17, 24, 31, 32, 33, 40, 48, 57, 64, 80, 96})
      out.push_back(products(n, turned));
  return out;
}

const Family family("matmul/batched", cases);

}  // namespace
}  // namespace tenon::bench
