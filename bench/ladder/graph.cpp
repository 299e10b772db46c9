// The ladder of the walk along the edges of small graphs, y = mean over r of ReLU(A_r z_r): the rungs of
// docs/graph-convolution.md, from the definition to the shipped kernel. Each rung is checked against the first before
// any is timed. One thread; float32.
#include "core/ops/graph.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/harness.h"
#include "core/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"

namespace tenon::bench {
namespace {

constexpr int64_t kVertices = 7, kRelations = 2, kWidth = 144;

// [definition]
/// a [graphs, R, n, n], z [graphs, n, R, D], y [graphs, n, D].
void by_definition(int64_t graphs, const float* a, const float* z, float* y) {
  for (int64_t b = 0; b < graphs; ++b)
    for (int64_t m = 0; m < kVertices; ++m)
      for (int64_t d = 0; d < kWidth; ++d) {
        float total = 0;
        for (int64_t r = 0; r < kRelations; ++r) {
          float sum = 0;
          for (int64_t n = 0; n < kVertices; ++n)
            sum += a[((b * kRelations + r) * kVertices + m) * kVertices + n] *
                   z[((b * kVertices + n) * kRelations + r) * kWidth + d];
          total += std::max(sum, 0.0F);
        }
        y[(b * kVertices + m) * kWidth + d] = total / kRelations;
      }
}
// [/definition]

// [ops]
Tensor op_by_op(const Tensor& a, const Tensor& z) {
  const Tensor relations = z.reshape({z.size(0), kVertices, kRelations, kWidth}).permute({0, 2, 1, 3});
  return mean(relu(matmul(a, relations)), {1});
}
// [/ops]

/// The columns of a row side by side, its sums in an array: one op, and SIMD by the compiler.
void row_by_row(int64_t graphs, const float* a, const float* z, float* y) {
  for (int64_t b = 0; b < graphs; ++b, z += kVertices * kRelations * kWidth)
    for (int64_t m = 0; m < kVertices; ++m, y += kWidth) {
      std::fill_n(y, kWidth, 0.0F);
      for (int64_t r = 0; r < kRelations; ++r) {
        float sums[kWidth] = {};
        const float* const weights = a + ((b * kRelations + r) * kVertices + m) * kVertices;
        for (int64_t n = 0; n < kVertices; ++n)
          for (int64_t d = 0; d < kWidth; ++d) sums[d] += weights[n] * z[(n * kRelations + r) * kWidth + d];
        for (int64_t d = 0; d < kWidth; ++d) y[d] += (1.0F / kRelations) * std::max(sums[d], 0.0F);
      }
    }
}

void check_same(const char* rung, const Tensor& y, const Tensor& expected) {
  for (int64_t i = 0; i < y.numel(); ++i)
    TENON_CHECK(std::fabs(y.data<float>()[i] - expected.data<float>()[i]) < 1e-4F, "ladder: rung '", rung,
                "' gives ", y.data<float>()[i], " at ", i, ", the first ", expected.data<float>()[i]);
}

std::vector<Contestant> rungs(int64_t graphs) {
  Generator g(1);
  const Tensor a = random_uniform({graphs, kRelations, kVertices, kVertices}, g);
  const Tensor z = random_normal({graphs, kVertices, kRelations * kWidth}, g);
  const Tensor y = Tensor::zeros({graphs, kVertices, kWidth});
  auto rung = [=](void (*f)(int64_t, const float*, const float*, float*)) {
    return [=] { f(graphs, a.data<float>(), z.data<float>(), y.data<float>()); };
  };
  std::vector<Contestant> out = {{"shipped", [=] { graph_propagate(a, z, z); }},
                                 {"definition", rung(by_definition)},
                                 {"op by op", [=] { op_by_op(a, z); }},
                                 {"row by row", rung(row_by_row)}};
  out[1].run();
  const Tensor expected = y.clone();
  check_same("shipped", graph_propagate(a, z, z), expected);
  check_same("op by op", op_by_op(a, z), expected);
  out[3].run();
  check_same("row by row", y, expected);
  return out;
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (!device.is_cpu()) return out;
  for (int64_t graphs : {10, 64}) {
    const double rows = static_cast<double>(graphs * kVertices), columns = kRelations * kWidth;
    out.push_back({concat("ladder/graph/", graphs, "x7x", kWidth), 2 * rows * kVertices * columns,
                   4 * rows * (columns + kWidth + kRelations * kVertices), [=] { return rungs(graphs); }});
  }
  return out;
}

const Family family("ladder", cases);

}  // namespace
}  // namespace tenon::bench
