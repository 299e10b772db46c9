#include "autograd/ops/elementwise.h"

#include <cmath>

#include "autograd/ops/reduce.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/elementwise.h"

namespace tenon {
namespace {

// A 0/1 mask of a comparison as a constant of x's dtype.
Variable constant_mask(const Tensor& truth, DType dtype) { return Variable(truth.to(dtype)); }

// y = f(x) with dy/dx computed from x:  dx = g * derivative(x)
template <class Derivative>
Variable unary_of_input(const char* op, Tensor y, const Variable& x, Derivative derivative) {
  return record(op, std::move(y), {x}, [x = Saved(x), derivative](const Variable& g, Gradients& out) {
    out.set(0, g * derivative(x()));
  });
}

// [unary-of-output]
// y = f(x) with dy/dx computed from y:  dx = g * derivative(y)
template <class Derivative>
Variable unary_of_output(const char* op, Tensor y, const Variable& x, Derivative derivative) {
  return record(op, std::move(y), {x},
                [derivative](const Variable& g, Gradients& out) { out.set(0, g * derivative(out.output())); },
                {.outputs = true});
}
// [/unary-of-output]

}  // namespace

// y = a x + b          dx = a g
Variable affine(const Variable& x, double scale, double shift) {
  return record("affine", affine(x.value(), scale, shift), {x}, [scale](const Variable& g, Gradients& out) {
    out.set(0, scale == 1 ? g : affine(g, scale, 0));
  });
}

// y = |x|              dx = g sign(x)
Variable abs(const Variable& x) {
  return unary_of_input("abs", abs(x.value()), x,
                        [](const Variable& v) { return Variable(sign(v.value())); });
}

// [exp]
// y = e^x              dx = g y
Variable exp(const Variable& x) {
  return unary_of_output("exp", exp(x.value()), x, [](const Variable& y) { return y; });
}
// [/exp]

// y = log x            dx = g / x
Variable log(const Variable& x) {
  return record("log", log(x.value()), {x},
                [x = Saved(x)](const Variable& g, Gradients& out) { out.set(0, g / x()); });
}

// y = log(1 + x)       dx = g / (1 + x)
Variable log1p(const Variable& x) {
  return record("log1p", log1p(x.value()), {x},
                [x = Saved(x)](const Variable& g, Gradients& out) { out.set(0, g / (x() + 1.0)); });
}

// y = sqrt x           dx = g / (2 y)
Variable sqrt(const Variable& x) {
  return record("sqrt", sqrt(x.value()), {x},
                [](const Variable& g, Gradients& out) { out.set(0, g / (2.0 * out.output())); },
                {.outputs = true});
}

// y = x^-1/2           dx = -g y^3 / 2
Variable rsqrt(const Variable& x) {
  return unary_of_output("rsqrt", rsqrt(x.value()), x,
                         [](const Variable& y) { return -0.5 * (y * square(y)); });
}

// y = 1 / x            dx = -g y^2
Variable reciprocal(const Variable& x) {
  return unary_of_output("reciprocal", reciprocal(x.value()), x,
                         [](const Variable& y) { return -square(y); });
}

// y = x^2              dx = 2 g x
Variable square(const Variable& x) {
  return unary_of_input("square", square(x.value()), x, [](const Variable& v) { return 2.0 * v; });
}

// y = x^p              dx = g p x^(p-1)
Variable pow_scalar(const Variable& x, double exponent) {
  return unary_of_input("pow_scalar", pow_scalar(x.value(), exponent), x, [exponent](const Variable& v) {
    return exponent == 0 ? v * 0.0 : exponent * pow_scalar(v, exponent - 1);
  });
}

// y = sin x            dx = g cos x
Variable sin(const Variable& x) {
  return unary_of_input("sin", sin(x.value()), x, [](const Variable& v) { return cos(v); });
}

// y = cos x            dx = -g sin x
Variable cos(const Variable& x) {
  return unary_of_input("cos", cos(x.value()), x, [](const Variable& v) { return -sin(v); });
}

// y = erf x            dx = g 2/sqrt(pi) e^(-x^2)
Variable erf(const Variable& x) {
  return unary_of_input("erf", erf(x.value()), x,
                        [](const Variable& v) { return M_2_SQRTPI * exp(-square(v)); });
}

// y = tanh x           dx = g (1 - y^2)
Variable tanh(const Variable& x) {
  return unary_of_output("tanh", tanh(x.value()), x, [](const Variable& y) { return 1.0 - square(y); });
}

// y = 1/(1 + e^-x)     dx = g y (1 - y)
Variable sigmoid(const Variable& x) {
  return unary_of_output("sigmoid", sigmoid(x.value()), x, [](const Variable& y) { return y * (1.0 - y); });
}

// [softplus]
// y = log(1 + e^x)     dx = g sigmoid(x)
Variable softplus(const Variable& x) {
  return unary_of_input("softplus", softplus(x.value()), x, [](const Variable& v) { return sigmoid(v); });
}
// [/softplus]

// y = max(x, 0)        dx = g [y > 0]      (the output says as much as the input, and is needed by what
// follows anyway)
Variable relu(const Variable& x) {
  return record("relu", relu(x.value()), {x},
                [](const Variable& g, Gradients& out) {
                  if (!may_overwrite(g)) return out.set(0, relu_backward(g, out.output()));
                  binary_into(Binary::relu_backward, g.value(), out.output().value(), g.value());
                  out.set(0, g);
                },
                {.outputs = true});
}

// z = g [y > 0]        dg = h [y > 0], dy = 0
Variable relu_backward(const Variable& g, const Variable& y) {
  return record("relu_backward", relu_backward(g.value(), y.value()), {g, y},
                [shape = g.shape(), y = Saved(y)](const Variable& h, Gradients& out) {
                  if (out.needed(0)) out.set(0, sum_to(relu_backward(h, y()), shape));
                });
}

// y = x > 0 ? x : s x  dx = g (x > 0 ? 1 : s)
Variable leaky_relu(const Variable& x, double slope) {
  return unary_of_input("leaky_relu", leaky_relu(x.value(), slope), x, [slope](const Variable& v) {
    Tensor positive = greater(v.value(), Tensor::scalar(0, v.dtype(), v.device()));
    return Variable(affine(positive.to(v.dtype()), 1 - slope, slope));
  });
}

// y = x > 0 ? x : a (e^x - 1)      dx = g (x > 0 ? 1 : a e^x)
Variable elu(const Variable& x, double alpha) {
  return unary_of_input("elu", elu(x.value(), alpha), x, [alpha](const Variable& v) {
    Tensor zero = Tensor::scalar(0, v.dtype(), v.device());
    // e^min(x, 0) keeps the unused branch finite.
    Variable negative = where(greater(v.value(), zero), Variable(zero), v);
    return where(greater(v.value(), zero), Variable(Tensor::scalar(1, v.dtype(), v.device())),
                 alpha * exp(negative));
  });
}

// y = min(max(x, l), h)    dx = g [l <= x <= h]
Variable clamp(const Variable& x, double low, double high) {
  return unary_of_input("clamp", clamp(x.value(), low, high), x, [low, high](const Variable& v) {
    return constant_mask(equal(clamp(v.value(), low, high), v.value()), v.dtype());
  });
}

// z = x + y            dx = g, dy = g
Variable add(const Variable& x, const Variable& y) {
  return record("add", add(x.value(), y.value()), {x, y},
                [sx = x.shape(), sy = y.shape()](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, sum_to(g, sx));
                  if (out.needed(1)) out.set(1, sum_to(g, sy));
                });
}

