// Convolutions, group by group: the forward pass and the gradient of the input are convolutions of a view, the latter
// one for each phase of the stride. Each is direct (conv_direct.cpp, conv_weight_gradient.cpp), or by minimal filtering
// where this is faster (conv_winograd.cpp, conv_winograd_gradient.cpp). With a channel a group there is nothing to sum
// over channels (conv_depthwise.cpp); and where a backward view is mostly padding, outputs are spread over the inputs
// that they met (conv_spread.cpp).
#include "core/cpu/conv.h"

#include "core/cpu/conv_depthwise.h"
#include "core/cpu/conv_direct.h"
#include "core/cpu/conv_spread.h"
#include "core/cpu/conv_weight_gradient.h"
#include "core/cpu/conv_winograd.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

// Calls `f(group)`. Many groups share the threads, few leave them to what is inside a group.
template <class F>
void for_each_group(const ConvPlan& plan, F&& f) {
  constexpr int64_t kMany = 8;
  const int64_t work = 2 * plan.images * plan.positions() * plan.weights() / plan.groups;
  parallel_for(plan.groups, plan.groups < kMany ? plan.groups : grain_for_flops(work),
               [&](int64_t begin, int64_t end) {
                 for (int64_t group = begin; group < end; ++group) f(group);
               });
}

// A view, and the extents of the image that its outputs are placed in.
struct PlacedView {
  ConvView view;
  int64_t extent[3];
};

PlacedView forward_view(const ConvPlan& plan) {
  PlacedView placed{{plan.images, plan.in_channels, {}, plan.x, plan.y},
                    {plan.out[0], plan.out[1], plan.out[2]}};
  for (int i = 0; i < 3; ++i) placed.view.axis[i] = forward_axis(plan, i);
  placed.view.join_axes(placed.extent);
  return placed;
}

PlacedView backward_view(const ConvPlan& plan, const int64_t (&phase)[3]) {
  PlacedView placed{{plan.images, plan.out_channels, {}, plan.y, plan.x},
                    {plan.in[0], plan.in[1], plan.in[2]}};
  for (int i = 0; i < 3; ++i) placed.view.axis[i] = backward_axis(plan, i, phase[i]);
  placed.view.join_axes(placed.extent);
  return placed;
}

template <class T>
void convolve(const ConvPlan& plan, const ConvView& view, const DirectChannels& channels, T* out, const T* in,
              const T* w, const ConvFinish<T>& finish) {
  if constexpr (std::is_same_v<T, float>)
    if (!plan.direct && winograd_pays(view, channels))
      return conv_winograd(view, channels, out, in, w, finish);
  conv_direct(view, channels, out, in, w, finish);
}

template <class T>
void forward(const ConvPlan& plan, T* y, const T* x, const T* weight, const T* bias, const T* residual) {
  auto [view, extent] = forward_view(plan);
  if (plan.groups > 1 && plan.in_channels == 1 && is_depthwise(view)) {
    view.channels = plan.groups;
    return conv_depthwise(view, plan.out_channels, plan.taps(), extent, y, x, weight,
                          ConvFinish<T>{bias, residual, plan.relu});
  }
  const DirectChannels channels{plan.out_channels, plan.in_channels * plan.taps(), plan.taps(), extent};
  for_each_group(plan, [&, &view = view](int64_t group) {
    const int64_t to = group * plan.out_channels * plan.y.channel;
    const ConvFinish<T> finish{bias == nullptr ? nullptr : bias + group * plan.out_channels,
                               residual == nullptr ? nullptr : residual + to, plan.relu};
    convolve(plan, view, channels, y + to, x + group * plan.in_channels * plan.x.channel,
             weight + group * plan.weights() / plan.groups, finish);
  });
}

template <class T>
void backward_input(const ConvPlan& plan, T* gx, const T* g, const T* weight) {
  if (!plan.direct && spread_pays(plan))
    return for_each_group(plan, [&](int64_t group) {
      conv_spread(plan, gx + group * plan.in_channels * plan.x.channel,
                  g + group * plan.out_channels * plan.y.channel,
                  weight + group * plan.weights() / plan.groups);
    });
  const int64_t phases = plan.stride[0] * plan.stride[1] * plan.stride[2];
  for (int64_t i = 0; i < phases; ++i) {
    auto [view, extent] = backward_view(
        plan, {i / plan.stride[2] / plan.stride[1], i / plan.stride[2] % plan.stride[1], i % plan.stride[2]});
    if (view.positions() == 0) continue;
    if (plan.groups > 1 && plan.in_channels == 1 && plan.out_channels == 1 && is_depthwise(view)) {
      view.channels = plan.groups;
      conv_depthwise(view, 1, plan.taps(), extent, gx, g, weight, ConvFinish<T>());
      continue;
    }
    const DirectChannels channels{plan.in_channels, plan.taps(), plan.in_channels * plan.taps(), extent};
    for_each_group(plan, [&, &view = view](int64_t group) {
      convolve(plan, view, channels, gx + group * plan.in_channels * plan.x.channel,
               g + group * plan.out_channels * plan.y.channel, weight + group * plan.weights() / plan.groups,
               ConvFinish<T>());
    });
  }
}

template <class T>
void backward_weight(const ConvPlan& plan, T* gw, const T* g, const T* x) {
  const ConvView view = forward_view(plan).view;
  for_each_group(plan, [&](int64_t group) {
    T* const to = gw + group * plan.weights() / plan.groups;
    const T* const from_g = g + group * plan.out_channels * plan.y.channel;
    const T* const from_x = x + group * plan.in_channels * plan.x.channel;
    if constexpr (std::is_same_v<T, float>)
      if (!plan.direct && winograd_gradient_pays(view, plan.out_channels))
        return conv_winograd_gradient(view, plan.out_channels, to, from_g, from_x);
    conv_weight_gradient(view, plan.out_channels, to, from_g, from_x);
  });
}

}  // namespace

void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias,
          const void* residual) {
  visit_floating("conv", dtype, [&](auto tag) {
    using T = decltype(tag);
    forward(plan, static_cast<T*>(y), static_cast<const T*>(x), static_cast<const T*>(weight),
            static_cast<const T*>(bias), static_cast<const T*>(residual));
  });
}

void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight) {
  visit_floating("conv_backward_input", dtype, [&](auto tag) {
    using T = decltype(tag);
    backward_input(plan, static_cast<T*>(gx), static_cast<const T*>(g), static_cast<const T*>(weight));
  });
}

void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  visit_floating("conv_backward_weight", dtype, [&](auto tag) {
    using T = decltype(tag);
    backward_weight(plan, static_cast<T*>(gw), static_cast<const T*>(g), static_cast<const T*>(x));
  });
}

}  // namespace tenon::cpu
