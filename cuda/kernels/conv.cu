// Convolutions of one to three axes, float32 and float64: products of a weight with an image that is gathered
// piece by piece into shared memory, so that there is no columns matrix (conv_product.h says how).
//
// Sums run in an order fixed by the sizes. Those over positions (conv_backward_weight) are cut into parts, a
// block each, and a second kernel joins the parts in their order.
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
// the last are bound by arithmetic, in each of the three directions, which do the same number of flops.
// What the kernels pay above it: a gathered element costs about ten instructions and is used once for each
// row of the tile, 16 to 64 multiply-adds. Never timed on a card yet.
#include <algorithm>
#include <numeric>

#include "core/ops/contract.h"
#include "cuda/kernels/conv.h"
#include "cuda/kernels/conv_product.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr int64_t kBlocksWanted = 264;  // two for each multiprocessor of a large card

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

void check_span(const char* op, const ConvPlan& plan) {
  const int64_t x = plan.images * plan.x.image, y = plan.images * plan.y.image;
  TENON_CHECK(std::max({x, y, plan.weights()}) <= 0x7fffffff, op,
              ": the CUDA kernel expects operands that span less than 2^31 elements, got ", x, " (input), ",
              y, " (output) and ", plan.weights(), " (weight)");
}

template <class Tile, class T, class Gather>
void launch_product(const char* name, const Gather& gather, int64_t parts, bool source_along_k, T* c,
                    const T* a, const T* source, const T* shift) {
  const Dim3 grid{static_cast<unsigned>(divide_up(gather.n, Tile::kN)),
                  static_cast<unsigned>(divide_up(gather.m, Tile::kM)),
                  static_cast<unsigned>(gather.groups * parts)};
  TENON_CHECK(grid.y <= 65535 && gather.groups * parts <= 65535, name, ": ", gather.m, " rows in ",
              gather.groups, " groups are too many for one launch");
  launch(name,
         source_along_k ? conv_product_kernel<Tile, T, true, Gather>
                        : conv_product_kernel<Tile, T, false, Gather>,
         grid, {Tile::kThreads}, 0, gather, c, a, source, shift);
}

template <class T, class Gather>
void run_product(const char* name, const Gather& gather, int64_t parts, bool source_along_k, T* c, const T* a,
                 const T* source, const T* shift) {
  if (gather.m <= 16)
    return launch_product<Tile<16, 64, 16, 4, 4>>(name, gather, parts, source_along_k, c, a, source, shift);
  if (gather.m <= 32)
    return launch_product<Tile<32, 64, 16, 4, 4>>(name, gather, parts, source_along_k, c, a, source, shift);
  return launch_product<Tile<64, 64, 16, 4, 4>>(name, gather, parts, source_along_k, c, a, source, shift);
}

// What conv and conv_backward_input have in common.
ConvGather gather_of(const ConvPlan& plan, bool backward) {
  ConvGather g{};
  const ImageSteps source = backward ? plan.y : plan.x, result = backward ? plan.x : plan.y;
  const int taps = static_cast<int>(plan.taps());
  const int in = static_cast<int>(plan.in_channels), out = static_cast<int>(plan.out_channels);
  g.m = backward ? in : out;
  g.groups = static_cast<int>(plan.groups);
  g.inner.channels = backward ? out : in;
  g.inner.channels_inside = source.position != 1;
  g.a_step = backward ? taps : in * taps;
  g.weight_channel = backward ? in * taps : taps;
  g.a_along_k = true;
  g.a_group = plan.weights() / plan.groups;
  g.source_group = g.inner.channels * source.channel;
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
  g.inner.all_taps = g.inner.taps[0] * g.inner.taps[1] * g.inner.taps[2];
  g.n = static_cast<int>(plan.images) * g.positions[0] * g.positions[1] * g.positions[2];
  g.k = g.k_per_part = g.inner.channels * g.inner.all_taps;
}

