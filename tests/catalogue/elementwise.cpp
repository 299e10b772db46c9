#include "core/ops/elementwise.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

constexpr int64_t kLarge = 300000;

// A unary row: x drawn from `draw_x`, y = f(x) by the C library.
template <class TensorForm, class VariableForm>
Row unary_row(const char* op, std::function<Tensor(Draw&, const Shape&)> draw_x, TensorForm tensor_form,
              VariableForm variable_form, double (*f)(double)) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    Shape shape = d.is(Size::large) ? Shape{kLarge} : Shape{d.extent(2, 3, 0), d.extent(4, 37, 0)};
    Case c;
    c.inputs = {draw_x(d, shape)};
    c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0])}; };
    if constexpr (!std::is_same_v<VariableForm, std::nullptr_t>)
      c.variables = [=](const Variables& in) { return Variables{variable_form(in[0])}; };
    c.reference = [=](const Arrays& in) {
      Array y(in[0].shape);
      for (int64_t i = 0; i < y.numel(); ++i) y[i] = f(in[0][i]);
      return Arrays{y};
    };
    return std::vector<Case>{c};
  };
  row.refusals = [=] { return unary_refusals(op, [=](const Tensor& x) { tensor_form(x); }); };
  return row;
}

Tensor anywhere(Draw& d, const Shape& s) { return d.normal(s); }
Tensor positive(Draw& d, const Shape& s) { return d.uniform(s, 0.2, 3); }
Tensor off_zero(Draw& d, const Shape& s) { return d.away_from(s, {0}); }
Tensor off_halves(Draw& d, const Shape& s) { return d.away_from(s, {-1.5, -1, -0.5, 0, 0.5, 1, 1.5}); }

#define TENON_UNARY_ROW(name, draw_x, f)                                                                 \
  const Register name##_row(unary_row(                                                                   \
      #name, draw_x, [](const Tensor& x) { return name(x); }, [](const Variable& x) { return name(x); }, \
      [](double x) -> double { return f; }));
#define TENON_UNARY_CONSTANT_ROW(name, draw_x, f)                      \
  const Register name##_row(unary_row(                                 \
      #name, draw_x, [](const Tensor& x) { return name(x); }, nullptr, \
      [](double x) -> double { return f; }));
#define TENON_PARAMETER_ROW(name, draw_x, arguments, f)              \
  const Register name##_row(unary_row(                               \
      #name, draw_x, [](const Tensor& x) { return name arguments; }, \
      [](const Variable& x) { return name arguments; }, [](double x) -> double { return f; }));

TENON_PARAMETER_ROW(affine, anywhere, (x, -1.5, 0.25), -1.5 * x + 0.25)
TENON_UNARY_ROW(abs, off_zero, std::fabs(x))
TENON_UNARY_CONSTANT_ROW(sign, off_zero, (x > 0) - (x < 0))
TENON_UNARY_ROW(exp, anywhere, std::exp(x))
TENON_UNARY_ROW(log, positive, std::log(x))
TENON_UNARY_ROW(log1p, positive, std::log1p(x))
TENON_UNARY_ROW(sqrt, positive, std::sqrt(x))
TENON_UNARY_ROW(rsqrt, positive, 1 / std::sqrt(x))
TENON_UNARY_ROW(reciprocal, positive, 1 / x)
TENON_UNARY_ROW(square, anywhere, x* x)
TENON_PARAMETER_ROW(pow_scalar, positive, (x, 2.5), std::pow(x, 2.5))
TENON_UNARY_ROW(sin, anywhere, std::sin(x))
TENON_UNARY_ROW(cos, anywhere, std::cos(x))
TENON_UNARY_ROW(erf, anywhere, std::erf(x))
TENON_UNARY_ROW(tanh, anywhere, std::tanh(x))
TENON_UNARY_ROW(sigmoid, anywhere, 1 / (1 + std::exp(-x)))
// [softplus]
TENON_UNARY_ROW(softplus, anywhere, std::log1p(std::exp(x)))
// [/softplus]
TENON_UNARY_ROW(relu, off_zero, std::max(x, 0.0))
TENON_PARAMETER_ROW(leaky_relu, off_zero, (x, 0.1), x > 0 ? x : 0.1 * x)
TENON_PARAMETER_ROW(elu, off_zero, (x, 0.7), x > 0 ? x : 0.7 * std::expm1(x))
TENON_PARAMETER_ROW(clamp, off_halves, (x, -0.5, 1.0), std::min(std::max(x, -0.5), 1.0))
TENON_UNARY_CONSTANT_ROW(floor, off_halves, std::floor(x))
TENON_UNARY_CONSTANT_ROW(round, off_halves, std::nearbyint(x))

