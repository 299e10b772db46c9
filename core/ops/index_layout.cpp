// Joining, padding and turning: compositions of copies into windows, and of index_select.
#include <algorithm>

#include "core/cpu/elementwise.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "cuda/kernels/elementwise.h"

namespace tenon {
namespace {

// All tensors must be like the first, but along `axis` (-1: nowhere else either).
void check_alike(const char* op, const std::vector<Tensor>& tensors, int axis) {
  const Tensor& first = tensors[0];
  for (const Tensor& x : tensors) {
    TENON_CHECK(x.defined(), op, ": undefined tensor");
    check_same_dtype(op, first, x);
    check_same_device(op, first, x);
    Shape expected = first.shape();
    if (axis >= 0 && x.rank() == first.rank()) expected[axis] = x.shape()[axis];
    TENON_CHECK(x.shape() == expected, op, ": shapes ", first.shape(), " and ", x.shape(),
                " do not fit together", axis >= 0 ? concat(" along axis ", axis) : std::string());
  }
}

void check_padding(const char* op, const Tensor& x, const Dims& before, const Dims& after) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(before.rank() == x.rank() && after.rank() == x.rank(), op,
              ": expects one padding before and after each axis of ", x.shape(), ", got ", before, " and ",
              after);
  for (int i = 0; i < x.rank(); ++i) {
    TENON_CHECK(before[i] >= 0 && after[i] >= 0, op, ": expects paddings >= 0, got ", before, " and ", after);
    int64_t padded = 0;
    TENON_CHECK(!__builtin_add_overflow(before[i], after[i], &padded) &&
                    !__builtin_add_overflow(padded, x.shape()[i], &padded),
                op, ": paddings ", before, " and ", after, " of ", x.shape(), " are too large to be counted");
  }
}

// Positions in x along a padded axis, before those outside are turned back.
Tensor shifted_positions(int64_t extent, int64_t before, int64_t after, Device device) {
  return sub(Tensor::arange(before + extent + after, int64, device),
             Tensor::scalar(static_cast<double>(before), int64, device));
}

// |p|, then mirrored at the last element: the smaller of p and 2 (extent - 1) - p.
Tensor reflect_positions(int64_t extent, int64_t before, int64_t after, Device device) {
  TENON_CHECK(before < extent && after < extent, "pad_reflect: expects paddings smaller than the extent ",
              extent, ", got ", before, " and ", after);
  const Tensor p = shifted_positions(extent, before, after, device);
  const Tensor distance = maximum(p, sub(Tensor::scalar(0, int64, device), p));
  const Tensor mirrored = sub(Tensor::scalar(2.0 * static_cast<double>(extent - 1), int64, device), distance);
  return minimum(distance, mirrored);
}

Tensor replicate_positions(int64_t extent, int64_t before, int64_t after, Device device) {
  TENON_CHECK(extent > 0, "pad_replicate: there is no element to repeat on an axis of extent 0");
  const Tensor p = shifted_positions(extent, before, after, device);
  return minimum(maximum(p, Tensor::scalar(0, int64, device)),
                 Tensor::scalar(static_cast<double>(extent - 1), int64, device));
}

Tensor pad_from(const char* op, const Tensor& x, const Dims& before, const Dims& after,
                Tensor (*positions)(int64_t, int64_t, int64_t, Device)) {
  check_padding(op, x, before, after);
  Tensor y = x;
  bool padded = false;
  for (int i = 0; i < x.rank(); ++i) padded = padded || before[i] + after[i] > 0;
  if (!padded) return x.clone();
  for (int i = 0; i < x.rank(); ++i)
    if (before[i] + after[i] > 0)
      y = index_select(y, i, positions(x.shape()[i], before[i], after[i], x.device()));
  return y;
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, int64_t axis) {
  TENON_CHECK(!tensors.empty(), "cat: expects at least one tensor");
  TENON_CHECK(tensors[0].defined(), "cat: undefined tensor");
  const Tensor& first = tensors[0];
  int a = normalize_axis("cat", axis, first.rank());
  check_alike("cat", tensors, a);
  Shape shape = first.shape();
  shape[a] = 0;
  for (const Tensor& x : tensors) shape[a] += x.shape()[a];
  Tensor y = Tensor::empty_strided(shape, strides_in_order_of(shape, first.strides()), first.dtype(),
                                   first.device());
  int64_t at = 0;
  for (const Tensor& x : tensors) {
    copy_into("cat", x, y.narrow(a, at, x.shape()[a]));
    at += x.shape()[a];
  }
  return y;
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t axis) {
  TENON_CHECK(!tensors.empty(), "stack: expects at least one tensor");
  TENON_CHECK(tensors[0].defined(), "stack: undefined tensor");
  int a = normalize_axis("stack", axis, tensors[0].rank() + 1);
  check_alike("stack", tensors, -1);
  std::vector<Tensor> layers;
  for (const Tensor& x : tensors) layers.push_back(x.unsqueeze(a));
  return cat(layers, a);
}

Tensor pad(const Tensor& x, const Dims& before, const Dims& after, double value) {
  check_padding("pad", x, before, after);
  Shape shape = x.shape();
  for (int i = 0; i < x.rank(); ++i) shape[i] += before[i] + after[i];
  Tensor y = Tensor::empty_strided(shape, strides_in_order_of(shape, x.strides()), x.dtype(), x.device());
  fill_into(y, value);
  Tensor window = y;
  for (int i = 0; i < x.rank(); ++i) window = window.narrow(i, before[i], x.shape()[i]);
  copy_into("pad", x, window);
  return y;
}

Tensor pad_reflect(const Tensor& x, const Dims& before, const Dims& after) {
  return pad_from("pad_reflect", x, before, after, reflect_positions);
}

Tensor pad_replicate(const Tensor& x, const Dims& before, const Dims& after) {
  return pad_from("pad_replicate", x, before, after, replicate_positions);
}

Tensor flip(const Tensor& x, const Dims& axes) {
  TENON_CHECK(x.defined(), "flip: undefined tensor");
  bool turned[kMaxRank] = {};
  if (axes.rank() > 0)
    for (int64_t axis : normalize_axes("flip", axes, x.rank())) turned[axis] = true;
  Tensor y = Tensor::empty_like(x);
  if (y.is_empty()) return y;
  // A tensor's strides are never negative, a loop's may be: x is walked from its last element along turned
  // axes.
  int order[kMaxRank];
  for (int i = 0; i < x.rank(); ++i) order[i] = i;
  std::stable_sort(order, order + x.rank(), [&](int a, int b) { return y.strides()[a] > y.strides()[b]; });
  Loop<2> loop;
  loop.numel = y.numel();
  loop.rank = std::max(x.rank(), 1);
  loop.extent[0] = 1;
  int64_t start = 0;
  for (int i = 0; i < x.rank(); ++i) {
    const int axis = order[i];
    loop.extent[i] = x.shape()[axis];
    loop.stride[0][i] = y.strides()[axis];
    loop.stride[1][i] = turned[axis] ? -x.strides()[axis] : x.strides()[axis];
    if (turned[axis]) start += (x.shape()[axis] - 1) * x.strides()[axis];
  }
  const char* from = static_cast<const char*>(x.raw()) + static_cast<size_t>(start) * size_of(x.dtype());
  TENON_DISPATCH(x.device(), copy, loop, y.dtype(), y.raw(), x.dtype(), from);
  return y;
}

Tensor roll(const Tensor& x, const Dims& axes, const Dims& shifts) {
  TENON_CHECK(x.defined(), "roll: undefined tensor");
  TENON_CHECK(axes.rank() == shifts.rank(), "roll: expects a shift for each axis, got axes ", axes,
              " and shifts ", shifts);
  Tensor y = x;
  for (int i = 0; i < axes.rank(); ++i) {
    int a = normalize_axis("roll", axes[i], x.rank());
    const int64_t extent = x.shape()[a];
    if (extent == 0) continue;
    const int64_t up = (shifts[i] % extent + extent) % extent;
    Tensor moved = Tensor::empty_like(y);
    copy_into("roll", y.slice(a, 0, extent - up), moved.slice(a, up, extent));
    copy_into("roll", y.slice(a, extent - up, extent), moved.slice(a, 0, up));
    y = moved;
  }
  return y.shares_storage_with(x) ? x.clone() : y;
}

}  // namespace tenon

TENON_FORWARD(cat)
TENON_FORWARD(stack)
TENON_FORWARD(pad)
TENON_FORWARD(pad_reflect)
TENON_FORWARD(pad_replicate)
TENON_FORWARD(flip)
TENON_FORWARD(roll)
