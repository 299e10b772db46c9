#include "autograd/ops/view.h"

#include "autograd/ops/index.h"
#include "autograd/ops/reduce.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/view.h"

namespace tenon {

Variable reshape(const Variable& x, const Shape& shape) {
  Tensor y = x.value().reshape(shape);
  if (y.shape() == x.shape()) return x;
  return record("reshape", std::move(y), {x},
                [shape = x.shape()](const Variable& g, Gradients& out) { out.set(0, reshape(g, shape)); });
}

Variable permute(const Variable& x, const Dims& order) {
  return record("permute", x.value().permute(order), {x}, [order](const Variable& g, Gradients& out) {
    Dims inverse = order;
    for (int i = 0; i < order.rank(); ++i) inverse[normalize_axis("permute", order[i], order.rank())] = i;
    out.set(0, permute(g, inverse));
  });
}

Variable slice(const Variable& x, int64_t axis, int64_t start, int64_t stop, int64_t step) {
  return record("slice", x.value().slice(axis, start, stop, step), {x},
                [shape = x.shape(), axis, start, stop, step](const Variable& g, Gradients& out) {
                  out.set(0, slice_scatter(g, shape, axis, start, stop, step));
                });
}

Variable slice_scatter(const Variable& x, const Shape& shape, int64_t axis, int64_t start, int64_t stop,
                       int64_t step) {
  return record("slice_scatter", slice_scatter(x.value(), shape, axis, start, stop, step), {x},
                [axis, start, stop, step](const Variable& g, Gradients& out) {
                  out.set(0, slice(g, axis, start, stop, step));
                });
}

Variable expand(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return record("expand", x.value().expand(shape), {x},
                [shape = x.shape()](const Variable& g, Gradients& out) { out.set(0, sum_to(g, shape)); });
}

// y_i = part i of x    dx = the parts' gradients one after the other, 0 for a part that nobody used
std::vector<Variable> split(const Variable& x, int64_t axis, const std::vector<int64_t>& sizes) {
  const std::vector<Tensor> parts = split(x.value(), axis, sizes);
  std::vector<Shape> shapes;
  for (const Tensor& part : parts) shapes.push_back(part.shape());
  return record_many(
      "split", parts, {&x, 1},
      [shapes, axis, dtype = x.dtype(), device = x.device()](std::span<const Variable> g, Gradients& out) {
        std::vector<Variable> all(g.begin(), g.end());
        for (size_t i = 0; i < all.size(); ++i)
          if (!all[i].defined()) all[i] = Variable(Tensor::zeros(shapes[i], dtype, device));
        out.set(0, cat(all, axis));
      });
}

Variable transpose(const Variable& x, int64_t a, int64_t b) {
  Dims order;
  for (int i = 0; i < x.rank(); ++i) order.push_back(i);
  std::swap(order[normalize_axis("transpose", a, x.rank())], order[normalize_axis("transpose", b, x.rank())]);
  return permute(x, order);
}

Variable select(const Variable& x, int64_t axis, int64_t index) {
  int a = normalize_axis("select", axis, x.rank());
  int64_t i = index < 0 ? index + x.shape()[a] : index;
  TENON_CHECK(i >= 0 && i < x.shape()[a], "select: index ", index, " is out of range on axis ", a, " of ",
              x.shape());
  return squeeze(slice(x, a, i, i + 1), a);
}

Variable flatten(const Variable& x, int64_t first, int64_t last) {
  return reshape(x, x.value().flatten(first, last).shape());
}
Variable unsqueeze(const Variable& x, int64_t axis) { return reshape(x, x.value().unsqueeze(axis).shape()); }
Variable squeeze(const Variable& x, int64_t axis) { return reshape(x, x.value().squeeze(axis).shape()); }

}  // namespace tenon

TENON_BACKWARD(reshape)
TENON_BACKWARD(permute)
TENON_BACKWARD(slice)
TENON_BACKWARD(expand)
TENON_BACKWARD(slice_scatter)
TENON_BACKWARD(split)
