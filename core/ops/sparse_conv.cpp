#include "core/cpu/sparse_conv.h"

#include <limits>

#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/image.h"
#include "core/ops/sparse.h"
#include "core/ops/sparse_arguments.h"
#include "cuda/kernels/sparse_conv.h"

namespace tenon {
namespace {

// Extents of the plan, and checks of what they depend on.
SparseConvPlan make_plan(const SparsePattern& pattern, const Tensor& x, const Dims& kernel,
                         const ConvOptions& options) {
  TENON_CHECK(x.rank() >= 3 && x.rank() <= 5,
              "sparse_conv: expects x [N, C, *spatial] of rank 3, 4 or 5, got ", x.str());
  const int axes = x.rank() - 2;
  TENON_CHECK(kernel.rank() == axes, "sparse_conv: kernel expects ", axes, " extents for ", x.shape(),
              ", got ", kernel);
  TENON_CHECK(options.groups == 1, "sparse_conv: expects one group, got ", options.groups);
  const Dims stride = per_axis("sparse_conv", "stride", axes, options.stride, 1, 1);
  const Dims padding = per_axis("sparse_conv", "padding", axes, options.padding, 0, 0);
  const Dims dilation = per_axis("sparse_conv", "dilation", axes, options.dilation, 1, 1);
  SparseConvPlan plan;
  plan.images = x.size(0), plan.in_channels = x.size(1), plan.out_channels = pattern.rows();
  int64_t taps = 1, plane = 1;
  for (int i = 0; i < axes; ++i) {
    const int at = 3 - axes + i;
    TENON_CHECK(stride[i] == 1, "sparse_conv: expects stride 1, got ", stride);
    TENON_CHECK(kernel[i] >= 1, "sparse_conv: the kernel has no taps: ", kernel);
    plan.in[at] = x.shape()[i + 2], plan.kernel[at] = kernel[i];
    plan.padding[at] = padding[i], plan.dilation[at] = dilation[i];
    plan.out[at] =
        room_of_window("sparse_conv", spatial_extents(x.shape()), kernel, padding, dilation, i) + 1;
    taps *= kernel[i], plane *= plan.padded(at);
  }
  TENON_CHECK(pattern.columns() == plan.in_channels * taps, "sparse_conv: a pattern of ", pattern.str(),
              " expects ", pattern.columns(), " = channels x taps, got ", plan.in_channels, " x ", taps);
  TENON_CHECK(plan.in_channels * plane <= std::numeric_limits<int32_t>::max(), "sparse_conv: an image of ",
              x.shape(), " is too large");
  return plan;
}

}  // namespace

Tensor sparse_conv(const SparsePattern& pattern, const Tensor& values, const Tensor& x, const Dims& kernel,
                   const Tensor& bias, const ConvOptions& options, Epilogue epilogue) {
  check_values("sparse_conv", pattern, values);
  TENON_CHECK(x.defined(), "sparse_conv: undefined x");
  check_same_dtype("sparse_conv", values, x);
  TENON_CHECK(is_floating(x.dtype()), "sparse_conv: expects float32 or float64, got ", x.str());
  check_same_device("sparse_conv", values, x);
  TENON_CHECK(x.device() == pattern.device(), "sparse_conv: pattern on ", pattern.device(), ", x ", x.str());
  SparseConvPlan plan = make_plan(pattern, x, kernel, options);
  const Tensor shift = checked_bias("sparse_conv", pattern, x, bias);
  Dims extents;
  for (int i = 5 - x.rank(); i < 3; ++i) extents.push_back(plan.out[i]);
  Tensor y = Tensor::empty(image_shape(plan.images, plan.out_channels, extents), x.dtype(), x.device());
  if (y.is_empty()) return y;
  plan.w = lists_of(pattern.by_rows());
  plan.block_rows = static_cast<int>(pattern.block_rows());
  plan.relu = epilogue == Epilogue::relu;
  const Tensor packed = values.contiguous(), image = x.contiguous();
  TENON_DISPATCH(x.device(), sparse_conv, plan, x.dtype(), y.raw(), packed.raw(), image.raw(),
                 shift.defined() ? shift.raw() : nullptr);
  return y;
}

}  // namespace tenon

TENON_FORWARD(sparse_conv)
