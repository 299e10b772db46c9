// Convolutions, forward and both gradients: bound by arithmetic where channels are many, by memory at the first layer
// and where kernels are thin. The shapes are those of residual networks on small images, of LeNet-5, and of networks on
// volumes; then kernels along one axis, 1 x 1, strided, of one channel a group, and dilated.
#include "core/ops/conv.h"

#include "bench/harness.h"
#include "bench/peer_onednn.h"

namespace tenon::bench {
namespace {

struct Layer {
  const char* name;
  int64_t batch, in, extent, out;
  Dims kernel;
  ConvOptions options;

  int axes() const { return kernel.rank(); }
  Dims image() const { return Dims::filled(axes(), extent); }
  Shape shape(int64_t first, int64_t second, const Dims& extents) const {
    Shape shape{first, second};
    for (int64_t e : extents) shape.push_back(e);
    return shape;
  }
  Shape x() const { return shape(batch, in, image()); }
  Shape w() const { return shape(out, in / options.groups, kernel); }
  Shape y() const {
    Dims extents;
    for (int i = 0; i < axes(); ++i) extents.push_back((extent + 2 * pad(i) - reach(i)) / stride() + 1);
    return shape(batch, out, extents);
  }

 private:
  static int64_t of(const Dims& values, int i, int64_t standard) {
    return values.rank() == 0 ? standard : values[values.rank() == 1 ? 0 : i];
  }
  int64_t pad(int i) const { return of(options.padding, i, 0); }
  int64_t stride() const { return of(options.stride, 0, 1); }
  int64_t reach(int i) const { return (kernel[i] - 1) * of(options.dilation, 0, 1) + 1; }
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> all{
      {"2d-N128-C16-32-K16", 128, 16, 32, 16, {3, 3}, {.padding = {1}}},
      {"2d-N128-C32-16-K32", 128, 32, 16, 32, {3, 3}, {.padding = {1}}},
      {"2d-N128-C64-8-K64", 128, 64, 8, 64, {3, 3}, {.padding = {1}}},
      {"2d-N32-C64-32-K64", 32, 64, 32, 64, {3, 3}, {.padding = {1}}},
      {"2d-N32-C3-32-K16", 32, 3, 32, 16, {3, 3}, {.padding = {1}}},
      {"3d-N1-C1-64-K16", 1, 1, 64, 16, {3, 3, 3}, {.padding = {1}}},
      {"3d-N1-C8-96-K8", 1, 8, 96, 8, {3, 3, 3}, {.padding = {1}}},
      {"3d-N1-C16-64-K16", 1, 16, 64, 16, {3, 3, 3}, {.padding = {1}}},
      {"3d-N2-C32-32-K32", 2, 32, 32, 32, {3, 3, 3}, {.padding = {1}}},
      {"3d-N4-C64-16-K64", 4, 64, 16, 64, {3, 3, 3}, {.padding = {1}}},
      {"2d-N32-C64-32-K64-3x1", 32, 64, 32, 64, {3, 1}, {.padding = {1, 0}}},
      {"2d-N32-C64-32-K64-1x3", 32, 64, 32, 64, {1, 3}, {.padding = {0, 1}}},
      {"3d-N2-C32-32-K32-3x1x1", 2, 32, 32, 32, {3, 1, 1}, {.padding = {1, 0, 0}}},
      {"3d-N2-C32-32-K32-1x3x1", 2, 32, 32, 32, {1, 3, 1}, {.padding = {0, 1, 0}}},
      {"3d-N2-C32-32-K32-1x1x3", 2, 32, 32, 32, {1, 1, 3}, {.padding = {0, 0, 1}}},
      {"2d-N32-C256-8-K64-1x1", 32, 256, 8, 64, {1, 1}, {}},
      {"2d-N128-C16-32-K32-stride2", 128, 16, 32, 32, {3, 3}, {.stride = {2}, .padding = {1}}},
      {"2d-N32-C64-32-depthwise", 32, 64, 32, 64, {3, 3}, {.padding = {1}, .groups = 64}},
      {"2d-N64-C1-28-K20-5x5", 64, 1, 28, 20, {5, 5}, {}},
      {"2d-N64-C20-12-K50-5x5", 64, 20, 12, 50, {5, 5}, {}},
      {"3d-N1-C1-64-K8-7x7x7-dilation2", 1, 1, 64, 8, {7, 7, 7}, {.padding = {6}, .dilation = {2}}},
  };
  return all;
}

void append_cases(const Layer& layer, Device device, std::vector<Case>& out) {
  const Shape x = layer.x(), y = layer.y(), w = layer.w();
  const double taps = static_cast<double>(w.numel()) / static_cast<double>(layer.out);
  const double flops = 2 * taps * static_cast<double>(y.numel());
  const double bytes = 4 * static_cast<double>(x.numel() + y.numel() + w.numel());
  const ConvOptions options = layer.options;
  // `run` gets the two tensors that the pass reads, y before x before w.
  const auto add = [&](const char* name, ConvPass pass, const std::function<void(const Tensors&)>& run) {
    out.push_back({concat("conv/", name, "/", layer.name), flops, bytes, [=] {
                     Generator g(1);
                     ConvPeer peer{pass, Tensor::empty(x), Tensor::empty(w), Tensor::empty(y), options};
                     Tensors inputs;
                     if (pass != ConvPass::forward) inputs.push_back(peer.y = random_normal(y, g));
                     if (pass != ConvPass::backward_input) inputs.push_back(peer.x = random_normal(x, g));
                     if (pass != ConvPass::backward_weight) inputs.push_back(peer.w = random_normal(w, g));
                     std::vector<Contestant> contestants = beside_library(
                         device, over_inputs(device, inputs, run), "cudnn", {.conv_by_cudnn = true});
                     if (device.is_cpu()) append_onednn(contestants, peer);
                     return contestants;
                   }});
  };
  const Dims image = layer.image(), kernel = layer.kernel;
  add("forward", ConvPass::forward, [=](const Tensors& in) { conv(in[0], in[1], {}, options); });
  // The gradient of images is not asked for.
  if (layer.in > 3)
    add("backward-input", ConvPass::backward_input,
        [=](const Tensors& in) { conv_backward_input(in[0], in[1], image, options); });
  add("backward-weight", ConvPass::backward_weight,
      [=](const Tensors& in) { conv_backward_weight(in[0], in[1], kernel, options); });
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  for (const Layer& layer : layers()) append_cases(layer, device, out);
  return out;
}

const Family family("conv", cases);

}  // namespace
}  // namespace tenon::bench
