// The ladder of the sparse product Y = W X on the host: the rungs of docs/spmm.md, from the definition to the shipped
// kernel. Each rung is checked against the first before any is timed. One thread; float32.
#include <hwy/highway.h>

#include <cmath>
#include <vector>

#include "bench/harness.h"
#include "core/error.h"
#include "core/ops/sparse.h"

namespace tenon::bench {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// [matrix]
/// W in compressed rows: row i owns the entries offsets[i] .. offsets[i + 1] - 1. X is [.., n], Y [rows, n]; n is a
/// multiple of the columns of a tile.
struct Product {
  int64_t rows, n;
  const int32_t *offsets, *indices;
  const float *values, *x;
};
// [/matrix]

// [definition]
void by_definition(const Product& p, float* y) {
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t c = 0; c < p.n; ++c) {
      float sum = 0;
      for (int32_t e = p.offsets[i]; e < p.offsets[i + 1]; ++e)
        sum += p.values[e] * p.x[p.indices[e] * p.n + c];
      y[i * p.n + c] = sum;
    }
}
// [/definition]

// [rows]
void row_by_row(const Product& p, float* y) {
  for (int64_t i = 0; i < p.rows; ++i) {
    float* const to = y + i * p.n;
    std::fill_n(to, p.n, 0.0f);
    for (int32_t e = p.offsets[i]; e < p.offsets[i + 1]; ++e) {
      const float w = p.values[e], *from = p.x + p.indices[e] * p.n;
#pragma GCC ivdep
      for (int64_t c = 0; c < p.n; ++c) to[c] += w * from[c];
    }
  }
}
// [/rows]

// [registers]
/// Vectors of columns whose sums stay in registers over all entries of a row.
constexpr int kVectors = 4;
constexpr hn::ScalableTag<float> d;
constexpr int64_t kLanes = hn::MaxLanes(d);

void tile_by_tile(const Product& p, float* y) {
  for (int64_t first = 0; first < p.n; first += kVectors * kLanes)
    for (int64_t i = 0; i < p.rows; ++i) {
      hn::Vec<decltype(d)> sums[kVectors] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
      for (int32_t e = p.offsets[i]; e < p.offsets[i + 1]; ++e) {
        const auto w = hn::Set(d, p.values[e]);
        const float* const from = p.x + p.indices[e] * p.n + first;
        for (int v = 0; v < kVectors; ++v) sums[v] = hn::MulAdd(w, hn::LoadU(d, from + v * kLanes), sums[v]);
      }
      for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], d, y + i * p.n + first + v * kLanes);
    }
}
// [/registers]

// A matrix whose blocks of 4 rows by one column are kept or zero together, so that the last rung computes the same.
Tensor scattered_blocks(int64_t rows, int64_t columns, double percent, Generator& g) {
  const Tensor w = random_normal({rows, columns}, g);
  float* const p = w.data<float>();
  for (int64_t top = 0; top < rows; top += 4)
    for (int64_t c = 0; c < columns; ++c)
      if (g.next_uniform() * 100 < percent)
        for (int64_t i = top; i < std::min(rows, top + 4); ++i) p[i * columns + c] = 0;
  return w;
}

void check_same(const char* rung, const Tensor& y, const Tensor& expected) {
  for (int64_t i = 0; i < y.numel(); ++i)
    TENON_CHECK(std::fabs(y.data<float>()[i] - expected.data<float>()[i]) < 1e-3f, "ladder: rung '", rung,
                "' gives ", y.data<float>()[i], " at ", i, ", the first ", expected.data<float>()[i]);
}

// The shipped kernel first: it is what the others are compared with.
std::vector<Contestant> rungs(int64_t rows, int64_t columns, int64_t n, double percent) {
  Generator g(1);
  const Tensor w = scattered_blocks(rows, columns, percent, g), x = random_normal({columns, n}, g);
  const CsrMatrix csr = CsrMatrix::from_dense(w);
  const BlockSparseMatrix blocks = BlockSparseMatrix::from_dense(w, 4);
  const Tensor y = Tensor::zeros({rows, n});
  // The closures hold the tensors that p points into.
  const Product p{rows,
                  n,
                  csr.pattern.by_rows().offsets.data<int32_t>(),
                  csr.pattern.by_rows().indices.data<int32_t>(),
                  csr.values.data<float>(),
                  x.data<float>()};
  auto rung = [=](void (*f)(const Product&, float*)) {
    return [=] { f(p, y.data<float>()), (void)csr, (void)x; };
  };
  std::vector<Contestant> out = {{"shipped", [=] { spmm(csr, x); }},
                                 {"definition", rung(by_definition)},
                                 {"row by row", rung(row_by_row)},
                                 {"tiles", rung(tile_by_tile)},
                                 {"shipped 4x1", [=] { spmm(blocks, x); }}};
  by_definition(p, y.data<float>());
  const Tensor expected = y.clone();
  check_same("shipped", spmm(csr, x), expected);
  check_same("shipped 4x1", spmm(blocks, x), expected);
  for (size_t i : {2, 3}) {
    y.fill_(0);
    out[i].run();
    check_same(out[i].name.c_str(), y, expected);
  }
  return out;
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (!device.is_cpu()) return out;
  const int64_t rows = 512, columns = 512;
  struct Rung {
    int64_t n;
    double percent;
  };
  for (const auto& [n, percent] : {Rung{128, 60}, {128, 90}, {128, 98}, {1024, 90}}) {
    const double entries = static_cast<double>(rows * columns) * (100 - percent) / 100;
    const double width = static_cast<double>(n);
    out.push_back({concat("ladder/spmm/512x512x", n, "/", percent), 2 * entries * width,
                   8 * entries + 4 * width * (rows + columns),
                   [=, n = n, percent = percent] { return rungs(rows, columns, n, percent); }});
  }
  return out;
}

const Family family("ladder", cases);

}  // namespace
}  // namespace tenon::bench
