#include "core/ops/reduce.h"

#include <cmath>
#include <limits>

#include "autograd/ops/reduce.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// The naive reduction: visits every element of x, tells `visit` which result it belongs to, and reshapes at
// the end.
Array reduced(const Array& x, const Dims& axes, bool keep, double start,
              const std::function<double(double, double)>& step) {
  Shape kept = x.shape;
  Dims normal = normalize_axes("reference", axes, x.shape.rank());
  for (int64_t axis : normal) kept[static_cast<int>(axis)] = 1;
  Array y(kept, start);
  int64_t i = 0;
  for_each_index(x.shape, [&](const Dims& at) {
    int64_t to = broadcast_position(kept, at);
    y[to] = step(y[to], x[i++]);
  });
  if (!keep)
    for (int a = normal.rank() - 1; a >= 0; --a) y.shape.erase(static_cast<int>(normal[a]));
  return y;
}

int64_t count_of(const Shape& shape, const Dims& axes) {
  int64_t count = 1;
  for (int64_t axis : normalize_axes("reference", axes, shape.rank())) count *= shape[static_cast<int>(axis)];
  return count;
}

// Which axes of which shape, in every layout that the kernels tell apart.
struct Variant {
  Shape shape;
  Dims axes;
  bool keep;
};
std::vector<Variant> variants(Draw& d) {
  if (d.is(Size::large))
    return {{{300, 1000}, {0}, false},
            {{300, 1000}, {1}, false},
            {{300001}, {}, false},
            {{40, 50, 200}, {0, 2}, true}};
  int64_t m = d.extent(2, 3, 0), n = d.extent(4, 37, 0);
  return {{{m, n}, {0}, false},
          {{m, n}, {-1}, true},
          {{m, n}, {}, false},
          {{m, 2, n}, {0, 2}, false},
          {{m, 2, n}, {1}, false}};
}

using TensorForm = std::function<Tensor(const Tensor&, const Dims&, bool)>;
using VariableForm = std::function<Variable(const Variable&, const Dims&, bool)>;
using Reference = std::function<Array(const Array&, const Dims&, bool)>;

Row reduce_row(const char* op, std::function<Tensor(Draw&, const Shape&)> draw_x, TensorForm tensor_form,
               VariableForm variable_form, Reference reference, bool over_empty,
               std::vector<DType> integers = {}) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const Variant& v : variants(d)) {
      // Reducing no elements is refused by some ops: their empty cases keep a whole reduced axis.
      if (!over_empty && count_of(v.shape, v.axes) == 0) continue;
      Case c;
      c.label = concat(v.shape, " over ", v.axes);
      c.inputs = {draw_x(d, v.shape)};
      c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0], v.axes, v.keep)}; };
      c.variables = [=](const Variables& in) { return Variables{variable_form(in[0], v.axes, v.keep)}; };
      c.reference = [=](const Arrays& in) { return Arrays{reference(in[0], v.axes, v.keep)}; };
      cases.push_back(c);
      for (DType dtype : integers) {
        if (d.is(Size::large)) continue;
        Case whole = c;
        whole.label += concat(" ", dtype);
        whole.inputs = {d.integers(v.shape, 0, 3, dtype)};
        whole.variables = nullptr;
        cases.push_back(whole);
      }
    }
    return cases;
  };
  row.refusals = [=] {
    std::vector<Refusal> refusals = {
        {"undefined", [=] { tensor_form(Tensor(), {}, false); }, {op, "undefined"}},
        {"axis",
         [=] {
           tensor_form(Tensor::zeros({2, 3}), {2}, false);
         },
         {op, "axis 2", "rank 2"}},
        {"axis twice",
         [=] {
           tensor_form(Tensor::zeros({2, 3}), {0, -2}, false);
         },
         {op, "twice"}}};
    if (!over_empty)
      refusals.push_back({"no elements",
                          [=] {
                            tensor_form(Tensor::zeros({2, 0}), {1}, false);
                          },
                          {op, "elements"}});
    if (integers.empty())
      refusals.push_back(
          {"dtype", [=] { tensor_form(Tensor::zeros({2}, int32), {}, false); }, {op, "int32"}});
    return refusals;
  };
  return row;
}

Tensor anywhere(Draw& d, const Shape& s) { return d.normal(s); }
Tensor off_zero(Draw& d, const Shape& s) { return d.away_from(s, {0}); }
// The norm of two small numbers bends too sharply for differences of step h: their error is (h / norm)^4.
Tensor far_from_zero(Draw& d, const Shape& s) { return d.away_from(s, {0}, 0.3); }
Tensor distinct(Draw& d, const Shape& s) { return d.distinct(s); }

#define TENON_FORMS(call)                                            \
  [](const Tensor& x, const Dims& axes, bool keep) { return call; }, \
      [](const Variable& x, const Dims& axes, bool keep) { return call; }

const std::vector<DType> kIntegers = {int64, int32, uint8};
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Register sum_row(reduce_row("sum", anywhere, TENON_FORMS(sum(x, axes, keep)),
                                  [](const Array& x, const Dims& axes, bool keep) {
                                    return reduced(x, axes, keep, 0,
                                                   [](double acc, double v) { return acc + v; });
                                  },
                                  true, {int64, int32}));

