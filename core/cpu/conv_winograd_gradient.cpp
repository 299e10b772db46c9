// The gradient of the weights by minimal filtering (conv_winograd_tiles.h), the convolution's way back:
//
//   n[point][plane, tile][k]  = A g A^T
//   gu[point][t][c][k]       += v[point][plane + t, tile][c] n[point][plane, tile][k],  v = B^T d B
//   gw                        = G^T gu G
//
// with 24 / 72 (one axis: 6 / 12) of the multiply-adds of conv_weight_gradient.cpp. The products sum over tiles, a strip
// of them at a time, onto what strips before it gave. Strips are cut into at most 16 parts of at least 4, each summed in
// order into points of its own, and the parts are summed in order, in float64. With many weights there are fewer parts;
// threads then share input channels.
#include <algorithm>

#include "core/cpu/conv_winograd.h"
#include "core/cpu/conv_winograd_tiles.h"
#include "core/cpu/matmul_tiles.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace winograd {
namespace {

constexpr int64_t kBlock = 64;  // output channels whose sums follow each other
constexpr int64_t kMaxParts = 16, kMinStrips = 4, kPartial = int64_t{1} << 20;

// G^T u along one axis
template <int kOutputs, class V, class At>
HWY_INLINE void gather_taps(V* to, int step, const At& at) {
  const hn::DFromV<V> d;
  const auto times = [&](double factor, V v) { return hn::Mul(hn::Set(d, factor), v); };
  if constexpr (kOutputs == 4) {
    const auto even = times(-4, hn::Add(at(1), at(2))), odd = times(-4, hn::Sub(at(1), at(2)));
    const auto even2 = hn::Add(at(3), at(4)), odd2 = hn::Sub(at(3), at(4));
    const auto whole = [&](V v) { return hn::Div(v, hn::Set(d, 24.0)); };
    to[0] = whole(hn::Add(times(6, at(0)), hn::Add(even, even2)));
    to[step] = whole(hn::Add(odd, times(2, odd2)));
    to[2 * step] = hn::Add(whole(hn::Add(even, times(4, even2))), at(5));
  } else if constexpr (kOutputs == 2) {
    const auto sum = times(0.5, hn::Add(at(1), at(2))), difference = times(0.5, hn::Sub(at(1), at(2)));
    to[0] = hn::Add(at(0), sum), to[step] = difference, to[2 * step] = hn::Add(sum, at(3));
  } else {
    to[0] = at(0);
  }
}

template <int kLines, int kColumns>
class Gradient {
 public:
  using Cut = Tiles<kLines, kColumns>;
  static constexpr int kDown = Cut::kDown, kAcross = Cut::kAcross, kPoints = Cut::kPoints;
  static constexpr int kH = taps_of(kLines), kW = taps_of(kColumns);

  Gradient(const ConvView& view, int64_t out_channels)
      : view_(view),
        out_channels_(out_channels),
        padded_((out_channels + kLanes - 1) / kLanes * kLanes),
        tiles_(view_, out_channels),
        point_(view.axis[0].taps * view.channels * out_channels) {}

  void run(float* gw, const float* g, const float* x) const {
    const int64_t strips = tiles_.strips().count(), vectors = (view_.channels + kLanes - 1) / kLanes;
    const int64_t most =
        std::clamp<int64_t>(std::min(kPartial / (kPoints * point_), strips / kMinStrips), 1, kMaxParts);
    const int64_t per_part = (strips + most - 1) / most, parts = (strips + per_part - 1) / per_part;
    const int64_t groups = std::clamp<int64_t>(8 / parts, 1, vectors),
                  per_group = (vectors + groups - 1) / groups * kLanes;
    const Strip largest = tiles_.strips().largest();
    const Scratch<float> partial(parts * kPoints * point_);
    parallel_for(parts * groups, 1, [&](int64_t begin, int64_t end) {
      const Scratch<float> image(tiles_.image_elements()), v(kPoints * tiles_.inputs_step(largest)),
          n(kPoints * Cut::step_of(largest.positions(), padded_));
      for (int64_t task = begin; task < end; ++task) {
        const int64_t part = task / groups, first = task % groups * per_group;
        const int64_t last = std::min(view_.channels, first + per_group);
        if (first >= last) continue;
        for (int64_t i = part * per_part; i < std::min(strips, (part + 1) * per_part); ++i) {
          const Strip at = tiles_.strips().strip(i);
          tiles_.transform_inputs(at, first, last, x, image.data(), v.data());
          with_lanes(out_channels_, [&](auto d) { transform_gradient(d, at, g, image.data(), n.data()); });
          multiply(at, first, last, v.data(), n.data(), partial.data() + part * kPoints * point_,
                   i > part * per_part);
        }
      }
    });
    add_parts(gw, partial.data(), parts);
  }

