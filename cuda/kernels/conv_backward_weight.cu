// The gradient of a convolution's weight: a product of the output's gradient with the gathered input, summed over
// positions (conv_product.h). The sum is long and its result small, so it is cut into parts of at least 512
// positions, as many as fill a card, and a second kernel joins the parts in their order. Convolutions
// of the kinds that read a patch in place of a gather (conv.cu) have a kernel of their own here too: conv_window_gradient.h.
//
// Flops, bytes and bound are those of the forward. For one k a block of 16 x 64 results gathers 64 values at four or five
// instructions each and copies 16 at three for 1024 multiply-adds: by that count a good quarter of its instructions
// where there are only 16 output channels.
//
// Depthwise, and wherever a group has one input channel and up to 4 outputs, a tile would hold one row of 16 and 9 or 27
// columns of 64: 1.4 % of it. There a thread walks positions of one output channel, with a sum for each tap in
// registers: 8 bytes and 2 taps flops a position, some 100 instructions to find it and 4 a tap. A warp's lanes are neighbours
// in memory, positions or channels; its sums join in a tree, those of the block's warps in order. On an H200 N32 C64 32^2 3x3
// takes 48 us, where its 17 MB would take 4 and PyTorch takes 42.
#include "core/ops/contract.h"
#include "cuda/kernels/conv.h"
#include "cuda/kernels/conv_product.h"
#include "cuda/kernels/conv_window_gradient.h"
#include "cuda/kernels/team.h"
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

constexpr int kDepthwiseRows = 4;   // output channels of a group, at most
constexpr int kDepthwiseTaps = 27;  // sums that registers hold
constexpr unsigned kWarpsOfBlock = 8;

// Part blockIdx.y of the positions. kChannelsInLanes: a lane has an output channel of its own, else a position.
template <int kTaps, bool kChannelsInLanes, class T>
__global__ void __launch_bounds__(32 * kWarpsOfBlock, 1)
    depthwise_kernel(ConvWeightGather p, T* __restrict__ partial, const T* __restrict__ g,
                     const T* __restrict__ x) {
  TENON_SHARED(int, tap_offset, kTaps);
  TENON_SHARED(T, of_warp, 32 * kWarpsOfBlock);
  const int lane = static_cast<int>(threadIdx.x), warp = static_cast<int>(threadIdx.y), taps = p.all_taps;
  const int64_t channels = int64_t{p.groups} * p.m;
  const int64_t channel = kChannelsInLanes ? int64_t{blockIdx.x} * 32 + lane : int64_t{blockIdx.x};
  if (warp == 0 && lane < taps) {
    int first, tap[3];
    tap_offset[lane] = p.tap_site<MaskSite>(lane, first, tap).offset;
  }
  __syncthreads();
  T sum[kTaps] = {};
  if (channel < channels) {
    g += channel / p.m * p.a_group + channel % p.m * p.a_step;
    x += channel / p.m * p.source_group;
    const int begin = static_cast<int>(blockIdx.y) * p.k_per_part;
    const int end = p.k - begin < p.k_per_part ? p.k : begin + p.k_per_part;
    constexpr int kStep = kWarpsOfBlock * (kChannelsInLanes ? 1 : 32);
    for (int k = begin + (kChannelsInLanes ? warp : warp * 32 + lane); k < end; k += kStep) {
      int g_offset;
      const MaskSite site = p.k_site<MaskSite>(k, g_offset);
      const T gradient = g[g_offset];
      TENON_UNROLL
      for (int t = 0; t < kTaps; ++t)
        if ((site.taps >> t & 1) != 0) sum[t] = math::fma(gradient, x[site.offset + tap_offset[t]], sum[t]);
    }
  }
  T* const to = partial + (blockIdx.y * channels + channel) * taps;
  TENON_UNROLL
  for (int t = 0; t < kTaps; ++t) {
    const T joined = kChannelsInLanes ? sum[t] : across_team(sum[t], Plus());
    __syncthreads();  // the array may still be read
    of_warp[warp * 32 + lane] = joined;
    __syncthreads();
    if (warp != 0 || t >= taps || channel >= channels || (!kChannelsInLanes && lane != 0)) continue;
    T all = of_warp[lane];
    for (unsigned w = 1; w < kWarpsOfBlock; ++w) all += of_warp[w * 32 + lane];
    to[t] = all;
  }
}

template <class T>
void run_depthwise(ConvWeightGather p, bool channels_in_lanes, T* gw, const T* g, const T* x) {
  const int64_t channels = int64_t{p.groups} * p.m,
                blocks = channels_in_lanes ? divide_up(channels, 32) : channels;
  const int64_t least = channels_in_lanes ? 512 : 4096;
  const int64_t wanted = parts_of(blocks, 32 * kWarpsOfBlock, p.k, least);
  p.k_per_part = static_cast<int>(divide_up(p.k, wanted));
  const int64_t parts = divide_up(p.k, p.k_per_part);
  const bool few = p.all_taps <= 9;
  const auto kernel =
      channels_in_lanes ? (few ? depthwise_kernel<9, true, T> : depthwise_kernel<kDepthwiseTaps, true, T>)
                        : (few ? depthwise_kernel<9, false, T> : depthwise_kernel<kDepthwiseTaps, false, T>);
  const Dim3 grid{static_cast<unsigned>(blocks), static_cast<unsigned>(parts)}, block{32, kWarpsOfBlock};
  if (parts == 1) return launch("conv_depthwise_weight", kernel, grid, block, 0, p, gw, g, x);
  const int64_t weights = channels * p.all_taps;
  const Scratch partial(static_cast<size_t>(parts * weights) * sizeof(T));
  launch("conv_depthwise_weight", kernel, grid, block, 0, p, partial.as<T>(), g, x);
  join_parts(gw, partial.as<T>(), weights, parts);
}

}  // namespace

void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  if (settings().conv_by_cudnn) return library::conv_backward_weight(plan, dtype, gw, g, x);
  check_span("conv_backward_weight", plan);
  visit_floating("conv_backward_weight", dtype, [&](auto tag) {
    using T = decltype(tag);
    if (plan.in_channels == 1 && plan.out_channels <= kDepthwiseRows && plan.taps() <= kDepthwiseTaps)
      return run_depthwise(weight_gather(plan), plan.y.position != 1, static_cast<T*>(gw),
                           static_cast<const T*>(g), static_cast<const T*>(x));
    if constexpr (std::is_same_v<T, float>)
      if (const WindowGradientPlan window = window_gradient_plan(plan); window.fits)
        return run_window_gradient(window, plan.groups, static_cast<T*>(gw), static_cast<const T*>(g),
                                   static_cast<const T*>(x));
    run_product<T>("conv_backward_weight", weight_gather(plan), plan.x.position == 1, plan.weights(),
                   static_cast<T*>(gw), static_cast<const T*>(g), static_cast<const T*>(x));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(conv_backward_weight)
