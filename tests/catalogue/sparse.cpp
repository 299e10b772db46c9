#include "core/ops/sparse.h"

#include "autograd/ops/sparse.h"
#include "tests/catalogue/drawn_pattern.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

struct Extents {
  int64_t rows, columns, n;
};

// The op over patterns of every height and some widths of the dense operand: those of SIMD vectors and
// panels, one more and one less, and a single column.
template <class Make>
std::vector<Case> over_patterns(Draw& d, Make&& make) {
  std::vector<Case> cases;
  auto add = [&](const Extents& e, int64_t block, double share) {
    const DrawnPattern w = draw_pattern(d, e.rows, e.columns, block, share);
    for (Case c : make(d, w, e.n)) {
      c.label = concat(c.label, " ", w.pattern.str(), ", ", e.n, " columns");
      cases.push_back(std::move(c));
    }
  };
  if (d.is(Size::large)) {
    add({300, 500, 200}, 1, 0.2);
    add({300, 500, 65}, 4, 0.2);
    add({3000, 1000, 1}, 1, 0.5);
    return cases;
  }
  if (d.is(Size::empty)) {
    for (const Extents& e : {Extents{0, 3, 2}, Extents{3, 0, 2}, Extents{3, 4, 0}}) add(e, 1, 0.5);
    add({5, 4, 3}, 4, 0.0);
    add({5, 4, 1}, 1, 0.0);
    return cases;
  }
  if (d.is(Size::one)) {
    for (int64_t block : {1, 4}) add({1, 1, 1}, block, 1.0);
    return cases;
  }
  for (int64_t block : {1, 4, 8, 16}) {
    const int64_t rows = d.extent(block == 1 ? 6 : block, block == 1 ? 7 : 2 * block + 3, 0);
    add({rows, d.extent(4, 5, 0), d.extent(2, 1, 0)}, block, 0.5);
    add({rows, d.extent(5, 7, 0), d.extent(4, 3, 0)}, block, 0.3);
  }
  return cases;
}

Case spmm_case(Draw& d, const DrawnPattern& w, int64_t n, bool with_bias, Epilogue epilogue) {
  Case c;
  c.label = concat(with_bias ? "bias" : "", epilogue == Epilogue::relu ? " relu" : "");
  c.inputs = {d.normal(w.pattern.values_shape()), d.normal({w.columns, n})};
  if (with_bias) c.inputs.push_back(d.far_from_zero({w.rows}));
  c.tensors = [w, with_bias, epilogue](const Tensors& in) {
    return Tensors{spmm(w.pattern.to(in[0].device()), in[0], in[1], with_bias ? in[2] : Tensor(), epilogue)};
  };
  c.variables = [w, with_bias, epilogue](const Variables& in) {
    return Variables{
        spmm(w.pattern.to(in[0].device()), in[0], in[1], with_bias ? in[2] : Variable(), epilogue)};
  };
  c.reference = [w, n, with_bias, epilogue](const Arrays& in) {
    Array y(Shape{w.rows, n});
    for_each_element(w, [&](int64_t m, int64_t k, int64_t value) {
      for (int64_t j = 0; j < n; ++j) y[m * n + j] += in[0][value] * in[1][k * n + j];
    });
    for (int64_t i = 0; i < y.numel(); ++i) {
      if (with_bias) y[i] += in[2][i / n];
      if (epilogue == Epilogue::relu) y[i] = std::max(y[i], 0.0);
    }
    return Arrays{y};
  };
  return c;
}

std::vector<Case> spmm_cases(Draw& d) {
  return over_patterns(d, [](Draw& draw, const DrawnPattern& w, int64_t n) {
    return std::vector<Case>{spmm_case(draw, w, n, false, Epilogue::none),
                             spmm_case(draw, w, n, true, Epilogue::relu)};
  });
}

std::vector<Case> spmm_transposed_cases(Draw& d) {
  return over_patterns(d, [](Draw& draw, const DrawnPattern& w, int64_t n) {
    Case c;
    c.inputs = {draw.normal(w.pattern.values_shape()), draw.normal({w.rows, n})};
    c.tensors = [w](const Tensors& in) {
      return Tensors{spmm_transposed(w.pattern.to(in[0].device()), in[0], in[1])};
    };
    c.variables = [w](const Variables& in) {
      return Variables{spmm_transposed(w.pattern.to(in[0].device()), in[0], in[1])};
    };
    c.reference = [w, n](const Arrays& in) {
      Array z(Shape{w.columns, n});
      for_each_element(w, [&](int64_t m, int64_t k, int64_t value) {
        for (int64_t j = 0; j < n; ++j) z[k * n + j] += in[0][value] * in[1][m * n + j];
      });
      return Arrays{z};
    };
    return std::vector<Case>{c};
  });
}

