// The gradient of a convolution's weight: a product of the output's gradient with the gathered input, summed over
// positions (conv_product.h). The sum is long and its result small, so it is cut into parts of at least 512
// positions, as many as fill a card, and a second kernel joins the parts in their order.
//
// Flops, bytes and bound are those of the forward (conv.cu). A block of 16 x 64 results brings 80 values into shared
// memory for 1024 multiply-adds, of which it gathers 64 at some ten instructions each: by that count a good third
// of its time goes into copies where there are only 16 output channels. Depthwise it fills one row of 16. Never
// timed on a card yet.
#include "core/ops/contract.h"
#include "cuda/kernels/conv.h"
#include "cuda/kernels/conv_product.h"
#include "cuda/library/products.h"

namespace tenon::cuda {
namespace {

ConvWeightGather weight_gather(const ConvPlan& plan) {
  ConvWeightGather g{};
  g.m = static_cast<int>(plan.out_channels);
  g.groups = static_cast<int>(plan.groups);
  g.channels = static_cast<int>(plan.in_channels);
  g.all_taps = static_cast<int>(plan.taps());
  g.channels_inside = plan.x.position != 1;
  g.n = static_cast<int>(plan.in_channels * plan.taps());
  g.k = static_cast<int>(plan.images * plan.positions());
  for (int i = 0; i < 3; ++i) {
    g.extent[i] = static_cast<int>(plan.in[i]);
    g.positions[i] = static_cast<int>(plan.out[i]);
    g.taps[i] = static_cast<int>(plan.kernel[i]);
    g.start[i] = static_cast<int>(-plan.padding[i]);
    g.step[i] = static_cast<int>(plan.stride[i]);
    g.reach[i] = static_cast<int>(plan.dilation[i]);
  }
  g.a_step = static_cast<int>(plan.y.channel);
  g.a_along_k = plan.y.position == 1;
  g.c_step = g.n;
  g.source_group = plan.in_channels * plan.x.channel;
  g.a_group = plan.out_channels * plan.y.channel;
  g.c_group = plan.weights() / plan.groups;
  g.source_image = static_cast<int>(plan.x.image);
  g.source_channel = static_cast<int>(plan.x.channel);
  g.source_position = static_cast<int>(plan.x.position);
  g.g_image = static_cast<int>(plan.y.image);
  g.g_position = static_cast<int>(plan.y.position);
  return g;
}

}  // namespace

void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  if (settings().conv_by_cudnn) return library::conv_backward_weight(plan, dtype, gw, g, x);
  check_span("conv_backward_weight", plan);
  visit_floating("conv_backward_weight", dtype, [&](auto tag) {
    using T = decltype(tag);
    run_product<T>("conv_backward_weight", weight_gather(plan), plan.x.position == 1, plan.weights(),
                   static_cast<T*>(gw), static_cast<const T*>(g), static_cast<const T*>(x), nullptr);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(conv_backward_weight)