 private:
  // n of a strip
  template <class D>
  void transform_gradient(D d, const Strip& at, const float* g, float* image, float* n) const {
    constexpr int64_t lanes = hn::MaxLanes(d);
    const ConvAxis &z = view_.axis[0], &h = view_.axis[1], &w = view_.axis[2];
    const int64_t step = Cut::step_of(at.positions(), padded_),
                  plane_elements = h.out * w.out * view_.out.position;
    for (int64_t k = 0; k < out_channels_; k += lanes)
      for (int64_t p = 0; p < at.planes; ++p) {
        const int64_t plane = at.plane + p;
        pack_lines(
            d, g + plane / z.out * view_.out.image + plane % z.out * plane_elements + k * view_.out.channel,
            view_.out, h.out, w.out, std::min(lanes, out_channels_ - k), kLines * at.line, kLines * at.lines,
            kColumns * at.from, kColumns * at.width, image);
        Cut::template transform_plane<Cut::Of::gradients>(
            d, at, image, n + p * at.lines * at.width * padded_ + k, padded_, step);
      }
  }

  // What a strip gives to the points of channels [first, last); their first value without `add`.
  void multiply(const Strip& at, int64_t first, int64_t last, const float* v, const float* n, float* gu,
                bool add) const {
    const int64_t tiles = at.positions();
    for (int64_t k = 0; k < out_channels_; k += kBlock) {
      const int64_t count = block_of(k);
      const TileProduct<float> product(last - first, count, tiles, {nullptr, 1, tiles_.channels()},
                                       {nullptr, padded_, 1}, count);
      const Scratch<float> panel(product.panel_elements());
      for (int point = 0; point < kPoints; ++point)
        for (int64_t t = 0; t < view_.axis[0].taps; ++t)
          product(v + point * tiles_.inputs_step(at) + tiles_.depth_offset(at, t) + first,
                  n + point * Cut::step_of(tiles, padded_) + k,
                  gu + point * point_ + place_of_weights(t, k) + first * count, panel.data(), add);
    }
  }
  int64_t block_of(int64_t k) const { return std::min(kBlock, out_channels_ - k); }
  // Of the block of output channels from k on, at a tap of depth: [block][c][k]
  int64_t place_of_weights(int64_t t, int64_t k) const { return (t * out_channels_ + k) * view_.channels; }

  // gw[k][c][tap] = G^T (sum over parts) G, in float64: some neighbouring k of all c, so that both ends are met in lines
  // of the cache.
  void add_parts(float* gw, const float* partial, int64_t parts) const {
    const ConvAxis& d = view_.axis[0];
    const int64_t blocks = padded_ / kLanes, taps = view_.taps();
    parallel_for(d.taps * blocks, grain_for_flops(8 * kPoints * parts * kLanes * view_.channels),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t t = i / blocks, k = i % blocks * kLanes,
                                   n = std::min(kLanes, out_channels_ - k);
                     const int64_t block = k / kBlock * kBlock;
                     const float* const from = partial + place_of_weights(t, block) + k - block;
                     for (int64_t c = 0; c < view_.channels; ++c)
                       add_parts_of(from + c * block_of(block), parts, n,
                                    gw + (k * view_.channels + c) * taps + d.first_tap + t * d.tap_step);
                   }
                 });
  }
  void add_parts_of(const float* partial, int64_t parts, int64_t n, float* to) const {
    const ConvAxis &h = view_.axis[1], &w = view_.axis[2];
    double u[kPoints][kLanes] = {};
    for (int64_t part = 0; part < parts; ++part)
      for (int point = 0; point < kPoints; ++point, partial += point_)
        for (int64_t l = 0; l < n; ++l) u[point][l] += static_cast<double>(partial[l]);
    const hn::ScalableTag<double> d;
    double taps[kH][kW][kLanes];
    for (int64_t l = 0; l < kLanes; l += hn::MaxLanes(d)) {
      hn::Vec<decltype(d)> down[kH][kAcross], tap[kH][kW];
      for (int b = 0; b < kAcross; ++b)
        gather_taps<kLines>(&down[0][b], kAcross,
                            [&](int a) { return hn::LoadU(d, u[a * kAcross + b] + l); });
      for (int a = 0; a < kH; ++a) gather_taps<kColumns>(tap[a], 1, [&](int b) { return down[a][b]; });
      for (int a = 0; a < kH; ++a)
        for (int b = 0; b < kW; ++b) hn::StoreU(tap[a][b], d, taps[a][b] + l);
    }
    for (int64_t l = 0; l < n; ++l, to += view_.channels * view_.taps())
      for (int a = 0; a < kH; ++a)
        for (int b = 0; b < kW; ++b)
          to[h.first_tap + a * h.tap_step + w.first_tap + b * w.tap_step] = static_cast<float>(taps[a][b][l]);
  }

  ConvView view_;
  int64_t out_channels_, padded_;  // padded_: those of a row of n
  Cut tiles_;
  int64_t point_;  // elements of a point of gu
};

}  // namespace
}  // namespace winograd

bool winograd_gradient_pays(const ConvView& view, int64_t out_channels) {
  constexpr double kParts = 48;  // sums of parts, and the way back to taps: measured
  return winograd::pays(view, out_channels, kParts);
}

void conv_winograd_gradient(const ConvView& view, int64_t out_channels, float* gw, const float* g,
                            const float* x) {
  winograd::with_tiles(view, [&](auto lines, auto columns) {
    winograd::Gradient<lines(), columns()>(view, out_channels).run(gw, g, x);
  });
}

}  // namespace tenon::cpu
