#include "core/ops/sparsity.h"

#include <cmath>

#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

double sign_of(double x) { return static_cast<double>((x > 0) - (x < 0)); }

// The naive gradient of one weight.
using Gradient = std::function<std::vector<double>(const Array& w)>;
using Call = std::function<void(TensorList weights, TensorList gradients)>;

// Three entries, inputs in the order w0 g0 w1 g1 w2 g2; results are the gradients after the call.
Case list_case(Draw& d, const char* label, const std::vector<Shape>& shapes, const Call& call,
               const Gradient& gradient) {
  Case c;
  c.label = label;
  // Hoyer's gradients for a lone weight are differences of two equal terms of size 1 / |w|: 0, with an error of
  // roundings of such a term. Keeping |w| >= 0.5 there keeps that error below the tolerances.
  const double gap = d.is(Size::one) ? 0.5 : 0.02;
  for (const Shape& shape : shapes) {
    c.inputs.push_back(d.away_from(shape, {0}, gap));
    c.inputs.push_back(d.normal(shape));
  }
  c.tensors = [call](const Tensors& in) {
    Tensors weights, gradients;
    for (size_t i = 0; i < in.size(); i += 2) {
      weights.push_back(in[i]);
      gradients.push_back(Tensor::empty(in[i].shape(), in[i].dtype(), in[i].device()));
      gradients.back().copy_(in[i + 1]);
    }
    call(weights, gradients);
    return gradients;
  };
  c.reference = [gradient](const Arrays& in) {
    Arrays out;
    for (size_t i = 0; i < in.size(); i += 2) {
      out.push_back(in[i + 1]);
      const std::vector<double> added = gradient(in[i]);
      for (int64_t j = 0; j < in[i].numel(); ++j) out.back()[j] += added[static_cast<size_t>(j)];
    }
    return out;
  };
  return c;
}

std::vector<Refusal> list_refusals(const char* op, const Call& call) {
  const Tensor a = Tensor::ones({2, 3}), wide = Tensor::ones({2, 4}), wrong = Tensor::ones({2, 3}, float64);
  auto with = [call](Tensors w, Tensors g) { return [call, w, g] { call(w, g); }; };
  return {{"undefined", with({a}, {Tensor()}), {op, "undefined"}},
          {"length", with({a, a}, {a.clone()}), {op, "length", "1", "2"}},
          {"shape", with({wide}, {a.clone()}), {op, "[2, 3]", "[2, 4]"}},
          {"dtype", with({wrong}, {a.clone()}), {op, "float32", "float64"}},
          {"integers", with({Tensor::ones({2, 3}, int32)}, {Tensor::ones({2, 3}, int32)}), {op, "int32"}}};
}

Row element_row(const char* op, Call call, Gradient gradient) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    const int64_t m = d.extent(4, 13, 300), n = d.extent(6, 37, 500);
    return std::vector<Case>{list_case(d, "three weights", {{m, n}, {n}, {m, 1, n}}, call, gradient)};
  };
  row.refusals = [=] { return list_refusals(op, call); };
  return row;
}

struct Sums {
  double abs = 0, square = 0;
};
Sums sums_of(const Array& w) {
  Sums s;
  for (double v : w.v) s.abs += std::fabs(v), s.square += v * v;
  return s;
}

// One entry of the gradient by the paper's first form, dHS/dw_j = 2 sign S1 / S2^2 (S2 - |w_j| S1).
const Register hoyer_square(element_row(
    "hoyer_square_gradient_add", [](TensorList w, TensorList g) { hoyer_square_gradient_add(w, g, 0.7); },
    [](const Array& w) {
      const Sums s = sums_of(w);
      std::vector<double> out;
      for (double v : w.v)
        out.push_back(0.7 * 2 * sign_of(v) * s.abs / (s.square * s.square) *
                      (s.square - std::fabs(v) * s.abs));
      return out;
    }));

