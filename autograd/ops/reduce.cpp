#include "autograd/ops/reduce.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace tenon {
namespace {

// `shape` with the reduced axes at extent 1: what a result must be reshaped to before it broadcasts against
// x.
Shape kept_shape(const Shape& shape, const Dims& axes) {
  Shape kept = shape;
  for (int64_t axis : normalize_axes("reduce", axes, shape.rank())) kept[static_cast<int>(axis)] = 1;
  return kept;
}

int64_t count_of(const Shape& shape, const Dims& axes) {
  int64_t count = 1;
  for (int64_t axis : normalize_axes("reduce", axes, shape.rank())) count *= shape[static_cast<int>(axis)];
  return count;
}

// y = amax x           dx = g [x = y] / count of ties
Variable extreme(const char* op, Tensor y, const Variable& x, const Dims& axes) {
  return record(op, std::move(y), {x},
                [x = Saved(x), axes](const Variable& g, Gradients& out) {
                  Shape kept = kept_shape(x().shape(), axes);
                  Tensor ties = equal(x().value(),
                                      broadcast_to("amax", out.output().value().reshape(kept), x().shape()))
                                    .to(g.dtype());
                  Tensor weight = div(ties, sum(ties, axes, true));
                  out.set(0, reshape(g, kept) * Variable(weight));
                },
                {.outputs = true});
}

// y = max x along one axis, at index i        dx[i] = g, elsewhere 0
std::pair<Variable, Tensor> extreme_with_index(const char* op, const std::pair<Tensor, Tensor>& y,
                                               const Variable& x, int64_t axis) {
  int a = normalize_axis(op, axis, x.rank());
  Variable value = record(
      op, y.first, {x}, [at = Saved(y.second), a, shape = x.shape()](const Variable& g, Gradients& out) {
        const Tensor& index = at().value();
        Shape kept = shape;
        kept[a] = 1;
        Shape along = Dims::filled(shape.rank(), 1);
        along[a] = shape[a];
        Tensor positions = Tensor::arange(shape[a], int64, index.device()).reshape(along);
        Tensor chosen = equal(broadcast_to("max_with_index", positions, shape), index.reshape(kept));
        out.set(0, reshape(g, kept) * Variable(chosen.to(g.dtype())));
      });
  return {value, y.second};
}

}  // namespace

// y = sum x            dx = g, broadcast
Variable sum(const Variable& x, const Dims& axes, bool keep) {
  return record("sum", sum(x.value(), axes, keep), {x},
                [shape = x.shape(), axes](const Variable& g, Gradients& out) {
                  out.set(0, expand(reshape(g, kept_shape(shape, axes)), shape));
                });
}

// y = sum x / n        dx = g / n, broadcast
Variable mean(const Variable& x, const Dims& axes, bool keep) {
  return record("mean", mean(x.value(), axes, keep), {x},
                [shape = x.shape(), axes](const Variable& g, Gradients& out) {
                  Variable scaled = g / static_cast<double>(count_of(shape, axes));
                  out.set(0, expand(reshape(scaled, kept_shape(shape, axes)), shape));
                });
}

Variable amax(const Variable& x, const Dims& axes, bool keep) {
  return extreme("amax", amax(x.value(), axes, keep), x, axes);
}
Variable amin(const Variable& x, const Dims& axes, bool keep) {
  return extreme("amin", amin(x.value(), axes, keep), x, axes);
}

std::pair<Variable, Tensor> max_with_index(const Variable& x, int64_t axis, bool keep) {
  return extreme_with_index("max_with_index", max_with_index(x.value(), axis, keep), x, axis);
}
std::pair<Variable, Tensor> min_with_index(const Variable& x, int64_t axis, bool keep) {
  return extreme_with_index("min_with_index", min_with_index(x.value(), axis, keep), x, axis);
}

// y = sum (x - m)^2 / (n - c)      dx = 2 g (x - m) / (n - c)
Variable variance(const Variable& x, const Dims& axes, bool keep, int64_t correction) {
  return record("variance", variance(x.value(), axes, keep, correction), {x},
                [x = Saved(x), axes, correction](const Variable& g, Gradients& out) {
                  double scale = 2.0 / static_cast<double>(count_of(x().shape(), axes) - correction);
                  Variable centred = x() - mean(x(), axes, true);
                  out.set(0, reshape(g, kept_shape(x().shape(), axes)) * (centred * scale));
                });
}

// y = sum |x|          dx = g sign(x)
Variable norm1(const Variable& x, const Dims& axes, bool keep) {
  return record("norm1", norm1(x.value(), axes, keep), {x},
                [x = Saved(x), axes](const Variable& g, Gradients& out) {
                  out.set(0, reshape(g, kept_shape(x().shape(), axes)) * Variable(sign(x().value())));
                });
}

// y = sqrt(sum x^2)    dx = g x / y,  0 where y = 0
Variable norm2(const Variable& x, const Dims& axes, bool keep) {
  return record("norm2", norm2(x.value(), axes, keep), {x},
                [x = Saved(x), axes](const Variable& g, Gradients& out) {
                  Variable y = out.output();
                  // Where y = 0 the quotient is a constant 0, lest the second derivative be what a divisor made of it.
                  const Variable zero(Tensor::scalar(0, y.dtype(), y.device())),
                      one(Tensor::scalar(1, y.dtype(), y.device()));
                  const Tensor is_zero = equal(y.value(), zero.value());
                  const Variable quotient = where(is_zero, zero, g / where(is_zero, one, y));
                  out.set(0, x() * reshape(quotient, kept_shape(x().shape(), axes)));
                },
                {.outputs = true});
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  int extra = x.rank() - shape.rank();
  Dims axes;
  for (int i = 0; i < x.rank(); ++i)
    if (i < extra || (shape[i - extra] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  return reshape(axes.rank() ? sum(x, axes, true) : x, shape);
}

}  // namespace tenon

TENON_BACKWARD(sum)
TENON_BACKWARD(mean)
TENON_BACKWARD(amax)
TENON_BACKWARD(amin)
TENON_BACKWARD(max_with_index)
TENON_BACKWARD(min_with_index)
TENON_BACKWARD(variance)
TENON_BACKWARD(norm1)
TENON_BACKWARD(norm2)