// z = x - y            dx = g, dy = -g
Variable sub(const Variable& x, const Variable& y) {
  return record("sub", sub(x.value(), y.value()), {x, y},
                [sx = x.shape(), sy = y.shape()](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, sum_to(g, sx));
                  if (out.needed(1)) out.set(1, sum_to(-g, sy));
                });
}

// [mul]
// z = x y              dx = g y, dy = g x
Variable mul(const Variable& x, const Variable& y) {
  return record("mul", mul(x.value(), y.value()), {x, y},
                [x = Saved(x), y = Saved(y)](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, sum_to(g * y(), x().shape()));
                  if (out.needed(1)) out.set(1, sum_to(g * x(), y().shape()));
                });
}
// [/mul]

// z = x / y            dx = g / y, dy = -g / y (x / y): a y^2 would leave the range of floats where dy does not
Variable div(const Variable& x, const Variable& y) {
  return record("div", div(x.value(), y.value()), {x, y},
                [x = Saved(x), y = Saved(y)](const Variable& g, Gradients& out) {
                  const Variable share = g / y();
                  if (out.needed(0)) out.set(0, sum_to(share, x().shape()));
                  if (out.needed(1)) out.set(1, sum_to(-(share * (x() / y())), y().shape()));
                });
}

namespace {

// The share of x in an extreme of x and y: 1 where it is the extreme, 1/2 where both are, 0 elsewhere.
Variable share(const Tensor& wins, const Tensor& ties, DType dtype) {
  return Variable(add(wins.to(dtype), affine(ties.to(dtype), 0.5, 0)));
}

Variable extreme(const char* op, Tensor z, const Variable& x, const Variable& y, bool largest) {
  return record(op, std::move(z), {x, y},
                [x = Saved(x), y = Saved(y), largest](const Variable& g, Gradients& out) {
                  const Tensor& a = largest ? x().value() : y().value();
                  const Tensor& b = largest ? y().value() : x().value();
                  Tensor ties = equal(a, b);
                  if (out.needed(0))
                    out.set(0, sum_to(g * share(greater(a, b), ties, g.dtype()), x().shape()));
                  if (out.needed(1))
                    out.set(1, sum_to(g * share(greater(b, a), ties, g.dtype()), y().shape()));
                });
}

}  // namespace

