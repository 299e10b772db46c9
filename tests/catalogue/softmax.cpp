#include "core/ops/softmax.h"

#include <cmath>
#include <limits>

#include "autograd/ops/softmax.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// Reads and writes rows along one axis: element i of row r.
struct Rows {
  int64_t count, n, inner;
  Rows(const Shape& shape, int axis) : n(shape[axis]), inner(1) {
    count = 1;
    for (int i = 0; i < shape.rank(); ++i)
      if (i != axis) count *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
  int64_t at(int64_t row, int64_t i) const { return row / inner * inner * n + i * inner + row % inner; }
};

double naive_logsumexp(const Array& x, const Rows& rows, int64_t row) {
  double m = -std::numeric_limits<double>::infinity(), s = 0;
  for (int64_t i = 0; i < rows.n; ++i) m = std::max(m, x[rows.at(row, i)]);
  for (int64_t i = 0; i < rows.n; ++i) s += std::exp(x[rows.at(row, i)] - m);
  return std::isinf(m) ? m : m + std::log(s);
}

struct Variant {
  Shape shape;
  int axis;
};

// The last axis (long and short rows), the first, and one in the middle.
std::vector<Variant> variants(Draw& d) {
  if (d.is(Size::large))
    return {{{3000, 10}, 1}, {{200, 33}, 1}, {{7, 20001}, 1}, {{30, 3000}, 0}, {{5, 9, 1500}, 1}};
  int64_t m = d.extent(3, 2, 0), n = d.is(Size::empty) ? 3 : d.extent(4, 17, 0);
  std::vector<Variant> out = {{{m, n}, 1}, {{n, m}, 0}, {{2, n, m}, 1}, {{n}, 0}};
  if (d.is(Size::empty)) out.push_back({{n, 0}, 1});  // rows of no elements
  return out;
}

using TensorForm = std::function<Tensor(const Tensor&, int64_t)>;
using VariableForm = std::function<Variable(const Variable&, int64_t)>;
using Reference = std::function<Array(const Array&, int)>;

Row row_wise(const char* op, TensorForm tensor_form, VariableForm variable_form, Reference reference,
             double tolerance) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const Variant& v : variants(d)) {
      Case c;
      c.label = concat(v.shape, " along ", v.axis);
      c.inputs = {d.normal(v.shape)};
      int64_t axis = d.is(Size::odd) ? v.axis - v.shape.rank() : v.axis;
      c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0], axis)}; };
      c.variables = [=](const Variables& in) { return Variables{variable_form(in[0], axis)}; };
      c.reference = [=](const Arrays& in) { return Arrays{reference(in[0], v.axis)}; };
      cases.push_back(c);
    }
    return cases;
  };
  row.refusals = [=] {
    auto refusals = unary_refusals(op, [=](const Tensor& x) { tensor_form(x, 0); });
    refusals.push_back({"axis", [=] { tensor_form(Tensor::zeros({2, 3}), 2); }, {op, "axis 2", "rank 2"}});
    return refusals;
  };
  row.tolerance = tolerance;
  row.tolerance_reason = "the exponential's 2 ulp, and the rounding of x - max";
  return row;
}

#define TENON_FORMS(call) \
  [](const Tensor& x, int64_t axis) { return call; }, [](const Variable& x, int64_t axis) { return call; }

const Register softmax_row(row_wise(
    "softmax", TENON_FORMS(softmax(x, axis)),
    [](const Array& x, int axis) {
      Array y(x.shape);
      Rows rows(x.shape, axis);
      for (int64_t r = 0; r < rows.count; ++r) {
        const double total = naive_logsumexp(x, rows, r);
        for (int64_t i = 0; i < rows.n; ++i) y[rows.at(r, i)] = std::exp(x[rows.at(r, i)] - total);
      }
      return y;
    },
    1e-6));

const Register log_softmax_row(row_wise(
    "log_softmax", TENON_FORMS(log_softmax(x, axis)),
    [](const Array& x, int axis) {
      Array y(x.shape);
      Rows rows(x.shape, axis);
      for (int64_t r = 0; r < rows.count; ++r) {
        const double total = naive_logsumexp(x, rows, r);
        for (int64_t i = 0; i < rows.n; ++i) y[rows.at(r, i)] = x[rows.at(r, i)] - total;
      }
      return y;
    },
    1e-6));

Array naive_logsumexps(const Array& x, int axis, bool keep) {
  Shape shape = x.shape;
  shape[axis] = 1;
  if (!keep) shape.erase(axis);
  Array y(shape);
  Rows rows(x.shape, axis);
  for (int64_t r = 0; r < rows.count; ++r) y[r] = naive_logsumexp(x, rows, r);
  return y;
}
// The axis is kept in the cases of rank 3.
const Register logsumexp_row(row_wise(
    "logsumexp", TENON_FORMS(logsumexp(x, axis, x.rank() == 3)),
    [](const Array& x, int axis) { return naive_logsumexps(x, axis, x.shape.rank() == 3); }, 1e-6));

// ---- cross-entropy ----------------------------------------------------------------------------------

// t of core/ops/softmax.h for class c of a row.
double target(int64_t c, double label, int64_t classes, double smoothing) {
  return (1 - smoothing) * (static_cast<double>(c) == label ? 1 : 0) +
         smoothing / static_cast<double>(classes);
}

Array naive_cross_entropy(const Array& z, const Array& labels, double smoothing) {
  Array loss(Shape{}, 0);
  Rows rows(z.shape, 1);
  for (int64_t r = 0; r < rows.count; ++r) {
    const double total = naive_logsumexp(z, rows, r);
    for (int64_t c = 0; c < rows.n; ++c)
      loss[0] -= target(c, labels[r], rows.n, smoothing) * (z[rows.at(r, c)] - total);
  }
  loss[0] /= static_cast<double>(rows.count);
  return loss;
}

