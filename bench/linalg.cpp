// Decompositions of batches, the SVD above all: small matrices, tall ones, those past the lanes, and the layers of
// ResNet-20 as 3 x 3 convolutions are flattened, by channels (n x 9c) and in space (3c x 3n). Beside LAPACK's sgesdd (of
// OpenBLAS, divide and conquer) and Eigen's JacobiSVD, a matrix after the other on one thread. Eigen's BDCSVD is the
// algorithm of sgesdd once more, and alone would take 25 s to compile.
//
// GCC 12 takes the undefined lanes of its own AVX-512 intrinsics for a mistake (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include "core/ops/linalg.h"

#include <Eigen/SVD>

#include "bench/harness.h"
#include "core/parallel.h"

extern "C" void openblas_set_num_threads(int);
extern "C" void sgesdd_(const char* job, const int* m, const int* n, float* a, const int* lda, float* s,
                        float* u, const int* ldu, float* vt, const int* ldvt, float* work, const int* lwork,
                        int* iwork, int* info);

namespace tenon::bench {
namespace {

// Peers that would bring threads of their own.
void one_thread() {
  openblas_set_num_threads(1);
  Eigen::setNbThreads(1);
}

// Row-major A [m, n] is column-major A^T [n, m].
void lapack(const Tensor& a) {
  const int m = static_cast<int>(a.size(-2)), n = static_cast<int>(a.size(-1)), k = std::min(m, n);
  const size_t sm = static_cast<size_t>(m), sn = static_cast<size_t>(n), sk = static_cast<size_t>(k);
  std::vector<float> copy(sm * sn), s(sk), u(sm * sk), v(sn * sk), work(1 << 20);
  std::vector<int> iwork(8 * sk);
  const int lwork = static_cast<int>(work.size());
  int info = 0;
  for (int64_t b = 0; b < a.numel() / (m * n); ++b) {
    std::copy_n(a.data<float>() + b * m * n, m * n, copy.data());
    sgesdd_("S", &n, &m, copy.data(), &n, s.data(), v.data(), &n, u.data(), &k, work.data(), &lwork,
            iwork.data(), &info);
  }
}

void eigen(const Tensor& a) {
  const int64_t m = a.size(-2), n = a.size(-1);
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::JacobiSVD<Eigen::MatrixXf> decomposition;
  for (int64_t b = 0; b < a.numel() / (m * n); ++b)
    decomposition.compute(Eigen::Map<const Matrix>(a.data<float>() + b * m * n, m, n).eval(),
                          Eigen::ComputeThinU | Eigen::ComputeThinV);
}

// Golub and Van Loan, Matrix Computations, 8.6: thin U, s and V by the R-bidiagonalisation.
double flops_of(int64_t m, int64_t n) {
  const double tall = static_cast<double>(std::max(m, n)), k = static_cast<double>(std::min(m, n));
  return 6 * tall * k * k + 20 * k * k * k;
}

Case batch(Device device, int64_t count, int64_t m, int64_t n) {
  const double dcount = static_cast<double>(count), k = static_cast<double>(std::min(m, n));
  const double numbers = 2 * static_cast<double>(m * n) + k * k + k;
  return {
      concat("linalg/svd/", m, "x", n), dcount * flops_of(m, n), 4 * dcount * numbers, [=] {
        Generator g(1);
        const Tensors inputs = {random_normal({count, m, n}, g)};
        std::vector<Contestant> contestants = {
            {"tenon", over_inputs(device, inputs, [](const Tensors& in) { svd(in[0]); })}};
        if (device.is_cuda() && std::max(m, n) <= 32)
          contestants.push_back({"cusolver", under_settings({.svd_by_cusolver = true}, contestants[0].run)});
        if (device.is_cpu() && num_threads() == 1) {
          one_thread();
          contestants.push_back({"sgesdd", [=] { lapack(inputs[0]); }});
          if (n <= 64) contestants.push_back({"eigen-jacobi", [=] { eigen(inputs[0]); }});
        }
        return contestants;
      }};
}

Case layers(Device device, const std::string& name, const std::vector<std::pair<int64_t, Shape>>& shapes) {
  double flops = 0, bytes = 0;
  for (const auto& [count, shape] : shapes) {
    flops += static_cast<double>(count) * flops_of(shape[0], shape[1]);
    bytes += 8.0 * static_cast<double>(count * shape.numel());
  }
  return {"linalg/svd/" + name, flops, bytes, [=] {
            Generator g(1);
            Tensors inputs;
            for (const auto& [count, shape] : shapes)
              for (int64_t i = 0; i < count; ++i) inputs.push_back(random_normal(shape, g));
            std::vector<Contestant> contestants = {
                {"tenon", over_inputs(device, inputs, [](const Tensors& in) { svd(in); })}};
            if (device.is_cpu() && num_threads() == 1) {
              one_thread();
              contestants.push_back({"sgesdd", [=] {
                                       for (const Tensor& x : inputs) lapack(x);
                                     }});
            }
            return contestants;
          }};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  // Small and tall ones; the card is filled by more of them.
  for (const Shape& shape :
       {Shape{4096, 8, 8}, Shape{1024, 16, 16}, Shape{256, 32, 32}, Shape{256, 64, 16}, Shape{64, 144, 16}})
    out.push_back(batch(device, device.is_cuda() ? shape[0] : 64, shape[1], shape[2]));
  for (const Shape& shape : {Shape{64, 64}, Shape{96, 96}, Shape{128, 128}, Shape{192, 192}, Shape{576, 64}})
    out.push_back(batch(device, device.is_cuda() ? 64 : 20, shape[0], shape[1]));
  out.push_back(layers(device, "resnet20-channels",
                       {{6, {16, 144}}, {1, {32, 144}}, {5, {32, 288}}, {1, {64, 288}}, {5, {64, 576}}}));
  out.push_back(layers(device, "resnet20-space",
                       {{6, {48, 48}}, {1, {48, 96}}, {5, {96, 96}}, {1, {96, 192}}, {5, {192, 192}}}));
  const auto alone = [&](const char* op, const Shape& shape, double factors, void (*run)(const Tensor&)) {
    const double bytes = 4 * (static_cast<double>(shape.numel()) + static_cast<double>(shape[0]) * factors);
    out.push_back(tenon_case(
        concat("linalg/", op, "/", shape[1], "x", shape[2]), device, 0, bytes,
        [=](Generator& g) { return Tensors{random_normal(shape, g)}; },
        [=](const Tensors& in) { run(in[0]); }));
  };
  alone("eigh", {1024, 16, 16}, 16 * 17, [](const Tensor& a) { eigh(a); });
  alone("qr", {256, 64, 16}, 64 * 16 + 16 * 16, [](const Tensor& a) { qr(a); });
  return out;
}

const Family family("linalg", cases);

}  // namespace
}  // namespace tenon::bench
