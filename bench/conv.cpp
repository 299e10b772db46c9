// Convolutions 3x3 and 3x3x3 with padding 1, forward and both gradients: bound by arithmetic where channels are
// many, by memory at the first layer. The shapes are those of residual networks on small images, and of networks
// on volumes.
#include "core/ops/conv.h"

#include "bench/harness.h"

namespace tenon::bench {
namespace {

struct Layer {
  const char* name;
  int64_t batch, in, extent, out;
  int axes;
};
constexpr Layer kLayers[] = {
    {"2d-N128-C16-32-K16", 128, 16, 32, 16, 2}, {"2d-N128-C64-8-K64", 128, 64, 8, 64, 2},
    {"2d-N32-C64-32-K64", 32, 64, 32, 64, 2},   {"2d-N32-C3-32-K16", 32, 3, 32, 16, 2},
    {"3d-N1-C1-64-K16", 1, 1, 64, 16, 3},       {"3d-N1-C16-64-K16", 1, 16, 64, 16, 3},
    {"3d-N2-C32-32-K32", 2, 32, 32, 32, 3},     {"3d-N4-C64-16-K64", 4, 64, 16, 64, 3},
};

Shape shape_of(int64_t first, int64_t second, int64_t extent, int axes) {
  return axes == 2 ? Shape{first, second, extent, extent} : Shape{first, second, extent, extent, extent};
}

void append_cases(const Layer& layer, Device device, std::vector<Case>& out) {
  const Shape x = shape_of(layer.batch, layer.in, layer.extent, layer.axes);
  const Shape y = shape_of(layer.batch, layer.out, layer.extent, layer.axes);
  const Shape w = shape_of(layer.out, layer.in, 3, layer.axes);
  const double taps = static_cast<double>(w.numel()) / static_cast<double>(layer.out);
  const double flops = 2 * taps * static_cast<double>(y.numel());
  const double bytes = 4 * static_cast<double>(x.numel() + y.numel() + w.numel());
  const ConvOptions options{.padding = {1}};
  const Dims image =
      layer.axes == 2 ? Dims{layer.extent, layer.extent} : Dims{layer.extent, layer.extent, layer.extent};
  const Dims kernel = layer.axes == 2 ? Dims{3, 3} : Dims{3, 3, 3};
  const auto add = [&](const char* pass, const Shape& first, const Shape& second,
                       const std::function<void(const Tensors&)>& run) {
    out.push_back({concat("conv/", pass, "/", layer.name), flops, bytes, [=] {
                     Generator g(1);
                     const Tensors inputs = {random_normal(first, g), random_normal(second, g)};
                     return beside_library(device, over_inputs(device, inputs, run), "cudnn",
                                           {.conv_by_cudnn = true});
                   }});
  };
  add("forward", x, w, [=](const Tensors& in) { conv(in[0], in[1], {}, options); });
  // The gradient of images is not asked for.
  if (layer.in > 3)
    add("backward-input", y, w,
        [=](const Tensors& in) { conv_backward_input(in[0], in[1], image, options); });
  add("backward-weight", y, x,
      [=](const Tensors& in) { conv_backward_weight(in[0], in[1], kernel, options); });
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  for (const Layer& layer : kLayers) append_cases(layer, device, out);
  return out;
}

const Family family("conv", cases);

}  // namespace
}  // namespace tenon::bench
