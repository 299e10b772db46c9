// Matrix products: square ones, those of a LeNet-300-100 step at batch 100 (forward, input gradient, weight
// gradient), and on the card a tall one and many small ones.
#include "core/ops/matmul.h"

#include <cblas.h>

#include "bench/harness.h"
#include "bench/peer_onednn.h"
#include "core/parallel.h"

namespace tenon::bench {
namespace {

void openblas(const Tensor& a, const Tensor& b, const Tensor& c) {
  const int m = static_cast<int>(a.size(0)), n = static_cast<int>(b.size(1)), k = static_cast<int>(a.size(1));
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a.data<float>(), k, b.data<float>(), n,
              0, c.data<float>(), n);
}

Case product(const std::string& label, Device device, int64_t m, int64_t n, int64_t k, int64_t batch = 1) {
  const double dm = static_cast<double>(m), dn = static_cast<double>(n), dk = static_cast<double>(k),
               db = static_cast<double>(batch);
  return {"matmul/" + label, 2 * db * dm * dn * dk, 4 * db * (dm * dk + dk * dn + dm * dn), [=] {
            Generator g(1);
            const Shape left = batch == 1 ? Shape{m, k} : Shape{batch, m, k};
            const Shape right = batch == 1 ? Shape{k, n} : Shape{batch, k, n};
            const Tensors inputs = {random_normal(left, g), random_normal(right, g)};
            std::vector<Contestant> contestants = beside_library(
                device, over_inputs(device, inputs, [](const Tensors& in) { matmul(in[0], in[1]); }),
                "cublas", {.matmul_by_cublas = true});
            // OpenBLAS called plainly, single-threaded: what Tenon's tiles are made of.
            if (device.is_cpu() && num_threads() == 1) {
              const Tensor c = Tensor::empty({m, n});
              contestants.push_back({"openblas", [=] { openblas(inputs[0], inputs[1], c); }});
            }
            if (device.is_cpu()) append_onednn(contestants, inputs[0], inputs[1]);
            return contestants;
          }};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  const std::vector<int64_t> squares =
      device.is_cpu() ? std::vector<int64_t>{64, 256, 1024} : std::vector<int64_t>{1024, 4096};
  out.reserve(squares.size() + 5);
  for (int64_t n : squares) out.push_back(product(std::to_string(n), device, n, n, n));
  if (device.is_cuda()) {
    out.push_back(product("tall-262144x64x64", device, 262144, 64, 64));
    out.push_back(product("batched-4096x32x32x32", device, 32, 32, 32, 4096));
  }
  out.push_back(product("lenet300-forward", device, 100, 300, 784));
  out.push_back(product("lenet300-weight", device, 300, 784, 100));
  out.push_back(product("lenet300-vector", device, 300, 1, 784));
  return out;
}

const Family family("matmul", cases);

}  // namespace
}  // namespace tenon::bench