ConvGather forward_gather(const ConvPlan& plan) {
  ConvGather g = gather_of(plan, false);
  int tap_step = 1;
  for (int i = 2; i >= 0; --i) {
    g.extent[i] = static_cast<int>(plan.in[i]);
    g.result_extent[i] = g.positions[i] = static_cast<int>(plan.out[i]);
    g.result_spacing[i] = 1;
    g.inner.taps[i] = static_cast<int>(plan.kernel[i]);
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
    g.inner.taps[i] = fits ? static_cast<int>(divide_up(kernel - first, apart)) : 0;
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

ConvWeightGather weight_gather(const ConvPlan& plan) {
  ConvWeightGather g{};
  g.m = static_cast<int>(plan.out_channels);
  g.groups = static_cast<int>(plan.groups);
  g.outer.channels = static_cast<int>(plan.in_channels);
  g.outer.all_taps = static_cast<int>(plan.taps());
  g.outer.channels_inside = plan.x.position != 1;
  g.n = static_cast<int>(plan.in_channels * plan.taps());
  g.k = g.k_per_part = static_cast<int>(plan.images * plan.positions());
  for (int i = 0; i < 3; ++i) {
    g.extent[i] = static_cast<int>(plan.in[i]);
    g.positions[i] = static_cast<int>(plan.out[i]);
    g.outer.taps[i] = static_cast<int>(plan.kernel[i]);
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
  g.c_part = plan.weights();
  g.source_image = static_cast<int>(plan.x.image);
  g.source_channel = static_cast<int>(plan.x.channel);
  g.source_position = static_cast<int>(plan.x.position);
  g.g_image = static_cast<int>(plan.y.image);
  g.g_position = static_cast<int>(plan.y.position);
  return g;
}

template <class T>
__global__ void conv_join_kernel(T* c, const T* partial, int64_t count, int parts) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  double sum = 0;
  for (int part = 0; part < parts; ++part) sum += static_cast<double>(partial[part * count + i]);
  c[i] = static_cast<T>(sum);
}

// Positions are cut so that the card is filled, into parts of 512 positions at least; at most 256 parts.
template <class T>
void run_backward_weight(const ConvPlan& plan, T* gw, const T* g, const T* x) {
  constexpr int64_t kPart = 512, kMaxParts = 256;
  ConvWeightGather gather = weight_gather(plan);
  const int64_t tiles = divide_up(gather.m, 64) * divide_up(gather.n, 64) * gather.groups;
  const int64_t wanted = std::clamp<int64_t>(divide_up(kBlocksWanted, tiles), 1, kMaxParts);
  gather.k_per_part = static_cast<int>(divide_up(std::max(divide_up(gather.k, wanted), kPart), 16) * 16);
  const int64_t parts = divide_up(gather.k, gather.k_per_part);
  const bool along_k = plan.x.position == 1;
  if (parts == 1) return run_product<T>("conv_backward_weight", gather, 1, along_k, gw, g, x, nullptr);
  const Scratch partial(static_cast<size_t>(parts * plan.weights()) * sizeof(T));
  run_product<T>("conv_backward_weight", gather, parts, along_k, partial.as<T>(), g, x, nullptr);
  constexpr unsigned kBlock = 256;
  launch("conv_join", conv_join_kernel<T>, {static_cast<unsigned>(divide_up(plan.weights(), kBlock))},
         {kBlock}, 0, gw, partial.as<T>(), plan.weights(), static_cast<int>(parts));
}

}  // namespace

void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias) {
  check_span("conv", plan);
  visit_floating("conv", dtype, [&](auto tag) {
    using T = decltype(tag);
    run_product<T>("conv", forward_gather(plan), 1, plan.x.position != 1, static_cast<T*>(y),
                   static_cast<const T*>(weight), static_cast<const T*>(x), static_cast<const T*>(bias));
  });
}

void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight) {
  check_span("conv_backward_input", plan);
  visit_floating("conv_backward_input", dtype, [&](auto tag) {
    using T = decltype(tag);
    int64_t phase[3], phases[3];
    for (int i = 0; i < 3; ++i) phases[i] = std::min(plan.stride[i], plan.in[i]);
    for (phase[0] = 0; phase[0] < phases[0]; ++phase[0])
      for (phase[1] = 0; phase[1] < phases[1]; ++phase[1])
        for (phase[2] = 0; phase[2] < phases[2]; ++phase[2])
          run_product<T>("conv_backward_input", backward_gather(plan, phase), 1, plan.y.position != 1,
                         static_cast<T*>(gx), static_cast<const T*>(weight), static_cast<const T*>(g),
                         nullptr);
  });
}

void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  check_span("conv_backward_weight", plan);
  visit_floating("conv_backward_weight", dtype, [&](auto tag) {
    using T = decltype(tag);
    run_backward_weight(plan, static_cast<T*>(gw), static_cast<const T*>(g), static_cast<const T*>(x));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(conv)
TENON_CUDA_ENTRY(conv_backward_input)
TENON_CUDA_ENTRY(conv_backward_weight)
TENON_CUDA_ENTRY(conv_transpose)
