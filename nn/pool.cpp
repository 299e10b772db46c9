#include "nn/pool.h"

#include "core/ops/image.h"

namespace tenon {

PoolLayer::PoolLayer(const char* kind, int spatial, const PoolOptions& options)
    : kind_(kind), spatial_(spatial), options_(options) {
  TENON_CHECK(options.kernel.rank() >= 1, kind, ": expects a kernel");
  options_.kernel = per_axis(kind, "kernel", spatial, options.kernel, 1, 1);
  options_.stride =
      options.stride.rank() == 0 ? options_.kernel : per_axis(kind, "stride", spatial, options.stride, 1, 1);
  options_.padding = per_axis(kind, "padding", spatial, options.padding, 0, 0);
  options_.dilation = per_axis(kind, "dilation", spatial, options.dilation, 1, 1);
}

void PoolLayer::check_rank(const Variable& x) const {
  TENON_CHECK(x.rank() == spatial_ + 2, kind_, ": expects an input of rank ", spatial_ + 2, ", got ",
              x.shape());
}

Shape PoolLayer::walk(const Shape& input, LayerUses&) const {
  TENON_CHECK(input.rank() == spatial_ + 2, kind_, ": walk: expects rank ", spatial_ + 2, ", got ", input);
  Shape output{input[0], input[1]};
  for (int i = 0; i < spatial_; ++i) {
    const int64_t stride = options_.stride[i], padding = options_.padding[i];
    const int64_t room = room_of_window(kind_, spatial_extents(input), options_.kernel, options_.padding,
                                        options_.dilation, i);
    int64_t extent = room / stride + 1;
    // One window more may begin inside the input or its left padding.
    if (options_.ceil_mode && room % stride != 0 && extent * stride < input[i + 2] + padding) ++extent;
    output.push_back(extent);
  }
  return output;
}

Shape AdaptiveAvgPool::walk(const Shape& input, LayerUses&) const {
  TENON_CHECK(input.rank() == out_.rank() + 2, "AdaptiveAvgPool: walk: expects rank ", out_.rank() + 2,
              ", got ", input);
  Shape output{input[0], input[1]};
  for (int64_t extent : out_) output.push_back(extent);
  return output;
}

Shape GlobalAvgPool::walk(const Shape& input, LayerUses&) const {
  TENON_CHECK(input.rank() >= 3, "GlobalAvgPool: walk: expects rank >= 3, got ", input);
  Shape output{input[0], input[1]};
  while (output.rank() < input.rank()) output.push_back(1);
  return output;
}

}  // namespace tenon
