#include "core/ops/view.h"

#include "core/ops/contract.h"
#include "core/ops/elementwise.h"

namespace tenon {

Tensor slice_scatter(const Tensor& x, const Shape& shape, int64_t axis, int64_t start, int64_t stop,
                     int64_t step) {
  TENON_CHECK(x.defined(), "slice_scatter: undefined tensor");
  Strides strides =
      x.rank() == shape.rank() ? strides_in_order_of(shape, x.strides()) : contiguous_strides(shape);
  Tensor out = Tensor::empty_strided(shape, strides, x.dtype(), x.device());
  fill_into(out, 0);
  Tensor window = out.slice(axis, start, stop, step);
  TENON_CHECK(window.shape() == x.shape(), "slice_scatter: the slice ", start, ":", stop, ":", step,
              " on axis ", axis, " of ", shape, " has shape ", window.shape(), ", got ", x.shape());
  copy_into("slice_scatter", x, window);
  return out;
}

std::vector<Tensor> split(const Tensor& x, int64_t axis, const std::vector<int64_t>& sizes) {
  TENON_CHECK(x.defined(), "split: undefined tensor");
  int a = normalize_axis("split", axis, x.rank());
  int64_t total = 0;
  for (int64_t size : sizes) {
    TENON_CHECK(size >= 0, "split: expects sizes >= 0, got ", size);
    total += size;
  }
  TENON_CHECK(total == x.shape()[a], "split: the sizes add up to ", total, ", axis ", a, " of ", x.shape(),
              " has ", x.shape()[a]);
  std::vector<Tensor> parts;
  int64_t at = 0;
  for (int64_t size : sizes) {
    parts.push_back(x.narrow(a, at, size));
    at += size;
  }
  return parts;
}

}  // namespace tenon

TENON_FORWARD(slice_scatter)
TENON_FORWARD(split)
// Methods of Tensor (core/tensor.cpp).
TENON_FORWARD(reshape)
TENON_FORWARD(permute)
TENON_FORWARD(slice)
TENON_FORWARD(expand)
