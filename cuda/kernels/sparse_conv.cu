// Convolution with a sparse weight: the gather of the dense convolutions (conv_gather.h) under the loop of the
// sparse product (sparse_spmm.cu). A warp takes one list of the weight, that is R output channels, and 32 to 128
// output positions; it brings 32 entries at a time into its lanes, one each, takes their numbers apart into
// channel and tap there, and passes them round by shuffles. For each, the lanes read the input where their
// positions meet the tap. Neighbouring lanes have neighbouring positions, so they read neighbours; what lies in the
// padding is told by a bit a tap, as in the dense kernels. Sums run in the order of the entries.
//
// Counted for float32 and blocks of R x 1: an entry costs each position a load of 4 bytes, mostly from the
// first-level cache, for 2 R flops. A multiprocessor loads 128 bytes a cycle and does 128 multiply-adds, so R = 1 is
// bound by loads, at a quarter of the arithmetic peak, and R = 4 balances. Four positions in a lane share the
// shuffles of an entry; taking it apart costs a lane two divisions in 32 entries. Never timed on a card.
#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/conv_gather.h"
#include "cuda/kernels/sparse_conv.h"
#include "cuda/kernels/tile.h"

namespace tenon::cuda {
namespace {

constexpr int kWarps = 4;  // in a block
constexpr unsigned kAll = 0xffffffffu;

// The site that another lane holds.
__device__ MaskSite site_of_lane(const MaskSite& site, int lane) {
  return {__shfl_sync(kAll, site.offset, lane), __shfl_sync(kAll, site.taps, lane)};
}
__device__ PlaceSite site_of_lane(const PlaceSite& site, int lane) {
  PlaceSite there;
  there.offset = __shfl_sync(kAll, site.offset, lane);
  for (int i = 0; i < 3; ++i) there.at[i] = __shfl_sync(kAll, site.at[i], lane);
  return there;
}

// Positions in a lane, so that its sums are 16 at most.
constexpr int positions_in_lane(int rows) { return rows >= 16 ? 1 : rows == 8 ? 2 : 4; }

template <class Site, int kOut, class T>
__global__ void __launch_bounds__(32 * kWarps, 4)
    sparse_conv_kernel(SparseConvPlan p, ConvProduct g, T* __restrict__ y, const T* __restrict__ values,
                       const T* __restrict__ x, const T* __restrict__ bias) {
  constexpr int kPositions = positions_in_lane(kOut);
  const int64_t slot = int64_t{blockIdx.y} * kWarps + threadIdx.y;
  if (slot >= p.w.lists) return;
  const int64_t list = p.w.order[slot];
  const int begin = p.w.offsets[list], end = p.w.offsets[list + 1];
  const int lane = static_cast<int>(threadIdx.x),
            first = static_cast<int>(blockIdx.x) * 32 * kPositions + lane;
  Site sites[kPositions];
  TENON_UNROLL
  for (int i = 0; i < kPositions; ++i) {
    int image, at[3];
    sites[i] = Site::nowhere();
    if (first + 32 * i < g.n) sites[i] = g.template position_site<Site>(first + 32 * i, image, at);
  }
  T sum[kOut][kPositions] = {};
  for (int base = begin; base < end; base += 32) {
    const int count = end - base < 32 ? end - base : 32;
    Site own = Site::nowhere();
    int channel, tap[3];
    if (lane < count) own = g.template tap_site<Site>(p.w.indices[base + lane], channel, tap);
    for (int j = 0; j < count; ++j) {
      const Site entry = site_of_lane(own, j);
      T element[kPositions];
      TENON_UNROLL
      for (int i = 0; i < kPositions; ++i)
        element[i] = g.inside(sites[i], entry) ? x[sites[i].offset + entry.offset] : T(0);
      const T* const w = values + int64_t{base + j} * kOut;
      TENON_UNROLL
      for (int o = 0; o < kOut; ++o)
        for (int i = 0; i < kPositions; ++i) sum[o][i] = math::fma(w[o], element[i], sum[o][i]);
    }
  }
  const int outputs = g.n / static_cast<int>(p.images);
  TENON_UNROLL
  for (int i = 0; i < kPositions; ++i) {
    const int position = first + 32 * i;
    if (position >= g.n) continue;
    T* const to = y + position / outputs * p.out_channels * outputs + position % outputs;
    TENON_UNROLL
    for (int o = 0; o < kOut; ++o) {
      const int64_t row = list * kOut + o;
      if (row >= p.out_channels) continue;
      const T value = bias != nullptr ? sum[o][i] + bias[row] : sum[o][i];
      to[row * outputs] = p.relu ? math::maximum(value, T(0)) : value;
    }
  }
}

// Where positions and taps lie in x, which is row-major.
ConvProduct gather_of(const SparseConvPlan& p) {
  ConvProduct g{};
  for (int i = 0; i < 3; ++i) {
    g.extent[i] = static_cast<int>(p.in[i]);
    g.positions[i] = static_cast<int>(p.out[i]);
    g.start[i] = static_cast<int>(-p.padding[i]);
    g.step[i] = 1;
    g.taps[i] = static_cast<int>(p.kernel[i]);
    g.reach[i] = static_cast<int>(p.dilation[i]);
  }
  g.channels = static_cast<int>(p.in_channels);
  g.all_taps = g.taps[0] * g.taps[1] * g.taps[2];
  g.n = static_cast<int>(p.images * p.out[0] * p.out[1] * p.out[2]);
  g.source_position = 1;
  g.source_channel = static_cast<int>(p.in[0] * p.in[1] * p.in[2]);
  g.source_image = g.channels * g.source_channel;
  return g;
}

}  // namespace

void sparse_conv(const SparseConvPlan& plan, DType dtype, void* y, const void* values, const void* x,
                 const void* bias) {
  const int64_t elements_in = plan.images * plan.in_channels * plan.in[0] * plan.in[1] * plan.in[2],
                positions = plan.images * plan.out[0] * plan.out[1] * plan.out[2];
  TENON_CHECK(
      std::max(elements_in, positions) <= 0x7fffffff - 128 && plan.w.lists <= 65535 * kWarps,
      "sparse_conv: the CUDA kernel expects fewer than 2^31 elements of x and positions, and at most ",
      65535 * kWarps, " rows of blocks, got ", elements_in, ", ", positions, " and ", plan.w.lists);
  const ConvProduct gather = gather_of(plan);
  visit_floating("sparse_conv", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_block_rows(plan.block_rows, [&](auto rows) {
      constexpr int kOut = decltype(rows)::value;
      const auto kernel = gather.all_taps <= kMaskedTaps ? sparse_conv_kernel<MaskSite, kOut, T>
                                                         : sparse_conv_kernel<PlaceSite, kOut, T>;
      const Dim3 grid{static_cast<unsigned>(divide_up(positions, 32 * positions_in_lane(kOut))),
                      static_cast<unsigned>(divide_up(plan.w.lists, kWarps))};
      launch("sparse_conv", kernel, grid, {32, kWarps}, 0, plan, gather, static_cast<T*>(y),
             static_cast<const T*>(values), static_cast<const T*>(x), static_cast<const T*>(bias));
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(sparse_conv)