Array naive_cross_entropy_backward(const Array& g, const Array& z, const Array& labels, double smoothing) {
  Array dz(z.shape);
  Rows rows(z.shape, 1);
  for (int64_t r = 0; r < rows.count; ++r) {
    const double total = naive_logsumexp(z, rows, r);
    for (int64_t c = 0; c < rows.n; ++c) {
      double p = std::exp(z[rows.at(r, c)] - total);
      dz[rows.at(r, c)] =
          g[0] / static_cast<double>(rows.count) * (p - target(c, labels[r], rows.n, smoothing));
    }
  }
  return dz;
}

struct Classes {
  Shape logits;
  double smoothing;
};

// No empty size: a mean over no rows is refused.
std::vector<Classes> class_variants(Draw& d) {
  if (d.is(Size::empty)) return {};
  if (d.is(Size::large)) return {{{4000, 10}, 0}, {{40, 5, 30, 30}, 0.1}};
  int64_t n = d.extent(3, 5, 0), c = d.extent(4, 7, 0);
  return {{{n, c}, 0}, {{n, c}, 0.1}, {{n, c, 2}, 0.25}};
}

Tensor draw_labels(Draw& d, const Shape& logits) {
  Shape shape = logits;
  shape.erase(1);
  return d.integers(shape, 0, logits[1]);
}

const Register cross_entropy_row({
    .op = "softmax_cross_entropy",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const Classes& v : class_variants(d)) {
            Case c;
            double s = v.smoothing;
            c.label = concat(v.logits, " smoothing ", s);
            c.inputs = {d.normal(v.logits), draw_labels(d, v.logits)};
            c.tensors = [=](const Tensors& in) { return Tensors{softmax_cross_entropy(in[0], in[1], s)}; };
            c.variables = [=](const Variables& in) {
              return Variables{softmax_cross_entropy(in[0], in[1].value(), s)};
            };
            c.reference = [=](const Arrays& in) { return Arrays{naive_cross_entropy(in[0], in[1], s)}; };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "softmax_cross_entropy";
          Tensor labels = Tensor::zeros({2}, int64);
          auto refusals = unary_refusals(op, [=](const Tensor& x) { softmax_cross_entropy(x, labels); });
          auto refuse = [&](const char* label, Tensor z, Tensor l, double s,
                            std::vector<std::string> message) {
            message.push_back(op);
            refusals.push_back({label, [=] { softmax_cross_entropy(z, l, s); }, message});
          };
          Tensor z = Tensor::zeros({2, 3});
          refuse("label above", z, Tensor::from(std::vector<int64_t>{0, 3}), 0,
                 {"labels in [0, 3)", "got 3"});
          refuse("label below", z, Tensor::from(std::vector<int64_t>{-1, 0}), 0,
                 {"labels in [0, 3)", "got -1"});
          refuse("labels undefined", z, Tensor(), 0, {"undefined"});
          refuse("labels dtype", z, Tensor::zeros({2}, int32), 0, {"int64 [2]", "int32"});
          refuse("labels shape", z, Tensor::zeros({3}, int64), 0, {"[2]", "int64 [3]"});
          refuse("rank", Tensor::zeros({2}), labels, 0, {"[N, C, *]", "[2]"});
          refuse("no rows", Tensor::zeros({0, 3}), Tensor::zeros({0}, int64), 0, {"no rows", "[0, 3]"});
          refuse("smoothing", z, labels, 1.5, {"smoothing in [0, 1]", "1.5"});
          return refusals;
        },
    .tolerance_reason = "the mean is taken in float64 of rows that are right to a few roundings",
});

const Register cross_entropy_backward_row({
    .op = "softmax_cross_entropy_backward",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const Classes& v : class_variants(d)) {
            Case c;
            double s = v.smoothing;
            c.label = concat(v.logits, " smoothing ", s);
            c.inputs = {d.normal({}), d.normal(v.logits), draw_labels(d, v.logits)};
            c.tensors = [=](const Tensors& in) {
              return Tensors{softmax_cross_entropy_backward(in[0], in[1], in[2], s)};
            };
            c.variables = [=](const Variables& in) {
              return Variables{softmax_cross_entropy_backward(in[0], in[1], in[2].value(), s)};
            };
            c.reference = [=](const Arrays& in) {
              return Arrays{naive_cross_entropy_backward(in[0], in[1], in[2], s)};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "softmax_cross_entropy_backward";
          Tensor one = Tensor::scalar(1), z = Tensor::zeros({2, 3}), labels = Tensor::zeros({2}, int64);
          auto refusals =
              unary_refusals(op, [=](const Tensor& x) { softmax_cross_entropy_backward(one, x, labels); });
          refusals.push_back({"gradient's rank",
                              [=] { softmax_cross_entropy_backward(Tensor::zeros({1}), z, labels); },
                              {op, "rank 0", "[1]"}});
          refusals.push_back({"gradient's dtype",
                              [=] { softmax_cross_entropy_backward(Tensor::scalar(1, float64), z, labels); },
                              {op, "float32", "float64"}});
          refusals.push_back({"label",
                              [=] { softmax_cross_entropy_backward(one, z, Tensor::full({2}, 3, int64)); },
                              {op, "labels in [0, 3)", "got 3"}});
          return refusals;
        },
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(softmax)
TENON_ROW(log_softmax)
TENON_ROW(logsumexp)
TENON_ROW(softmax_cross_entropy)
TENON_ROW(softmax_cross_entropy_backward)
