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

}  // namespace tenon

TENON_FORWARD(slice_scatter)
// Methods of Tensor (core/tensor.cpp).
TENON_FORWARD(reshape)
TENON_FORWARD(permute)
TENON_FORWARD(slice)
TENON_FORWARD(expand)