const Register hoyer(element_row(
    "hoyer_gradient_add", [](TensorList w, TensorList g) { hoyer_gradient_add(w, g, 0.7); },
    [](const Array& w) {
      const Sums s = sums_of(w);
      std::vector<double> out;
      for (double v : w.v)
        out.push_back(0.7 * (sign_of(v) / std::sqrt(s.square) - v * s.abs / std::pow(s.square, 1.5)));
      return out;
    }));

const Register l1(element_row(
    "l1_gradient_add", [](TensorList w, TensorList g) { l1_gradient_add(w, g, 0.7); },
    [](const Array& w) {
      std::vector<double> out;
      for (double v : w.v) out.push_back(0.7 * sign_of(v));
      return out;
    }));

Row transformed_row() {
  Row row = element_row(
      "transformed_l1_gradient_add",
      [](TensorList w, TensorList g) { transformed_l1_gradient_add(w, g, 0.7, 1.5); },
      [](const Array& w) {
        std::vector<double> out;
        for (double v : w.v) out.push_back(0.7 * 1.5 * 2.5 * sign_of(v) / std::pow(1.5 + std::fabs(v), 2));
        return out;
      });
  auto shared = row.refusals;
  row.refusals = [shared] {
    std::vector<Refusal> all = shared();
    all.push_back({"a",
                   [] {
                     Tensor w = Tensor::ones({2});
                     transformed_l1_gradient_add({&w, 1}, {&w, 1}, 1, 0);
                   },
                   {"transformed_l1_gradient_add", "a > 0"}});
    return all;
  };
  return row;
}
const Register transformed(transformed_row());

// ---- groups -----------------------------------------------------------------------------------------

// Norms of the groups of one axis (0: rows, 1: columns), and which of them each element belongs to.
struct Groups {
  std::vector<double> norms;
  std::vector<size_t> of;
  double sum = 0;
};
Groups groups_of(const Array& w, int axis) {
  Groups g;
  g.norms.assign(static_cast<size_t>(w.shape[axis]), 0.0);
  int64_t i = 0;
  for_each_index(w.shape, [&](const Dims& at) {
    g.of.push_back(static_cast<size_t>(at[axis]));
    g.norms[g.of.back()] += w[i] * w[i];
    ++i;
  });
  for (double& r : g.norms) g.sum += r = std::sqrt(r);
  return g;
}

constexpr GroupStrength kStrength{0.7, 0.4};

Row group_row(const char* op, Call call, Gradient gradient) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    const int64_t m = d.extent(4, 13, 300), n = d.extent(6, 37, 500);
    return std::vector<Case>{list_case(d, "three weights", {{m, n}, {n, m}, {m, n, 3, 1}}, call, gradient)};
  };
  row.refusals = [=] {
    std::vector<Refusal> all = list_refusals(op, call);
    all.push_back({"rank",
                   [=] {
                     Tensors w{Tensor::ones({2})}, g{Tensor::ones({2})};
                     call(w, g);
                   },
                   {op, "[N, C"}});
    return all;
  };
  return row;
}

// By the paper's form, entry by entry and group by group: 2 (w / r) (R / S2^2) (S2 - r R).
const Register group_hoyer_square(group_row(
    "group_hoyer_square_gradient_add",
    [](TensorList w, TensorList g) { group_hoyer_square_gradient_add(w, g, kStrength); },
    [](const Array& w) {
      const double s2 = sums_of(w).square;
      std::vector<double> out(w.v.size(), 0.0);
      for (int axis : {0, 1}) {
        const Groups g = groups_of(w, axis);
        for (size_t j = 0; j < out.size(); ++j) {
          const double r = g.norms[g.of[j]];
          out[j] += (axis == 0 ? kStrength.rows : kStrength.columns) * 2 * w.v[j] / r * g.sum / (s2 * s2) *
                    (s2 - r * g.sum);
        }
      }
      return out;
    }));

