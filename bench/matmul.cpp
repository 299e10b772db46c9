// Matrix products: square ones, and those of a LeNet-300-100 step at batch 100 (forward, input gradient,
// weight gradient).
#include "core/ops/matmul.h"

#include <cblas.h>

#include "bench/harness.h"
#include "core/parallel.h"
#include "core/random.h"

namespace tenon::bench {
namespace {

Case product(const std::string& label, int64_t m, int64_t n, int64_t k) {
  Generator generator(1);
  Tensor a = random_normal({m, k}, generator), b = random_normal({k, n}, generator),
         c = Tensor::empty({m, n});
  double dm = static_cast<double>(m), dn = static_cast<double>(n), dk = static_cast<double>(k);
  Case out{concat("matmul/", label), 2 * dm * dn * dk, 4 * (dm * dk + dk * dn + dm * dn), {{"tenon", [=] {
                                                                                              matmul(a, b);
                                                                                            }}}};
  // OpenBLAS called plainly, single-threaded: what Tenon's tiles are made of.
  if (num_threads() == 1)
    out.contestants.push_back(
        {"openblas", [=] {
           int im = static_cast<int>(m), in = static_cast<int>(n), ik = static_cast<int>(k);
           cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, im, in, ik, 1, a.data<float>(), ik,
                       b.data<float>(), in, 0, c.data<float>(), in);
         }});
  return out;
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (int64_t n : {64, 256, 1024}) out.push_back(product(std::to_string(n), n, n, n));
  out.push_back(product("lenet300-forward", 100, 300, 784));
  out.push_back(product("lenet300-weight", 300, 784, 100));
  out.push_back(product("lenet300-vector", 300, 1, 784));
  return out;
}

const Family family("matmul", cases);

}  // namespace
}  // namespace tenon::bench
