// Elementwise ops: bound by memory once they leave the cache. Sizes: a LeNet-300-100 activation (100 x 300), its
// first weight matrix (300 x 784), and 64 MiB; on the card 64 and 256 MiB.
#include "core/ops/elementwise.h"

#include <cstring>

#include "bench/harness.h"

namespace tenon::bench {
namespace {

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  const int64_t million = int64_t{1} << 20;
  const std::vector<int64_t> sizes = device.is_cpu()
                                         ? std::vector{int64_t{30000}, int64_t{235200}, 16 * million}
                                         : std::vector{16 * million, 64 * million};
  for (int64_t n : sizes) {
    const double dn = static_cast<double>(n);
    const auto name = [n](const char* op) { return concat("elementwise/", op, "/", n); };
    const auto one = [n](Generator& g) { return Tensors{random_uniform({n}, g, 0.1, 1)}; };
    const auto two = [n](Generator& g) { return Tensors{random_uniform({n}, g), random_uniform({n}, g)}; };
    out.push_back(
        tenon_case(name("add"), device, dn, 12 * dn, two, [](const Tensors& in) { add(in[0], in[1]); }));
    // On the host, the peer is what the C library's copy does with the same memory: one read and one write.
    // [case]
    out.push_back(
        {name("copy"), 0, 8 * dn, [=] {
           Tensor x = Tensor::zeros({n}, float32, device), y = Tensor::empty_like(x);
           std::vector<Contestant> contestants = {{"tenon", [=] { y.copy_(x); }}};
           if (device.is_cpu())
             contestants.push_back({"memcpy", [=] { std::memcpy(y.raw(), x.raw(), size_t(n) * 4); }});
           return contestants;
         }});
    // [/case]
    out.push_back(tenon_case(name("relu"), device, dn, 8 * dn, one, [](const Tensors& in) { relu(in[0]); }));
    out.push_back(
        tenon_case(name("exp"), device, 20 * dn, 8 * dn, one, [](const Tensors& in) { exp(in[0]); }));
    out.push_back(
        tenon_case(name("tanh"), device, 40 * dn, 8 * dn, one, [](const Tensors& in) { tanh(in[0]); }));
  }
  return out;
}

const Family family("elementwise", cases);

}  // namespace
}  // namespace tenon::bench
