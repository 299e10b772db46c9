#include "core/ops/elementwise.h"

#include "core/cpu/elementwise.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/iteration.h"
#include "cuda/kernels/elementwise.h"

namespace tenon {
namespace {

void require_defined(const char* op, const Tensor& x) { TENON_CHECK(x.defined(), op, ": undefined tensor"); }

// Result of `shape` in the memory order of the first operand that already has that shape.
Tensor result_like(const Tensor& x, const Tensor& y, const Shape& shape, DType dtype) {
  const Tensor& like = x.shape() == shape ? x : y;
  Strides strides =
      like.shape() == shape ? strides_in_order_of(shape, like.strides()) : contiguous_strides(shape);
  return Tensor::empty_strided(shape, strides, dtype, x.device());
}

Tensor run_unary(Unary op, const char* name, const Tensor& x, double a = 0, double b = 0) {
  require_defined(name, x);
  TENON_CHECK(is_floating(x.dtype()), name, ": expects float32 or float64, got ", x.str());
  Tensor y = Tensor::empty_like(x);
  unary_into(op, x, y, a, b);
  return y;
}

void check_pair(const char* name, const Tensor& x, const Tensor& y) {
  require_defined(name, x);
  require_defined(name, y);
  check_same_dtype(name, x, y);
  check_same_device(name, x, y);
}

Tensor run_binary(Binary op, const char* name, const Tensor& x, const Tensor& y, bool floating_only = false) {
  check_pair(name, x, y);
  TENON_CHECK(!floating_only || is_floating(x.dtype()), name, ": expects float32 or float64, got ", x.str());
  Tensor z = result_like(x, y, broadcast_shapes(name, x.shape(), y.shape()), x.dtype());
  binary_into(op, x, y, z);
  return z;
}

Tensor run_compare(Compare op, const char* name, const Tensor& x, const Tensor& y) {
  check_pair(name, x, y);
  Tensor z = result_like(x, y, broadcast_shapes(name, x.shape(), y.shape()), uint8);
  if (z.is_empty()) return z;
  Tensor bx = broadcast_to(name, x, z.shape());
  Tensor by = broadcast_to(name, y, z.shape());
  Loop<3> loop = make_loop<3>({&z, &bx, &by});
  TENON_DISPATCH(x.device(), compare, op, loop, x.dtype(), static_cast<uint8_t*>(z.raw()), bx.raw(),
                 by.raw());
  return z;
}

}  // namespace

void fill_into(const Tensor& target, double value) {
  if (target.is_empty()) return;
  Loop<1> loop = make_loop<1>({&target});
  TENON_DISPATCH(target.device(), fill, loop, target.dtype(), target.raw(), value);
}

void count_into(const Tensor& target) {
  TENON_CHECK(target.rank() == 1 && target.is_contiguous(), "count_into: expects a row-major vector, got ",
              target.str());
  if (target.is_empty()) return;
  TENON_DISPATCH(target.device(), count_up, target.numel(), target.dtype(), target.raw());
}

void copy_into(const char* op, const Tensor& source, const Tensor& target) {
  TENON_CHECK(source.shape() == target.shape(), op, ": expects shape ", target.shape(), ", got ",
              source.shape());
  check_same_device(op, source, target);
  if (target.is_empty()) return;
  Loop<2> loop = make_loop<2>({&target, &source});
  TENON_DISPATCH(target.device(), copy, loop, target.dtype(), target.raw(), source.dtype(), source.raw());
}

void unary_into(Unary op, const Tensor& x, const Tensor& target, double a, double b) {
  TENON_CHECK(x.shape() == target.shape(), "unary_into: expects shape ", target.shape(), ", got ", x.shape());
  check_same_dtype("unary_into", x, target);
  check_same_device("unary_into", x, target);
  if (target.is_empty()) return;
  Loop<2> loop = make_loop<2>({&target, &x});
  TENON_DISPATCH(target.device(), unary, op, loop, x.dtype(), target.raw(), x.raw(), a, b);
}

void binary_into(Binary op, const Tensor& x, const Tensor& y, const Tensor& target) {
  check_pair("binary_into", x, y);
  check_pair("binary_into", x, target);
  if (target.is_empty()) return;
  Tensor bx = broadcast_to("binary_into", x, target.shape());
  Tensor by = broadcast_to("binary_into", y, target.shape());
  Loop<3> loop = make_loop<3>({&target, &bx, &by});
  TENON_DISPATCH(target.device(), binary, op, loop, x.dtype(), target.raw(), bx.raw(), by.raw());
}

Tensor affine(const Tensor& x, double scale, double shift) {
  return run_unary(Unary::affine, "affine", x, scale, shift);
}
Tensor pow_scalar(const Tensor& x, double exponent) {
  return run_unary(Unary::pow_scalar, "pow_scalar", x, exponent);
}
Tensor leaky_relu(const Tensor& x, double slope) {
  return run_unary(Unary::leaky_relu, "leaky_relu", x, slope);
}
Tensor elu(const Tensor& x, double alpha) { return run_unary(Unary::elu, "elu", x, alpha); }
Tensor clamp(const Tensor& x, double low, double high) {
  TENON_CHECK(low <= high, "clamp: expects low <= high, got ", low, " and ", high);
  return run_unary(Unary::clamp, "clamp", x, low, high);
}

#define TENON_DEFINE_UNARY(name) \
  Tensor name(const Tensor& x) { return run_unary(Unary::name, #name, x); }
TENON_DEFINE_UNARY(abs)
TENON_DEFINE_UNARY(sign)
TENON_DEFINE_UNARY(exp)
TENON_DEFINE_UNARY(log)
TENON_DEFINE_UNARY(log1p)
TENON_DEFINE_UNARY(sqrt)
TENON_DEFINE_UNARY(rsqrt)
TENON_DEFINE_UNARY(reciprocal)
TENON_DEFINE_UNARY(square)
TENON_DEFINE_UNARY(sin)
TENON_DEFINE_UNARY(cos)
TENON_DEFINE_UNARY(erf)
TENON_DEFINE_UNARY(tanh)
TENON_DEFINE_UNARY(sigmoid)
TENON_DEFINE_UNARY(softplus)
TENON_DEFINE_UNARY(relu)
TENON_DEFINE_UNARY(floor)
TENON_DEFINE_UNARY(round)
#undef TENON_DEFINE_UNARY

Tensor add(const Tensor& x, const Tensor& y) { return run_binary(Binary::add, "add", x, y); }
Tensor sub(const Tensor& x, const Tensor& y) { return run_binary(Binary::sub, "sub", x, y); }
Tensor mul(const Tensor& x, const Tensor& y) { return run_binary(Binary::mul, "mul", x, y); }
Tensor div(const Tensor& x, const Tensor& y) { return run_binary(Binary::div, "div", x, y, true); }
Tensor maximum(const Tensor& x, const Tensor& y) { return run_binary(Binary::maximum, "maximum", x, y); }
Tensor minimum(const Tensor& x, const Tensor& y) { return run_binary(Binary::minimum, "minimum", x, y); }
Tensor pow(const Tensor& x, const Tensor& y) { return run_binary(Binary::pow, "pow", x, y, true); }
Tensor relu_backward(const Tensor& g, const Tensor& y) {
  return run_binary(Binary::relu_backward, "relu_backward", g, y);
}

#define TENON_DEFINE_COMPARE(name, formula) \
  Tensor name(const Tensor& x, const Tensor& y) { return run_compare(Compare::name, #name, x, y); }
TENON_COMPARE_OPS(TENON_DEFINE_COMPARE)
#undef TENON_DEFINE_COMPARE

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  require_defined("where", condition);
  check_pair("where", x, y);
  check_same_device("where", condition, x);
  TENON_CHECK(condition.dtype() == uint8, "where: condition expects uint8, got ", condition.str());
  Shape shape = broadcast_shapes("where", broadcast_shapes("where", x.shape(), y.shape()), condition.shape());
  Tensor z = result_like(x, y, shape, x.dtype());
  if (z.is_empty()) return z;
  Tensor bc = broadcast_to("where", condition, shape);
  Tensor bx = broadcast_to("where", x, shape);
  Tensor by = broadcast_to("where", y, shape);
  Loop<4> loop = make_loop<4>({&z, &bc, &bx, &by});
  TENON_DISPATCH(x.device(), where, loop, x.dtype(), z.raw(), static_cast<const uint8_t*>(bc.raw()), bx.raw(),
                 by.raw());
  return z;
}

}  // namespace tenon

#define TENON_FORWARD_OF(name, formula) TENON_FORWARD(name)
TENON_UNARY_OPS(TENON_FORWARD_OF)
TENON_BINARY_OPS(TENON_FORWARD_OF)
TENON_COMPARE_OPS(TENON_FORWARD_OF)
#undef TENON_FORWARD_OF
TENON_FORWARD(where)