// A binary row over shapes that broadcast in both directions.
struct BinaryDraw {
  Tensor x, y;
};
template <class TensorForm, class VariableForm>
Row binary_row(const char* op, std::function<BinaryDraw(Draw&, const Shape&, const Shape&)> draw_xy,
               TensorForm tensor_form, VariableForm variable_form, double (*f)(double, double),
               bool integers = false) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<std::pair<Shape, Shape>> shapes;
    if (d.is(Size::large)) {
      shapes = {{{300, 1000}, {300, 1000}}, {{300, 1000}, {1000}}};
    } else {
      int64_t m = d.extent(2, 3, 0), n = d.extent(4, 19, 0);
      shapes = {{{m, n}, {m, n}}, {{m, n}, {n}}, {{m, 1}, {1, n}}, {{}, {m, n}}};
    }
    std::vector<Case> cases;
    for (const auto& [sx, sy] : shapes) {
      Case c;
      c.label = concat(sx, " ", sy);
      auto [x, y] = draw_xy(d, sx, sy);
      c.inputs = {x, y};
      c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0], in[1])}; };
      if constexpr (!std::is_same_v<VariableForm, std::nullptr_t>)
        c.variables = [=](const Variables& in) { return Variables{variable_form(in[0], in[1])}; };
      c.reference = [=, sx = sx, sy = sy](const Arrays& in) {
        Array z(broadcast_shapes("reference", sx, sy));
        int64_t i = 0;
        for_each_index(z.shape, [&](const Dims& at) {
          z[i++] = f(in[0][broadcast_position(sx, at)], in[1][broadcast_position(sy, at)]);
        });
        return Arrays{z};
      };
      cases.push_back(c);
    }
    if (integers && !d.is(Size::large)) {
      for (DType dtype : {int64, int32, uint8}) {
        Case c = cases[0];
        c.label = name_of(dtype);
        c.inputs = {d.integers(c.inputs[0].shape(), 5, 9, dtype),
                    d.integers(c.inputs[1].shape(), 0, 6, dtype)};
        c.variables = nullptr;
        cases.push_back(c);
      }
    }
    return cases;
  };
  row.refusals = [=] {
    return binary_refusals(op, [=](const Tensor& x, const Tensor& y) { tensor_form(x, y); });
  };
  return row;
}

BinaryDraw both_anywhere(Draw& d, const Shape& x, const Shape& y) { return {d.normal(x), d.normal(y)}; }
BinaryDraw both_positive(Draw& d, const Shape& x, const Shape& y) {
  return {d.uniform(x, 0.5, 2), d.uniform(y, 0.5, 2)};
}
// Never within 0.02 of each other, whichever elements meet: x on even, y on odd multiples of 0.05, with a
// jitter.
BinaryDraw apart(Draw& d, const Shape& sx, const Shape& sy) {
  BinaryDraw xy{Tensor::empty(sx, float64), Tensor::empty(sy, float64)};
  for (auto [t, shift] : {std::pair{&xy.x, 0.0}, std::pair{&xy.y, 0.05}})
    for (int64_t i = 0; i < t->numel(); ++i)
      t->data<double>()[i] = 0.1 * static_cast<double>(d.generator.next_below(40)) - 2 + shift +
                             0.01 * d.generator.next_uniform();
  return xy;
}
// y is not within 0.1 of 0.
BinaryDraw behind_gate(Draw& d, const Shape& x, const Shape& y) {
  BinaryDraw xy{d.normal(x), d.uniform(y, -2, 2)};
  for (int64_t i = 0; i < xy.y.numel(); ++i)
    xy.y.data<double>()[i] += std::copysign(0.1, xy.y.data<double>()[i]);
  return xy;
}
// Small whole numbers, so that equality occurs.
BinaryDraw whole(Draw& d, const Shape& x, const Shape& y) {
  return {d.integers(x, -2, 3).to(float64), d.integers(y, -2, 3).to(float64)};
}