Case spmspv_case(Draw& d, const DrawnPattern& w, int64_t n, bool with_bias, Epilogue epilogue) {
  Case c;
  c.label = concat(with_bias ? "bias" : "", epilogue == Epilogue::relu ? " relu" : "");
  Tensor x = d.normal({n, w.columns});
  for (int64_t i = 0; i < x.numel(); ++i)  // most of it 0
    if (d.generator.next_uniform() < 0.7) x.data<double>()[i] = 0;
  c.inputs = {d.normal(w.pattern.values_shape()), x};
  if (with_bias) c.inputs.push_back(d.far_from_zero({w.rows}));
  c.tensors = [w, with_bias, epilogue](const Tensors& in) {
    return Tensors{
        spmspv(w.pattern.to(in[0].device()), in[0], in[1], with_bias ? in[2] : Tensor(), epilogue)};
  };
  c.variables = [w, with_bias, epilogue](const Variables& in) {
    return Variables{
        spmspv(w.pattern.to(in[0].device()), in[0], in[1], with_bias ? in[2] : Variable(), epilogue)};
  };
  c.reference = [w, n, with_bias, epilogue](const Arrays& in) {
    Array y(Shape{n, w.rows});
    for_each_element(w, [&](int64_t m, int64_t k, int64_t value) {
      for (int64_t b = 0; b < n; ++b) y[b * w.rows + m] += in[0][value] * in[1][b * w.columns + k];
    });
    for (int64_t i = 0; i < y.numel(); ++i) {
      if (with_bias) y[i] += in[2][i % w.rows];
      if (epilogue == Epilogue::relu) y[i] = std::max(y[i], 0.0);
    }
    return Arrays{y};
  };
  return c;
}

std::vector<Case> spmspv_cases(Draw& d) {
  std::vector<Case> cases = over_patterns(d, [](Draw& draw, const DrawnPattern& w, int64_t n) {
    return std::vector<Case>{spmspv_case(draw, w, n, false, Epilogue::none),
                             spmspv_case(draw, w, n, true, Epilogue::relu)};
  });
  // Full patterns, whose sums stay in registers: of one list and of several tiles.
  for (int64_t block : {4, 8, 16})
    if (d.is(Size::odd) || d.is(Size::large)) {
      const int64_t rows = d.extent(0, block - 1, 1000), columns = d.extent(0, 5, 300);
      cases.push_back(spmspv_case(d, draw_pattern(d, rows, columns, block, 1.1), d.extent(0, 2, 40), true,
                                  Epilogue::none));
      cases.back().label += concat(" full ", block);
    }
  return cases;
}

std::vector<Case> sddmm_cases(Draw& d) {
  return over_patterns(d, [](Draw& draw, const DrawnPattern& w, int64_t n) {
    Case c;
    c.inputs = {draw.normal({w.rows, n}), draw.normal({w.columns, n})};
    c.tensors = [w](const Tensors& in) { return Tensors{sddmm(w.pattern.to(in[0].device()), in[0], in[1])}; };
    c.variables = [w](const Variables& in) {
      return Variables{sddmm(w.pattern.to(in[0].device()), in[0], in[1])};
    };
    c.reference = [w, n](const Arrays& in) {
      Array v(w.pattern.values_shape());
      for_each_element(w, [&](int64_t m, int64_t k, int64_t value) {
        for (int64_t j = 0; j < n; ++j) v[value] += in[0][m * n + j] * in[1][k * n + j];
      });
      return Arrays{v};
    };
    return std::vector<Case>{c};
  });
}

SparsePattern two_by_three() {
  return SparsePattern(2, 3, Tensor::from<int32_t>({0, 1, 3}), Tensor::from<int32_t>({1, 0, 2}));
}

