// Decompositions of batches of small matrices, as low-rank training takes them of its layers. The floor counts one
// read of the matrices and one write of the factors alone: no decomposition reaches it.
#include "core/ops/linalg.h"

#include "bench/harness.h"

namespace tenon::bench {
namespace {

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  const auto add = [&](const char* op, const Shape& shape, double factors, void (*run)(const Tensor&)) {
    out.push_back(tenon_case(
        concat("linalg/", op, "/", shape[0], "x", shape[1], "x", shape[2]), device, 0,
        4 * (static_cast<double>(shape.numel()) + static_cast<double>(shape[0]) * factors),
        [=](Generator& g) { return Tensors{random_normal(shape, g)}; },
        [=](const Tensors& in) { run(in[0]); }));
  };
  for (const Shape& shape : {Shape{4096, 8, 8}, Shape{1024, 16, 16}, Shape{256, 32, 32}, Shape{256, 64, 16},
                             Shape{64, 144, 16}, Shape{64, 64, 64}}) {
    const double m = static_cast<double>(shape[1]), n = static_cast<double>(shape[2]);
    add("svd", shape, m * n + n * n + n, [](const Tensor& a) { svd(a); });
  }
  add("eigh", {1024, 16, 16}, 16 * 17, [](const Tensor& a) { eigh(a); });
  add("qr", {256, 64, 16}, 64 * 16 + 16 * 16, [](const Tensor& a) { qr(a); });
  return out;
}

const Family family("linalg", cases);

}  // namespace
}  // namespace tenon::bench
