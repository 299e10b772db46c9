// Elementwise ops and reductions: bound by memory once they leave the cache. Sizes: a LeNet-300-100
// activation (100 x 300), its first weight matrix (300 x 784), and 64 MiB.
#include "core/ops/elementwise.h"

#include <cstring>

#include "bench/harness.h"
#include "core/ops/reduce.h"
#include "core/random.h"

namespace tenon::bench {
namespace {

Case unary_case(const std::string& name, int64_t n, double flops_per_element,
                std::function<Tensor(const Tensor&)> op) {
  Generator generator(1);
  Tensor x = random_uniform({n}, generator, 0.1, 1);
  double bytes = 8.0 * static_cast<double>(n);
  return {
      concat(name, "/", n), flops_per_element * static_cast<double>(n), bytes, {{"tenon", [=] { op(x); }}}};
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (int64_t n : {int64_t{30000}, int64_t{235200}, int64_t{16} << 20}) {
    Generator generator(1);
    Tensor x = random_normal({n}, generator), y = random_normal({n}, generator);
    double dn = static_cast<double>(n);
    // The peer is what the C library's copy does with the same memory: one read and one write.
    Tensor target = Tensor::empty({n});
    out.push_back({concat("elementwise/add/", n), dn, 12 * dn, {{"tenon", [=] { add(x, y); }}}});
    // [case]
    out.push_back({concat("elementwise/copy/", n),
                   0,
                   8 * dn,
                   {{"tenon", [=] { target.copy_(x); }},
                    {"memcpy", [=] { std::memcpy(target.raw(), x.raw(), static_cast<size_t>(n) * 4); }}}});
    // [/case]
    out.push_back(unary_case("elementwise/relu", n, 1, [](const Tensor& t) { return relu(t); }));
    out.push_back(unary_case("elementwise/exp", n, 20, [](const Tensor& t) { return exp(t); }));
    out.push_back(unary_case("elementwise/tanh", n, 40, [](const Tensor& t) { return tanh(t); }));
    out.push_back({concat("elementwise/sum/", n), dn, 4 * dn, {{"tenon", [=] { sum(x); }}}});
  }
  return out;
}

const Family family("elementwise", cases);

}  // namespace
}  // namespace tenon::bench
