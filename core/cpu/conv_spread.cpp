// The gradient of the input where much of a backward view is padding: a 5 x 5 kernel without padding makes 8 x 8
// outputs of 12 x 12 inputs, so of the 12 x 25 products along a line 100 of 300 are with zeros (lines of zeros are left
// out, columns are not). Here every product is one of the forward pass:
//
//   p[c, t][o] = sum_k w[k][c, t] g[k][o]      a product of matrices, read where they lie
//   gx[c][o + offset(t)] += p[c, t][o]
//
// a few channels and one image at a time, so that p (at most kProducts) stays in the near caches. There is one addition
// for K multiply-adds.
#include "core/cpu/conv_spread.h"

#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/matmul_tiles.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kProducts = 65536;  // bytes of p
namespace hn = hwy::HWY_NAMESPACE;
constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());

// Outputs [first, last) along an axis that meet the input, and not padding, at an offset.
struct Met {
  int64_t first, last;
  Met(int64_t out, int64_t in, int64_t offset)
      : first(std::clamp<int64_t>(-offset, 0, out)), last(std::clamp(in - offset, first, out)) {}
};

// gx += p[tap][output] of one channel, tap by tap. (Masked vectors, or the sums of all taps in a register, were slower
// than this loop.)
template <class T>
void spread(const ConvPlan& plan, const T* p, T* gx) {
  const auto offset = [&](int axis, int64_t t) { return t * plan.dilation[axis] - plan.padding[axis]; };
  for (int64_t a = 0; a < plan.kernel[0]; ++a)
    for (int64_t b = 0; b < plan.kernel[1]; ++b)
      for (int64_t c = 0; c < plan.kernel[2]; ++c, p += plan.positions()) {
        const int64_t at[3] = {offset(0, a), offset(1, b), offset(2, c)};
        const Met depths(plan.out[0], plan.in[0], at[0]), lines(plan.out[1], plan.in[1], at[1]),
            columns(plan.out[2], plan.in[2], at[2]);
        for (int64_t d = depths.first; d < depths.last; ++d)
          for (int64_t h = lines.first; h < lines.last; ++h) {
            const T* const from = p + (d * plan.out[1] + h) * plan.out[2];
            T* const to = gx + ((d + at[0]) * plan.in[1] + h + at[1]) * plan.in[2] + at[2];
            for (int64_t w = columns.first; w < columns.last; ++w) to[w] += from[w];
          }
      }
}

template <class T>
void run(const ConvPlan& plan, T* gx, const T* g, const T* w) {
  const int64_t positions = plan.positions(), taps = plan.taps(), rows = plan.in_channels * taps;
  const int64_t block =
      std::clamp<int64_t>(kProducts / int64_t{sizeof(T)} / (taps * positions), 1, plan.in_channels);
  const int64_t blocks = (plan.in_channels + block - 1) / block;
  parallel_for(plan.images * blocks, grain_for_flops(2 * block * taps * positions * plan.out_channels),
               [&](int64_t begin, int64_t end) {
                 const Scratch<T> p(block * taps * positions);
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t n = task / blocks, first = task % blocks * block;
                   const int64_t count = std::min(block, plan.in_channels - first);
                   const TileProduct<T> product(count * taps, positions, plan.out_channels,
                                                {nullptr, 1, rows}, {nullptr, plan.y.channel, 1}, positions);
                   const Scratch<T> panel(product.panel_elements());
                   product(w + first * taps, g + n * plan.y.image, p.data(), panel.data());
                   T* const to = gx + n * plan.x.image + first * plan.x.channel;
                   for (int64_t c = 0; c < count; ++c) {
                     std::fill_n(to + c * plan.x.channel, plan.x.channel, T{0});
                     spread(plan, p.data() + c * taps * positions, to + c * plan.x.channel);
                   }
                 }
               });
}

}  // namespace

// In vector operations for an image and output channel. Shares of the peak are measured (Zen 4).
bool spread_pays(const ConvPlan& plan) {
  if (plan.x.position != 1 || plan.y.position != 1 || plan.taps() == 1) return false;
  if (plan.stride[0] != 1 || plan.stride[1] != 1 || plan.stride[2] != 1) return false;
  const auto vectors = [](int64_t n, int64_t lanes) {
    const int64_t count = (n + lanes - 1) / lanes;
    return static_cast<double>(count);
  };
  const double taps = static_cast<double>(plan.taps()),
               lines = static_cast<double>(plan.out[0] * plan.out[1]);
  const double channels = static_cast<double>(plan.in_channels);
  const double halves = vectors(plan.in_channels, kLanes / 2);
  const double direct = taps * lines * static_cast<double>(plan.in[2]) * halves / 2 / 0.75;
  const double products = channels * taps * vectors(plan.positions(), kLanes) / 0.9;
  const double line = plan.out[2] < kLanes / 2 ? 4.0 * static_cast<double>(plan.out[2] + 1)
                                               : 10 * vectors(plan.out[2], kLanes / 2);
  const double additions = channels * taps * lines * line;
  return products + additions / static_cast<double>(plan.out_channels) < 0.9 * direct;
}

void conv_spread(const ConvPlan& plan, float* gx, const float* g, const float* w) { run(plan, gx, g, w); }
void conv_spread(const ConvPlan& plan, double* gx, const double* g, const double* w) { run(plan, gx, g, w); }

}  // namespace tenon::cpu
