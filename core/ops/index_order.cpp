// Order along one axis: sort, top-k, running sums.
#include "core/cpu/index.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/index.h"
#include "core/ops/iteration.h"
#include "cuda/kernels/index.h"

namespace tenon {
namespace {

// The first k of each sorted line, and where they stood.
std::pair<Tensor, Tensor> first_sorted(const Tensor& x, int64_t k, int axis, bool descending) {
  Shape shape = x.shape();
  shape[axis] = k;
  const Strides strides = strides_in_order_of(shape, x.strides());
  Tensor values = Tensor::empty_strided(shape, strides, x.dtype(), x.device());
  Tensor indices = Tensor::empty_strided(shape, strides, int64, x.device());
  if (values.is_empty()) return {values, indices};
  const Lines<3> lines = make_lines<3>(axis, {&values, &indices, &x});
  TENON_DISPATCH(x.device(), sort, lines, descending, x.dtype(), values.raw(),
                 static_cast<int64_t*>(indices.raw()), x.raw());
  return {values, indices};
}

int checked_axis(const char* op, const Tensor& x, int64_t axis) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  return normalize_axis(op, axis, x.rank());
}

}  // namespace

std::pair<Tensor, Tensor> sort(const Tensor& x, int64_t axis, bool descending) {
  int a = checked_axis("sort", x, axis);
  return first_sorted(x, x.shape()[a], a, descending);
}

Tensor argsort(const Tensor& x, int64_t axis, bool descending) {
  int a = checked_axis("argsort", x, axis);
  return first_sorted(x, x.shape()[a], a, descending).second;
}

std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int64_t axis, bool largest) {
  int a = checked_axis("topk", x, axis);
  TENON_CHECK(k >= 0 && k <= x.shape()[a], "topk: expects 0 <= k <= ", x.shape()[a], " (axis ", a, " of ",
              x.shape(), "), got ", k);
  return first_sorted(x, k, a, largest);
}

Tensor cumsum(const Tensor& x, int64_t axis, bool reverse) {
  int a = checked_axis("cumsum", x, axis);
  Tensor y = Tensor::empty_like(x);
  if (y.is_empty()) return y;
  const Lines<2> lines = make_lines<2>(a, {&y, &x});
  TENON_DISPATCH(x.device(), cumsum, lines, reverse, x.dtype(), y.raw(), x.raw());
  return y;
}

}  // namespace tenon

TENON_FORWARD(sort)
TENON_FORWARD(argsort)
TENON_FORWARD(topk)
TENON_FORWARD(cumsum)
