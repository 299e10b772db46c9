#include "core/ops/reduce.h"

#include "core/cpu/reduce.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/iteration.h"
#include "cuda/kernels/reduce.h"

namespace tenon {
namespace {

// Where the results go (`kept` has the reduced axes at extent 1) and how x is walked.
struct Plan {
  Tensor result;
  ReduceLoop loop;
  int64_t count = 1;  // items behind one result
};

Plan plan(const char* op, const Tensor& x, const Dims& axes, DType dtype) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  Plan p;
  Shape kept_shape = x.shape();
  Shape reduced_shape;
  Strides reduced_strides;
  for (int64_t axis : normalize_axes(op, axes, x.rank())) {
    int a = static_cast<int>(axis);
    p.count *= x.shape()[a];
    kept_shape[a] = 1;
    reduced_shape.push_back(x.shape()[a]);
    reduced_strides.push_back(x.strides()[a]);
  }
  p.result =
      Tensor::empty_strided(kept_shape, strides_in_order_of(kept_shape, x.strides()), dtype, x.device());
  if (p.result.is_empty() || p.count == 0) return p;
  Tensor first = x.as_strided(kept_shape, x.strides(), x.offset());  // the first item of each result
  p.loop.kept = make_loop<2>({&p.result, &first});
  Tensor items = x.as_strided(reduced_shape, reduced_strides, x.offset());
  p.loop.reduced = make_loop<1>({&items});
  return p;
}

Tensor without_axes(const char* op, const Tensor& result, const Dims& axes, bool keep) {
  if (keep) return result;
  Tensor out = result;
  Dims normal = normalize_axes(op, axes, result.rank());
  for (int i = normal.rank() - 1; i >= 0; --i) out = out.squeeze(normal[i]);
  return out;
}

Tensor run_reduce(Reduce kind, const char* op, const Tensor& x, const Dims& axes, bool keep,
                  bool mean = false) {
  Plan p = plan(op, x, axes, x.dtype());
  bool sums = kind != Reduce::max && kind != Reduce::min;
  TENON_CHECK(p.count > 0 || (sums && !mean) || p.result.is_empty(), op, ": no elements to reduce in ",
              x.str(), " over axes ", axes);
  if (p.count == 0) p.result.fill_(0);
  if (p.count > 0 && !p.result.is_empty()) {
    double scale = mean ? 1.0 / static_cast<double>(p.count) : 1.0;
    TENON_DISPATCH(x.device(), reduce, kind, p.loop, x.dtype(), p.result.raw(), x.raw(), scale);
  }
  return without_axes(op, p.result, axes, keep);
}

std::pair<Tensor, Tensor> run_with_index(Reduce kind, const char* op, const Tensor& x, int64_t axis,
                                         bool keep) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  Dims axes{normalize_axis(op, axis, x.rank())};
  Plan p = plan(op, x, axes, x.dtype());
  TENON_CHECK(p.count > 0, op, ": no elements to reduce in ", x.str(), " over axis ", axis);
  Tensor indices = Tensor::empty_strided(p.result.shape(), p.result.strides(), int64, x.device());
  if (!p.result.is_empty())
    TENON_DISPATCH(x.device(), reduce_with_index, kind, p.loop, x.dtype(), p.result.raw(),
                   static_cast<int64_t*>(indices.raw()), x.raw());
  return {without_axes(op, p.result, axes, keep), without_axes(op, indices, axes, keep)};
}

void require_floating(const char* op, const Tensor& x) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& axes, bool keep) {
  return run_reduce(Reduce::sum, "sum", x, axes, keep);
}

Tensor mean(const Tensor& x, const Dims& axes, bool keep) {
  require_floating("mean", x);
  return run_reduce(Reduce::sum, "mean", x, axes, keep, true);
}

Tensor amax(const Tensor& x, const Dims& axes, bool keep) {
  return run_reduce(Reduce::max, "amax", x, axes, keep);
}
Tensor amin(const Tensor& x, const Dims& axes, bool keep) {
  return run_reduce(Reduce::min, "amin", x, axes, keep);
}

std::pair<Tensor, Tensor> max_with_index(const Tensor& x, int64_t axis, bool keep) {
  return run_with_index(Reduce::max, "max_with_index", x, axis, keep);
}
std::pair<Tensor, Tensor> min_with_index(const Tensor& x, int64_t axis, bool keep) {
  return run_with_index(Reduce::min, "min_with_index", x, axis, keep);
}

Tensor variance(const Tensor& x, const Dims& axes, bool keep, int64_t correction) {
  require_floating("variance", x);
  Dims normal = normalize_axes("variance", axes, x.rank());
  int64_t count = 1;
  for (int64_t axis : normal) count *= x.shape()[static_cast<int>(axis)];
  TENON_CHECK(count > correction, "variance: expects more than ", correction, " elements, got ", count,
              " in ", x.str(), " over axes ", axes);
  Tensor centred = sub(x, mean(x, axes, true));
  Tensor squares = run_reduce(Reduce::sum_of_squares, "variance", centred, axes, keep);
  return affine(squares, 1.0 / static_cast<double>(count - correction), 0);
}

Tensor norm1(const Tensor& x, const Dims& axes, bool keep) {
  require_floating("norm1", x);
  return run_reduce(Reduce::sum_of_abs, "norm1", x, axes, keep);
}

Tensor norm2(const Tensor& x, const Dims& axes, bool keep) {
  require_floating("norm2", x);
  return sqrt(run_reduce(Reduce::sum_of_squares, "norm2", x, axes, keep));
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  int extra = x.rank() - shape.rank();
  Dims axes;
  for (int i = 0; i < x.rank(); ++i)
    if (i < extra || (shape[i - extra] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  TENON_CHECK(extra >= 0 && broadcast_shapes("sum_to", x.shape(), shape) == x.shape(), "sum_to: ", shape,
              " does not broadcast to ", x.shape());
  return (axes.rank() ? sum(x, axes, true) : x).reshape(shape);
}

}  // namespace tenon

TENON_FORWARD(sum)
TENON_FORWARD(mean)
TENON_FORWARD(amax)
TENON_FORWARD(amin)
TENON_FORWARD(max_with_index)
TENON_FORWARD(min_with_index)
TENON_FORWARD(variance)
TENON_FORWARD(norm1)
TENON_FORWARD(norm2)