// What the products of a pattern with values refuse; `call` is the op of a pattern [2, 3] with 3 entries.
std::vector<Refusal> product_refusals(
    const char* op, const Shape& dense,
    const std::function<void(const SparsePattern&, const Tensor&, const Tensor&)>& call) {
  const SparsePattern w = two_by_three();
  return {
      {"no pattern", [=] { call({}, Tensor::zeros({3}), Tensor::zeros(dense)); }, {op, "undefined pattern"}},
      {"no values", [=] { call(w, {}, Tensor::zeros(dense)); }, {op, "undefined values"}},
      {"no operand", [=] { call(w, Tensor::zeros({3}), {}); }, {op, "undefined"}},
      {"values", [=] { call(w, Tensor::zeros({2}), Tensor::zeros(dense)); }, {op, "values", "[3]", "[2]"}},
      {"mixed dtypes",
       [=] { call(w, Tensor::zeros({3}), Tensor::zeros(dense, float64)); },
       {op, "float32", "float64"}},
      {"integers", [=] { call(w, Tensor::zeros({3}, int32), Tensor::zeros(dense, int32)); }, {op, "int32"}},
      {"rows",
       [=] {
         call(w, Tensor::zeros({3}), Tensor::zeros({7, 2}));
       },
       {op, "[7, 2]", "2 x 3"}},
      {"rank", [=] { call(w, Tensor::zeros({3}), Tensor::zeros({3})); }, {op, "[3]"}},
  };
}

const Register spmm_row({
    .op = "spmm",
    .cases = spmm_cases,
    .refusals =
        [] {
          auto refusals = product_refusals(
              "spmm", {3, 2},
              [](const SparsePattern& w, const Tensor& v, const Tensor& x) { spmm(w, v, x); });
          refusals.push_back(
              {"bias",
               [] {
                 spmm(two_by_three(), Tensor::zeros({3}), Tensor::zeros({3, 2}), Tensor::zeros({3}));
               },
               {"spmm", "bias [2]", "[3]"}});
          return refusals;
        },
    .tolerance = 2e-6,
    .tolerance_reason = "sums of up to 500 products in float32; the largest result is about 50",
});

const Register spmm_transposed_row({
    .op = "spmm_transposed",
    .cases = spmm_transposed_cases,
    .refusals =
        [] {
          return product_refusals(
              "spmm_transposed", {2, 2},
              [](const SparsePattern& w, const Tensor& v, const Tensor& g) { spmm_transposed(w, v, g); });
        },
    .tolerance = 2e-6,
    .tolerance_reason = "sums of up to 3000 products in float32; the largest result is above 50",
});

const Register spmspv_row({
    .op = "spmspv",
    .cases = spmspv_cases,
    .refusals =
        [] {
          auto refusals = product_refusals(
              "spmspv", {2, 3},
              [](const SparsePattern& w, const Tensor& v, const Tensor& x) { spmspv(w, v, x); });
          refusals.push_back(
              {"bias",
               [] {
                 spmspv(two_by_three(), Tensor::zeros({3}), Tensor::zeros({2, 3}), Tensor::zeros({3}));
               },
               {"spmspv", "bias [2]", "[3]"}});
          return refusals;
        },
    .tolerance = 2e-6,
    .tolerance_reason =
        "sums of up to 150 products in float32, one after the other; the largest result is about 50",
});

const Register sddmm_row({
    .op = "sddmm",
    .cases = sddmm_cases,
    .refusals =
        [] {
          auto call = [](const Tensor& g, const Tensor& x) { sddmm(two_by_three(), g, x); };
          return std::vector<Refusal>{
              {"no pattern",
               [] {
                 sddmm({}, Tensor::zeros({2, 1}), Tensor::zeros({3, 1}));
               },
               {"sddmm", "undefined pattern"}},
              {"undefined",
               [=] {
                 call({}, Tensor::zeros({3, 1}));
               },
               {"sddmm", "undefined tensor"}},
              {"mixed dtypes",
               [=] {
                 call(Tensor::zeros({2, 1}), Tensor::zeros({3, 1}, float64));
               },
               {"sddmm", "float32", "float64"}},
              {"integers",
               [=] {
                 call(Tensor::zeros({2, 1}, int64), Tensor::zeros({3, 1}, int64));
               },
               {"sddmm", "int64"}},
              {"rows of g",
               [=] {
                 call(Tensor::zeros({5, 1}), Tensor::zeros({3, 1}));
               },
               {"sddmm", "[5, 1]"}},
              {"rows of x",
               [=] {
                 call(Tensor::zeros({2, 1}), Tensor::zeros({4, 1}));
               },
               {"sddmm", "[4, 1]"}},
              {"columns",
               [=] {
                 call(Tensor::zeros({2, 4}), Tensor::zeros({3, 5}));
               },
               {"sddmm", "[2, 4]", "[3, 5]"}},
          };
        },
    .tolerance = 2e-6,
    .tolerance_reason = "sums of up to 200 products in float32; the largest result is about 50",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(spmm)
TENON_ROW(spmm_transposed)
TENON_ROW(spmspv)
TENON_ROW(sddmm)