#define TENON_BINARY_ROW(name, draw_xy, integers, f)                               \
  const Register name##_row(binary_row(                                            \
      #name, draw_xy, [](const Tensor& x, const Tensor& y) { return name(x, y); }, \
      [](const Variable& x, const Variable& y) { return name(x, y); },             \
      [](double x, double y) -> double { return f; }, integers));
#define TENON_COMPARE_ROW(name, f)                                                        \
  const Register name##_row(binary_row(                                                   \
      #name, whole, [](const Tensor& x, const Tensor& y) { return name(x, y); }, nullptr, \
      [](double x, double y) -> double { return f; }, true));

TENON_BINARY_ROW(add, both_anywhere, true, x + y)
TENON_BINARY_ROW(sub, both_anywhere, false, x - y)
TENON_BINARY_ROW(mul, both_anywhere, true, x* y)
TENON_BINARY_ROW(div, both_positive, false, x / y)
TENON_BINARY_ROW(maximum, apart, true, std::max(x, y))
TENON_BINARY_ROW(minimum, apart, true, std::min(x, y))
TENON_BINARY_ROW(pow, both_positive, false, std::pow(x, y))
TENON_BINARY_ROW(relu_backward, behind_gate, true, y > 0 ? x : 0)
TENON_COMPARE_ROW(equal, x == y)
TENON_COMPARE_ROW(not_equal, x != y)
TENON_COMPARE_ROW(less, x < y)
TENON_COMPARE_ROW(less_equal, x <= y)
TENON_COMPARE_ROW(greater, x > y)
TENON_COMPARE_ROW(greater_equal, x >= y)

const Register where_row({
    .op = "where",
    .cases =
        [](Draw& d) {
          int64_t m = d.extent(2, 3, 300), n = d.extent(4, 19, 1000);
          Case c;
          c.inputs = {d.integers({m, n}, 0, 2, uint8), d.normal({m, 1}), d.normal({n})};
          c.tensors = [](const Tensors& in) { return Tensors{where(in[0], in[1], in[2])}; };
          c.variables = [](const Variables& in) { return Variables{where(in[0].value(), in[1], in[2])}; };
          c.reference = [](const Arrays& in) {
            Array z(in[0].shape);
            int64_t i = 0;
            for_each_index(z.shape, [&](const Dims& at) {
              z[i] = in[0][i] != 0 ? in[1][broadcast_position(in[1].shape, at)]
                                   : in[2][broadcast_position(in[2].shape, at)];
              ++i;
            });
            return Arrays{z};
          };
          return std::vector<Case>{c};
        },
    .refusals =
        [] {
          Tensor x = Tensor::zeros({2});
          auto refusals = binary_refusals("where", [](const Tensor& a, const Tensor& b) {
            where(Tensor::zeros({2, 3}, uint8), a, b);
          });
          refusals.push_back({"condition dtype", [x] { where(x, x, x); }, {"where", "uint8", "float32"}});
          return refusals;
        },
});

}  // namespace
}  // namespace tenon::catalogue

#define TENON_ROW_OF(name, formula) TENON_ROW(name)
TENON_UNARY_OPS(TENON_ROW_OF)
TENON_BINARY_OPS(TENON_ROW_OF)
TENON_COMPARE_OPS(TENON_ROW_OF)
#undef TENON_ROW_OF
TENON_ROW(where)
