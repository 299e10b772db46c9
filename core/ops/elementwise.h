// Elementwise ops. Operands broadcast by numpy's rule; the result is dense and keeps the memory order of the
// first operand that has the result's shape. Formulas: core/functors.h. All throw Error on undefined tensors,
// on mixed dtypes or devices, on shapes that do not broadcast, and on dtypes they do not take.
#pragma once

#include "core/functors.h"
#include "core/tensor.h"

namespace tenon {

// ---- unary: float32 or float64, any shape -----------------------------------------------------------
/// scale * x + shift, rounded once (fused multiply-add).
Tensor affine(const Tensor& x, double scale, double shift);
Tensor abs(const Tensor& x);
/// -1, 0 or 1; sign(0) = 0.
Tensor sign(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor square(const Tensor& x);
/// x^exponent, as std::pow.
Tensor pow_scalar(const Tensor& x, double exponent);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
/// log(1 + e^x) without overflow.
Tensor softplus(const Tensor& x);
Tensor relu(const Tensor& x);
/// x where x > 0, else slope * x.
Tensor leaky_relu(const Tensor& x, double slope);
/// x where x > 0, else alpha * (e^x - 1).
Tensor elu(const Tensor& x, double alpha);
/// min(max(x, low), high). Throws if low > high.
Tensor clamp(const Tensor& x, double low, double high);
Tensor floor(const Tensor& x);
/// To the nearest integer, halves to even.
Tensor round(const Tensor& x);

// ---- binary -----------------------------------------------------------------------------------------
/// Any dtype; integers wrap around.
Tensor add(const Tensor& x, const Tensor& y);
Tensor sub(const Tensor& x, const Tensor& y);
Tensor mul(const Tensor& x, const Tensor& y);
/// float32 or float64.
Tensor div(const Tensor& x, const Tensor& y);
/// Any dtype; NaN if either is NaN.
Tensor maximum(const Tensor& x, const Tensor& y);
Tensor minimum(const Tensor& x, const Tensor& y);
/// x^y, float32 or float64, as std::pow.
Tensor pow(const Tensor& x, const Tensor& y);
/// g where y > 0, else 0: the gradient of relu, whose output y may be.
Tensor relu_backward(const Tensor& g, const Tensor& y);

// ---- comparisons: any dtype in, uint8 (0 or 1) out --------------------------------------------------
Tensor equal(const Tensor& x, const Tensor& y);
Tensor not_equal(const Tensor& x, const Tensor& y);
Tensor less(const Tensor& x, const Tensor& y);
Tensor less_equal(const Tensor& x, const Tensor& y);
Tensor greater(const Tensor& x, const Tensor& y);
Tensor greater_equal(const Tensor& x, const Tensor& y);

/// condition ? x : y; condition is uint8, x and y any one dtype; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);

// ---- into existing memory (not differentiable; the building blocks of the above and of the tensor's copies) ---
/// target = op(x, y); target has the broadcast shape. In place (target is x) is allowed.
void binary_into(Binary op, const Tensor& x, const Tensor& y, const Tensor& target);
/// target = op(x; a, b).
void unary_into(Unary op, const Tensor& x, const Tensor& target, double a = 0, double b = 0);
/// target = source converted; same shape and device.
void copy_into(const char* op, const Tensor& source, const Tensor& target);
void fill_into(const Tensor& target, double value);
/// target = 0, 1, ..., n - 1; of rank 1 and row-major.
void count_into(const Tensor& target);

}  // namespace tenon
