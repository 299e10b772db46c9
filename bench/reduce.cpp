// Sums over everything, over the rows and over the columns of a matrix: bound by memory, one read an element.
#include "core/ops/reduce.h"

#include "bench/harness.h"

namespace tenon::bench {
namespace {

Case sum_case(const std::string& name, Device device, const Shape& shape, const Dims& axes) {
  const double n = static_cast<double>(shape.numel());
  return tenon_case(
      "reduce/" + name, device, n, 4 * n, [=](Generator& g) { return Tensors{random_uniform(shape, g)}; },
      [=](const Tensors& in) { sum(in[0], axes); });
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (device.is_cpu())
    for (int64_t n : {30000, 235200}) out.push_back(sum_case(concat("all/", n), device, {n}, {0}));
  out.push_back(sum_case("all/16777216", device, {int64_t{16} << 20}, {0}));
  out.push_back(sum_case("rows/4096x4096", device, {4096, 4096}, {1}));
  out.push_back(sum_case("columns/4096x4096", device, {4096, 4096}, {0}));
  return out;
}

const Family family("reduce", cases);

}  // namespace
}  // namespace tenon::bench
