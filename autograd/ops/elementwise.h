// Elementwise ops on Variables: as core/ops/elementwise.h, recorded. Shapes, dtypes and errors are those of
// the ops on tensors; ops that are not differentiable stay functions on tensors.
#pragma once

#include "autograd/variable.h"

namespace tenon {

Variable affine(const Variable& x, double scale, double shift);
Variable abs(const Variable& x);
Variable exp(const Variable& x);
Variable log(const Variable& x);
Variable log1p(const Variable& x);
Variable sqrt(const Variable& x);
Variable rsqrt(const Variable& x);
Variable reciprocal(const Variable& x);
Variable square(const Variable& x);
Variable pow_scalar(const Variable& x, double exponent);
Variable sin(const Variable& x);
Variable cos(const Variable& x);
Variable erf(const Variable& x);
Variable tanh(const Variable& x);
Variable sigmoid(const Variable& x);
Variable softplus(const Variable& x);
/// The gradient at 0 is 0.
Variable relu(const Variable& x);
Variable leaky_relu(const Variable& x, double slope);
Variable elu(const Variable& x, double alpha);
/// The gradient passes where low <= x <= high.
Variable clamp(const Variable& x, double low, double high);

Variable add(const Variable& x, const Variable& y);
Variable sub(const Variable& x, const Variable& y);
Variable mul(const Variable& x, const Variable& y);
Variable div(const Variable& x, const Variable& y);
/// Where x and y are equal each gets half of the gradient.
Variable maximum(const Variable& x, const Variable& y);
Variable minimum(const Variable& x, const Variable& y);
Variable pow(const Variable& x, const Variable& y);
Variable relu_backward(const Variable& g, const Variable& y);
/// The condition is a uint8 tensor.
Variable where(const Tensor& condition, const Variable& x, const Variable& y);

inline Variable neg(const Variable& x) { return affine(x, -1, 0); }
inline Variable operator-(const Variable& x) { return affine(x, -1, 0); }
inline Variable operator+(const Variable& x, const Variable& y) { return add(x, y); }
inline Variable operator-(const Variable& x, const Variable& y) { return sub(x, y); }
inline Variable operator*(const Variable& x, const Variable& y) { return mul(x, y); }
inline Variable operator/(const Variable& x, const Variable& y) { return div(x, y); }
inline Variable operator+(const Variable& x, double y) { return affine(x, 1, y); }
inline Variable operator-(const Variable& x, double y) { return affine(x, 1, -y); }
inline Variable operator*(const Variable& x, double y) { return affine(x, y, 0); }
inline Variable operator/(const Variable& x, double y) { return affine(x, 1 / y, 0); }
inline Variable operator*(double x, const Variable& y) { return affine(y, x, 0); }
inline Variable operator+(double x, const Variable& y) { return affine(y, 1, x); }
inline Variable operator-(double x, const Variable& y) { return affine(y, -1, x); }

}  // namespace tenon
