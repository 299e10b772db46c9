#include "core/ops/upsample.h"

#include <cmath>

#include "core/cpu/upsample.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "cuda/kernels/upsample.h"

namespace tenon {
namespace {

void check(const char* op, const Tensor& x) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
  TENON_CHECK(x.rank() >= 3 && x.rank() <= 5, op, ": expects [N, C, (D, (H,)) W], got ", x.str());
  for (int i = 2; i < x.rank(); ++i)
    TENON_CHECK(x.shape()[i] >= 1, op, ": no elements along axis ", i, " of ", x.str());
}

// One axis of x with `extent` elements.
Tensor resized(const Tensor& x, int axis, int64_t extent, Resample mode, bool transposed) {
  if (x.shape()[axis] == extent) return x;  // all maps leave an axis of the same extent as it is
  Shape shape = x.shape();
  shape[axis] = extent;
  Tensor y = Tensor::empty_strided(shape, strides_in_order_of(shape, x.strides()), x.dtype(), x.device());
  if (y.is_empty()) return y;
  // The extent of 1 on either side has no telling stride; the other one has: both blocks share their inner
  // part.
  const int64_t inner = extent > 1 ? y.strides()[axis] : x.strides()[axis];
  ResampleBlock block{y.numel() / (extent * inner), x.shape()[axis], extent, inner};
  if (transposed) {
    std::swap(block.n_in, block.n_out);
    TENON_DISPATCH(x.device(), resample_transposed, mode, block, x.dtype(), y.raw(), x.raw());
  } else {
    TENON_DISPATCH(x.device(), resample, mode, block, x.dtype(), y.raw(), x.raw());
  }
  return y;
}

// The map from x's extents to `size`, or the transposed of that from `size` to x's extents. Forward goes from
// the last axis to the first, so that the longest rows are mixed when they are neighbours; the transposed
// goes back.
Tensor run(const char* op, const Tensor& x, const Dims& size, Resample mode, bool transposed) {
  check(op, x);
  TENON_CHECK(size.rank() == x.rank() - 2, op, ": expects ", x.rank() - 2, " extents for ", x.str(), ", got ",
              size);
  for (int64_t extent : size) TENON_CHECK(extent >= 1, op, ": expects extents of at least 1, got ", size);
  Tensor y = x.is_dense() ? x : x.clone();
  for (int k = 0; k < size.rank(); ++k) {
    const int i = transposed ? k : size.rank() - 1 - k;
    y = resized(y, i + 2, size[i], mode, transposed);
  }
  return y.shares_storage_with(x) ? x.clone() : y;
}

}  // namespace

Dims scaled_size(const Tensor& x, double scale) {
  check("scaled_size", x);
  TENON_CHECK(scale > 0, "scaled_size: expects a scale above 0, got ", scale);
  Dims size;
  for (int i = 2; i < x.rank(); ++i)
    size.push_back(static_cast<int64_t>(std::floor(static_cast<double>(x.shape()[i]) * scale)));
  return size;
}

Tensor upsample_nearest(const Tensor& x, const Dims& size) {
  return run("upsample_nearest", x, size, Resample::nearest, false);
}

Tensor upsample_nearest_backward(const Tensor& g, const Dims& size) {
  return run("upsample_nearest_backward", g, size, Resample::nearest, true);
}

Tensor upsample_linear(const Tensor& x, const Dims& size, bool align_corners) {
  return run("upsample_linear", x, size, align_corners ? Resample::linear_aligned : Resample::linear, false);
}

Tensor upsample_linear_backward(const Tensor& g, const Dims& size, bool align_corners) {
  return run("upsample_linear_backward", g, size, align_corners ? Resample::linear_aligned : Resample::linear,
             true);
}

}  // namespace tenon

TENON_FORWARD(upsample_nearest)
TENON_FORWARD(upsample_nearest_backward)
TENON_FORWARD(upsample_linear)
TENON_FORWARD(upsample_linear_backward)