const Register group_lasso(group_row(
    "group_lasso_gradient_add", [](TensorList w, TensorList g) { group_lasso_gradient_add(w, g, kStrength); },
    [](const Array& w) {
      const Groups rows = groups_of(w, 0), columns = groups_of(w, 1);
      std::vector<double> out;
      for (size_t j = 0; j < w.v.size(); ++j)
        out.push_back(kStrength.rows * w.v[j] / rows.norms[rows.of[j]] +
                      kStrength.columns * w.v[j] / columns.norms[columns.of[j]]);
      return out;
    }));

// ---- sums -------------------------------------------------------------------------------------------

Row sums_row() {
  Row row;
  row.op = "abs_sum_sq_sum";
  row.cases = [](Draw& d) {
    const int64_t m = d.extent(4, 13, 300), n = d.extent(6, 37, 500);
    Case c;
    c.label = "three weights";
    for (const Shape& shape : {Shape{m, n}, Shape{n}, Shape{m, 2, n}}) c.inputs.push_back(d.normal(shape));
    c.tensors = [](const Tensors& in) { return Tensors{abs_sum_sq_sum(in)}; };
    c.reference = [](const Arrays& in) {
      Array out({3, 2});
      for (int64_t i = 0; i < 3; ++i) {
        const Sums s = sums_of(in[static_cast<size_t>(i)]);
        out[2 * i] = s.abs;
        out[2 * i + 1] = s.square;
      }
      return Arrays{out};
    };
    return std::vector<Case>{c};
  };
  row.refusals = [] {
    return std::vector<Refusal>{
        {"undefined", [] { abs_sum_sq_sum(Tensors{Tensor()}); }, {"abs_sum_sq_sum", "undefined"}},
        {"dtype", [] { abs_sum_sq_sum(Tensors{Tensor::ones({2}, int32)}); }, {"abs_sum_sq_sum", "int32"}},
        {"mixed",
         [] {
           abs_sum_sq_sum(Tensors{Tensor::ones({2}), Tensor::ones({2}, float64)});
         },
         {"abs_sum_sq_sum", "float64"}}};
  };
  return row;
}
const Register sums(sums_row());

Row norms_row() {
  Row row;
  row.op = "row_column_norms";
  row.cases = [](Draw& d) {
    const int64_t m = d.extent(4, 13, 300), n = d.extent(6, 37, 500);
    std::vector<Case> cases;
    for (const Shape& shape : {Shape{m, n}, Shape{n, m, 2, 3}}) {
      Case c;
      c.label = shape.str();
      c.inputs = {d.normal(shape)};
      c.tensors = [](const Tensors& in) {
        auto [rows, columns] = row_column_norms(in[0]);
        return Tensors{rows, columns};
      };
      c.reference = [](const Arrays& in) {
        Arrays out;
        for (int axis : {0, 1}) {
          Array norms({in[0].shape[axis]});
          norms.v = groups_of(in[0], axis).norms;
          out.push_back(norms);
        }
        return out;
      };
      cases.push_back(c);
    }
    return cases;
  };
  row.refusals = [] {
    return std::vector<Refusal>{
        {"undefined", [] { row_column_norms(Tensor()); }, {"row_column_norms", "undefined"}},
        {"rank", [] { row_column_norms(Tensor::ones({2})); }, {"row_column_norms", "[2]"}},
        {"dtype",
         [] {
           row_column_norms(Tensor::ones({2, 2}, int64));
         },
         {"row_column_norms", "int64"}}};
  };
  return row;
}
const Register norms(norms_row());

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(abs_sum_sq_sum)
TENON_ROW(hoyer_square_gradient_add)
TENON_ROW(hoyer_gradient_add)
TENON_ROW(l1_gradient_add)
TENON_ROW(transformed_l1_gradient_add)
TENON_ROW(row_column_norms)
TENON_ROW(group_hoyer_square_gradient_add)
TENON_ROW(group_lasso_gradient_add)