const Register mean_row(reduce_row(
    "mean", anywhere, TENON_FORMS(mean(x, axes, keep)),
    [](const Array& x, const Dims& axes, bool keep) {
      Array y = reduced(x, axes, keep, 0, [](double acc, double v) { return acc + v; });
      for (double& v : y.v) v /= static_cast<double>(count_of(x.shape, axes));
      return y;
    },
    false));

const Register amax_row(reduce_row(
    "amax", distinct, TENON_FORMS(amax(x, axes, keep)),
    [](const Array& x, const Dims& axes, bool keep) {
      return reduced(x, axes, keep, -kInfinity, [](double a, double v) { return std::max(a, v); });
    },
    false, kIntegers));
const Register amin_row(reduce_row(
    "amin", distinct, TENON_FORMS(amin(x, axes, keep)),
    [](const Array& x, const Dims& axes, bool keep) {
      return reduced(x, axes, keep, kInfinity, [](double a, double v) { return std::min(a, v); });
    },
    false, kIntegers));

// sum (x - mean)^2 / (n - 1) with the mean of each result found first.
Array naive_variance(const Array& x, const Dims& axes, bool keep) {
  auto plus = [](double acc, double v) { return acc + v; };
  Array mean = reduced(x, axes, true, 0, plus);
  double n = static_cast<double>(count_of(x.shape, axes));
  Array squares(x.shape);
  int64_t i = 0;
  for_each_index(x.shape, [&](const Dims& at) {
    double centred = x[i] - mean[broadcast_position(mean.shape, at)] / n;
    squares[i++] = centred * centred;
  });
  Array y = reduced(squares, axes, keep, 0, plus);
  for (double& v : y.v) v /= n;
  return y;
}
const Register variance_row(reduce_row("variance", anywhere, TENON_FORMS(variance(x, axes, keep)),
                                       naive_variance, false));

const Register norm1_row(reduce_row(
    "norm1", off_zero, TENON_FORMS(norm1(x, axes, keep)),
    [](const Array& x, const Dims& axes, bool keep) {
      return reduced(x, axes, keep, 0, [](double a, double v) { return a + std::fabs(v); });
    },
    true));
const Register norm2_row(reduce_row(
    "norm2", far_from_zero, TENON_FORMS(norm2(x, axes, keep)),
    [](const Array& x, const Dims& axes, bool keep) {
      Array y = reduced(x, axes, keep, 0, [](double a, double v) { return a + v * v; });
      for (double& v : y.v) v = std::sqrt(v);
      return y;
    },
    true));

template <class TensorPair, class VariablePair>
Row index_row(const char* op, bool largest, TensorPair tensor_form, VariablePair variable_form) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (int axis : {0, 1}) {
      Shape shape{d.extent(2, 3, 300), 4, d.extent(4, 19, 300)};
      if (shape[axis] == 0) shape[axis] = 3;
      Case c;
      c.label = concat("axis ", axis);
      c.inputs = {d.distinct(shape)};
      c.tensors = [=](const Tensors& in) {
        auto [value, index] = tensor_form(in[0], axis, axis == 1);
        return Tensors{value, index};
      };
      c.variables = [=](const Variables& in) {
        auto [value, index] = variable_form(in[0], axis, axis == 1);
        return Variables{value, Variable(index)};
      };
      c.reference = [=](const Arrays& in) {
        Shape kept = in[0].shape;
        kept[axis] = 1;
        Array value(kept), index(kept, -1);
        int64_t i = 0;
        for_each_index(in[0].shape, [&](const Dims& at) {
          int64_t to = broadcast_position(kept, at);
          double v = in[0][i++];
          if (index[to] < 0 || (largest ? v > value[to] : v < value[to])) {
            value[to] = v;
            index[to] = static_cast<double>(at[axis]);
          }
        });
        if (axis != 1) value.shape.erase(axis), index.shape.erase(axis);
        return Arrays{value, index};
      };
      cases.push_back(c);
    }
    return cases;
  };
  row.refusals = [=] {
    return std::vector<Refusal>{{"undefined", [=] { tensor_form(Tensor(), 0, false); }, {op, "undefined"}},
                                {"axis", [=] { tensor_form(Tensor::zeros({2}), 1, false); }, {op, "axis 1"}},
                                {"no elements",
                                 [=] {
                                   tensor_form(Tensor::zeros({2, 0}), 1, false);
                                 },
                                 {op, "no elements", "[2, 0]"}}};
  };
  return row;
}

const Register max_row(index_row(
    "max_with_index", true, [](const Tensor& x, int64_t a, bool k) { return max_with_index(x, a, k); },
    [](const Variable& x, int64_t a, bool k) { return max_with_index(x, a, k); }));
const Register min_row(index_row(
    "min_with_index", false, [](const Tensor& x, int64_t a, bool k) { return min_with_index(x, a, k); },
    [](const Variable& x, int64_t a, bool k) { return min_with_index(x, a, k); }));

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(sum)
TENON_ROW(mean)
TENON_ROW(amax)
TENON_ROW(amin)
TENON_ROW(max_with_index)
TENON_ROW(min_with_index)
TENON_ROW(variance)
TENON_ROW(norm1)
TENON_ROW(norm2)
