// Convolutions of one to three axes, float32 and float64: products of a weight with an image that is gathered
// piece by piece into shared memory, so that there is no columns matrix (conv_gather.h says what meets what,
// conv_product.h is the kernel, tile.h its core). The gradient of the input is the same gather from the other
// side; with a stride, positions a stride apart meet the same taps and are a product of their own.
//
// Most convolutions of a network need no gather: float32, stride 1, no dilation, positions dense in memory, 3 x 3, 1 x 3,
// 3 x 1 or 5 x 5 taps along the image (any number along the depth) read a patch in shared memory (conv_window.h), forward
// and for the input's gradient. The product takes what is left, and sums of 1024 and more for so few positions that k is
// better cut into parts, which are joined in order.
//
// The product's tiles follow the rows, that is the channels of the result: 16 or 32 rows by 256 positions, 64 x 128,
// 128 x 128, with 8 columns in a thread; 16, 32 or 64 x 64 with 4 x 4 where these leave the busiest multiprocessor less to
// do (tile.h). Up to 4 rows (depthwise, one class, gradients of a single channel) would waste a tile or a patch: a thread
// computes them of one position. Sums run in an order fixed by sizes and layout.
//
// Counted for float32, flops and the bytes of input, weight and output once each:
//
//   2d N128 C16 32^2 K16 3x3    604 Mflop   16.8 MB   36 flops a byte     9.0 us (arithmetic)
//   2d N128 C64 8^2 K64 3x3     604 Mflop    4.3 MB  139 flops a byte     9.0 us (arithmetic)
//   3d N1 C16 64^3 K16 3x3x3   3624 Mflop   33.6 MB  108 flops a byte    54.1 us (arithmetic)
//   3d N2 C32 32^3 K32 3x3x3   3624 Mflop   16.9 MB  215 flops a byte    54.1 us (arithmetic)
//   3d N1 C1 64^3 K16 3x3x3     226 Mflop   17.8 MB   13 flops a byte     5.3 us (memory)
//
// with the bound that follows on an H100 at 67 TFLOP/s and 3.35 TB/s, which balance at 20 flops a byte: all but
// the last are bound by arithmetic, in each of the three directions, which do the same number of flops. What the product
// pays above it: a gathered element costs four or five instructions and serves as many multiply-adds as the tile has rows,
// 16 to 128. A patch is copied once for all taps. On an H200, forward: 25, 38, 114, 108 and 17 us for the lines above,
// all of them from patches; gathered, with two buffers and 18 instructions an element, 43, 52, 225, 244 and 25 (4 x 4 in
// every thread: 64, 55, 357, 254 and 31).
#include <numeric>

#include "core/ops/contract.h"
#include "cuda/kernels/conv.h"
#include "cuda/kernels/conv_product.h"
#include "cuda/kernels/conv_window.h"
#include "cuda/library/products.h"

