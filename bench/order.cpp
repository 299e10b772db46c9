// Sorting and the k largest. The floor counts one read of the numbers and one write of the result, values and
// positions of 8 bytes: no sort reaches it.
#include "bench/harness.h"
#include "core/ops/index.h"

namespace tenon::bench {
namespace {

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  for (const Shape& shape : {Shape{int64_t{1} << 20}, Shape{1024, 1000}}) {
    const double n = static_cast<double>(shape.numel());
    const std::string size = shape.rank() == 1 ? concat(shape[0]) : concat(shape[0], "x", shape[1]);
    const auto draw = [=](Generator& g) { return Tensors{random_normal(shape, g)}; };
    out.push_back(
        tenon_case("order/sort/" + size, device, 0, 16 * n, draw, [](const Tensors& in) { sort(in[0]); }));
    out.push_back(tenon_case("order/topk-5/" + size, device, 0, 4 * n, draw,
                             [](const Tensors& in) { topk(in[0], 5); }));
  }
  return out;
}

const Family family("order", cases);

}  // namespace
}  // namespace tenon::bench
