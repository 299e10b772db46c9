#include "core/ops/matmul.h"

#include "autograd/ops/matmul.h"
#include "autograd/ops/view.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// c[.., i, j] = sum_l a[.., i, l] b[.., l, j], leading axes broadcast.
Array naive_matmul(const Array& a, const Array& b) {
  auto leading = [](const Shape& s) {
    Shape out;
    for (int i = 0; i + 2 < s.rank(); ++i) out.push_back(s[i]);
    return out;
  };
  Shape la = leading(a.shape), lb = leading(b.shape);
  Shape shape = broadcast_shapes("reference", la, lb);
  int64_t m = a.shape.back(1), k = a.shape.back(0), n = b.shape.back(0);
  shape.push_back(m);
  shape.push_back(n);
  Array c(shape);
  int64_t position = 0;
  for_each_index(shape, [&](const Dims& at) {
    Dims batch;
    for (int i = 0; i + 2 < at.rank(); ++i) batch.push_back(at[i]);
    int64_t i = at.back(1), j = at.back(0);
    int64_t pa = broadcast_position(la, batch) * m * k, pb = broadcast_position(lb, batch) * k * n;
    double acc = 0;
    for (int64_t l = 0; l < k; ++l) acc += a[pa + i * k + l] * b[pb + l * n + j];
    c[position++] = acc;
  });
  return c;
}

std::vector<std::pair<Shape, Shape>> shapes(Draw& d) {
  if (d.is(Size::large))
    return {{{200, 300}, {300, 250}},
            {{70, 3, 40}, {70, 40, 50}},
            {{700, 900}, {900, 1}},
            {{1, 900}, {900, 700}}};
  int64_t m = d.extent(2, 3, 0), n = d.extent(3, 17, 0), k = d.extent(4, 7, 2);
  std::vector<std::pair<Shape, Shape>> out = {
      {{m, k}, {k, n}}, {{2, m, k}, {k, n}}, {{2, 1, m, k}, {3, k, n}}, {{m, k}, {k, 1}}};
  if (d.is(Size::empty)) out.push_back({{3, 0}, {0, 2}});
  return out;
}

const Register matmul_row({
    .op = "matmul",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const auto& [sa, sb] : shapes(d)) {
            Case c;
            c.label = concat(sa, " ", sb);
            c.inputs = {d.normal(sa), d.normal(sb)};
            c.tensors = [](const Tensors& in) { return Tensors{matmul(in[0], in[1])}; };
            c.variables = [](const Variables& in) { return Variables{matmul(in[0], in[1])}; };
            c.reference = [](const Arrays& in) { return Arrays{naive_matmul(in[0], in[1])}; };
            cases.push_back(c);
            // Transposed operands: the kernel reads them in place.
            Case t = c;
            t.label += " transposed";
            t.inputs = {c.inputs[0].t().contiguous(), c.inputs[1].t().contiguous()};
            t.tensors = [](const Tensors& in) { return Tensors{matmul(in[0].t(), in[1].t())}; };
            t.variables = [](const Variables& in) {
              return Variables{matmul(transpose(in[0], -2, -1), transpose(in[1], -2, -1))};
            };
            t.reference = [](const Arrays& in) {
              auto transposed = [](const Array& x) {
                Array y(x.shape);
                std::swap(y.shape[x.shape.rank() - 1], y.shape[x.shape.rank() - 2]);
                int64_t rows = x.shape.back(1), columns = x.shape.back(0), size = rows * columns;
                for (int64_t i = 0; i < x.numel(); ++i)
                  y[i / size * size + i % size % columns * rows + i % size / columns] = x[i];
                return y;
              };
              return Arrays{naive_matmul(transposed(in[0]), transposed(in[1]))};
            };
            cases.push_back(t);
          }
          return cases;
        },
    .refusals =
        [] {
          auto refusals = binary_refusals("matmul", [](const Tensor& a, const Tensor& b) { matmul(a, b); });
          refusals.push_back({"rank",
                              [] {
                                matmul(Tensor::zeros({3}), Tensor::zeros({3, 2}));
                              },
                              {"matmul", "rank", "[3]"}});
          refusals.push_back({"dtype",
                              [] {
                                matmul(Tensor::zeros({2, 2}, int32), Tensor::zeros({2, 2}, int32));
                              },
                              {"matmul", "int32"}});
          refusals.push_back({"batch",
                              [] {
                                matmul(Tensor::zeros({2, 2, 3}), Tensor::zeros({3, 3, 2}));
                              },
                              {"matmul", "broadcast"}});
          return refusals;
        },
    .tolerance = 2e-6,
    .tolerance_reason = "sums of up to 900 products in float32; the largest result is about 100",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(matmul)