namespace tenon::cuda {
namespace {

// What conv and conv_backward_input have in common.
ConvGather gather_of(const ConvPlan& plan, bool backward) {
  ConvGather g{};
  const ImageSteps source = backward ? plan.y : plan.x, result = backward ? plan.x : plan.y;
  const int taps = static_cast<int>(plan.taps());
  const int in = static_cast<int>(plan.in_channels), out = static_cast<int>(plan.out_channels);
  g.m = backward ? in : out;
  g.groups = static_cast<int>(plan.groups);
  g.channels = backward ? out : in;
  g.channels_inside = source.position != 1;
  g.a_step = backward ? taps : in * taps;
  g.weight_channel = backward ? in * taps : taps;
  g.a_along_k = true;
  g.a_group = plan.weights() / plan.groups;
  g.source_group = g.channels * source.channel;
  g.c_group = g.m * result.channel;
  g.c_step = static_cast<int>(result.channel);
  g.source_image = static_cast<int>(source.image);
  g.source_channel = static_cast<int>(source.channel);
  g.source_position = static_cast<int>(source.position);
  g.result_image = static_cast<int>(result.image);
  g.result_position = static_cast<int>(result.position);
  return g;
}

// Taps and positions are set: what follows from them.
void finish(const ConvPlan& plan, ConvGather& g) {
  g.all_taps = g.taps[0] * g.taps[1] * g.taps[2];
  g.n = static_cast<int>(plan.images) * g.positions[0] * g.positions[1] * g.positions[2];
  g.k = g.channels * g.all_taps;
}

ConvGather forward_gather(const ConvPlan& plan) {
  ConvGather g = gather_of(plan, false);
  int tap_step = 1;
  for (int i = 2; i >= 0; --i) {
    g.extent[i] = static_cast<int>(plan.in[i]);
    g.result_extent[i] = g.positions[i] = static_cast<int>(plan.out[i]);
    g.result_spacing[i] = 1;
    g.taps[i] = static_cast<int>(plan.kernel[i]);
    g.start[i] = static_cast<int>(-plan.padding[i]);
    g.step[i] = static_cast<int>(plan.stride[i]);
    g.reach[i] = static_cast<int>(plan.dilation[i]);
    g.weight_tap[i] = tap_step;
    tap_step *= static_cast<int>(plan.kernel[i]);
  }
  finish(plan, g);
  return g;
}

// Input positions that lie a stride apart meet the same taps: for them the gradient is a gather without stride.
// `phase` is the first of them; each axis has `stride` phases. Position phase + j stride takes from output
// position p through tap k where p stride = phase + j stride + padding - k dilation: of the taps, every
// (stride / gcd(stride, dilation))-th fits, from the first that does.
ConvGather backward_gather(const ConvPlan& plan, const int64_t (&phase)[3]) {
  ConvGather g = gather_of(plan, true);
  int64_t tap_step = 1;
  for (int i = 2; i >= 0; --i) {
    const int64_t stride = plan.stride[i], dilation = plan.dilation[i], kernel = plan.kernel[i];
    const int64_t apart = stride / std::gcd(stride, dilation);
    int64_t first = 0;
    while (first < std::min(kernel, apart) && (phase[i] + plan.padding[i] - first * dilation) % stride != 0)
      ++first;
    const bool fits = first < std::min(kernel, apart);
    g.extent[i] = static_cast<int>(plan.out[i]);
    g.result_extent[i] = static_cast<int>(plan.in[i]);
    g.positions[i] = static_cast<int>(divide_up(plan.in[i] - phase[i], stride));
    g.result_first[i] = static_cast<int>(phase[i]);
    g.result_spacing[i] = static_cast<int>(stride);
    g.taps[i] = fits ? static_cast<int>(divide_up(kernel - first, apart)) : 0;
    g.start[i] = fits ? static_cast<int>((phase[i] + plan.padding[i] - first * dilation) / stride) : 0;
    g.step[i] = 1;
    g.reach[i] = static_cast<int>(-apart * dilation / stride);
    g.weight_first += static_cast<int>(first * tap_step);
    g.weight_tap[i] = static_cast<int>(apart * tap_step);
    tap_step *= kernel;
  }
  finish(plan, g);
  return g;
}

// Of few rows most of a tile would be wasted: here a thread computes all (up to kRows) of its position, and
// reads the image through the caches.
template <int kRows, class T>
__global__ void __launch_bounds__(256, 4)
    conv_direct_kernel(ConvGather g, T* c, const T* __restrict__ a, const T* __restrict__ source,
                       ConvFinish<T> finish) {
  const int64_t item = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (item >= int64_t{g.n} * g.groups) return;
  // Neighbours in memory for neighbouring threads: positions, or the channels of groups.
  const int group = static_cast<int>(g.channels_inside ? item % g.groups : item / g.n);
  const int position = static_cast<int>(g.channels_inside ? item / g.groups : item % g.n);
  int c_offset;
  const PlaceSite site = g.n_site<PlaceSite>(position, c_offset);
  source += group * g.source_group + site.offset;
  a += group * g.a_group + g.weight_first;
  T sum[kRows] = {};
  int t[3];
  for (int channel = 0; channel < g.channels; ++channel)
    for (t[0] = 0; t[0] < g.taps[0]; ++t[0])
      for (t[1] = 0; t[1] < g.taps[1]; ++t[1])
        for (t[2] = 0; t[2] < g.taps[2]; ++t[2]) {
          int at[3];
          bool inside = true;
          for (int i = 0; i < 3; ++i) {
            at[i] = t[i] * g.reach[i];
            inside = inside && g.meets(i, site.at[i], t[i]);
          }
          if (!inside) continue;
          const T x = source[channel * g.source_channel + g.source_offset(at)];
          const T* const w = a + channel * g.weight_channel + t[0] * g.weight_tap[0] +
                             t[1] * g.weight_tap[1] + t[2] * g.weight_tap[2];
          for (int row = 0; row < kRows; ++row)
            if (row < g.m) sum[row] = math::fma(w[int64_t{row} * g.a_step], x, sum[row]);
        }
  const int64_t place = group * g.c_group + c_offset;
  for (int row = 0; row < kRows; ++row)
    if (row < g.m) {
      const int64_t at = place + int64_t{row} * g.c_step;
      c[at] = finish.value(sum[row] + (finish.bias == nullptr ? T(0) : finish.bias[group * g.m + row]), at);
    }
}

// `c_count` as in run_product. `window_name` is that of the kernels of conv_window.h.
template <class T>
void run_gather(const char* name, const char* window_name, const ConvGather& gather, int64_t c_count, void* c,
                const void* a, const void* source, const ConvFinish<T>& finish = {}) {
  T* const pc = static_cast<T*>(c);
  const T *pa = static_cast<const T*>(a), *ps = static_cast<const T*>(source);
  if (gather.m > 4) {
    if constexpr (std::is_same_v<T, float>)
      if (const WindowPlan plan = window_plan(gather); plan.fits)
        return run_window(window_name, plan, gather.groups, pc, pa, ps, finish);
    return run_product<T>(name, gather, gather.channels_inside, c_count, pc, pa, ps, finish);
  }
  constexpr unsigned kBlock = 256;
  const int64_t blocks = divide_up(int64_t{gather.n} * gather.groups, kBlock);
  TENON_CHECK(blocks <= 0x7fffffff, name, ": ", gather.groups, " groups of ", gather.n,
              " positions are too many for one launch");
  launch(name, gather.m == 1 ? conv_direct_kernel<1, T> : conv_direct_kernel<4, T>,
         {static_cast<unsigned>(blocks)}, {kBlock}, 0, gather, pc, pa, ps, finish);
}

}  // namespace

void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias,
          const void* residual) {
  const int64_t count = plan.images * plan.y.image;
  visit_floating("conv", dtype, [&](auto tag) {
    using T = decltype(tag);
    const ConvFinish<T> finish{static_cast<const T*>(bias), static_cast<const T*>(residual), plan.relu};
    if (settings().conv_by_cudnn) {
      library::conv(plan, dtype, y, x, weight, bias);
      return finish_sums(static_cast<T*>(y), count, finish);
    }
    check_span("conv", plan);
    run_gather<T>("conv", "conv_window", forward_gather(plan), count, y, weight, x, finish);
  });
}

void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight) {
  if (settings().conv_by_cudnn) return library::conv_backward_input(plan, dtype, gx, g, weight);
  check_span("conv_backward_input", plan);
  int64_t phase[3], phases[3];
  for (int i = 0; i < 3; ++i) phases[i] = std::min(plan.stride[i], plan.in[i]);
  const bool single = phases[0] * phases[1] * phases[2] == 1;
  visit_floating("conv_backward_input", dtype, [&](auto tag) {
    using T = decltype(tag);
    for (phase[0] = 0; phase[0] < phases[0]; ++phase[0])
      for (phase[1] = 0; phase[1] < phases[1]; ++phase[1])
        for (phase[2] = 0; phase[2] < phases[2]; ++phase[2])
          run_gather<T>("conv_backward_input", "conv_window_input", backward_gather(plan, phase),
                        single ? plan.images * plan.x.image : 0, gx, weight, g);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(conv)
TENON_CUDA_ENTRY(conv_backward_input)
TENON_CUDA_ENTRY(conv_transpose)