Variable maximum(const Variable& x, const Variable& y) {
  return extreme("maximum", maximum(x.value(), y.value()), x, y, true);
}
Variable minimum(const Variable& x, const Variable& y) {
  return extreme("minimum", minimum(x.value(), y.value()), x, y, false);
}

namespace {

// x, but 1 where it is 0 and the exponent is `fits`: where a factor of 0 is to win over the infinity of 0^-1 or log 0.
Variable without_zeros(const Variable& x, const Tensor& fits) {
  const Tensor zero = Tensor::scalar(0, x.dtype(), x.device());
  return where(mul(equal(x.value(), zero), fits), Variable(Tensor::scalar(1, x.dtype(), x.device())), x);
}

}  // namespace

// z = x^y              dx = g y x^(y-1), 0 where x = y = 0;  dy = g z log x, 0 where x = 0 <= y
Variable pow(const Variable& x, const Variable& y) {
  return record("pow", pow(x.value(), y.value()), {x, y},
                [x = Saved(x), y = Saved(y)](const Variable& g, Gradients& out) {
                  const Tensor zero = Tensor::scalar(0, g.dtype(), g.device());
                  if (out.needed(0)) {
                    const Variable base = without_zeros(x(), equal(y().value(), zero));
                    out.set(0, sum_to(g * y() * pow(base, y() - 1.0), x().shape()));
                  }
                  if (out.needed(1)) {
                    const Variable base = without_zeros(x(), greater_equal(y().value(), zero));
                    out.set(1, sum_to(g * out.output() * log(base), y().shape()));
                  }
                },
                {.outputs = true});
}

// z = c ? x : y        dx = c ? g : 0, dy = c ? 0 : g
Variable where(const Tensor& condition, const Variable& x, const Variable& y) {
  return record("where", where(condition, x.value(), y.value()), {x, y},
                [c = Saved(condition), sx = x.shape(), sy = y.shape()](const Variable& g, Gradients& out) {
                  Variable zero(Tensor::scalar(0, g.dtype(), g.device()));
                  if (out.needed(0)) out.set(0, sum_to(where(c().value(), g, zero), sx));
                  if (out.needed(1)) out.set(1, sum_to(where(c().value(), zero, g), sy));
                });
}

}  // namespace tenon

TENON_BACKWARD(affine)
TENON_BACKWARD(abs)
TENON_BACKWARD(exp)
TENON_BACKWARD(log)
TENON_BACKWARD(log1p)
TENON_BACKWARD(sqrt)
TENON_BACKWARD(rsqrt)
TENON_BACKWARD(reciprocal)
TENON_BACKWARD(square)
TENON_BACKWARD(pow_scalar)
TENON_BACKWARD(sin)
TENON_BACKWARD(cos)
TENON_BACKWARD(erf)
TENON_BACKWARD(tanh)
TENON_BACKWARD(sigmoid)
TENON_BACKWARD(softplus)
TENON_BACKWARD(relu)
TENON_BACKWARD(leaky_relu)
TENON_BACKWARD(elu)
TENON_BACKWARD(clamp)
TENON_BACKWARD(add)
TENON_BACKWARD(sub)
TENON_BACKWARD(mul)
TENON_BACKWARD(div)
TENON_BACKWARD(maximum)
TENON_BACKWARD(minimum)
TENON_BACKWARD(pow)
TENON_BACKWARD(relu_backward)
TENON_BACKWARD(where)
