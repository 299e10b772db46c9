// The gradient of the weights by minimal filtering (conv_winograd_tiles.h), the convolution's way back:
//
//   n[point][plane, tile][k]  = A g A^T
//   gu[point][t][c][k]       += v[point][plane + t, tile][c] n[point][plane, tile][k],  v = B^T d B
//   gw                        = G^T gu G
//
// with 16 / 36 (one axis: 4 / 6) of the multiply-adds of conv_weight_gradient.cpp. The products sum over tiles, a strip
// of them at a time, onto what strips before it gave. Strips are cut into at most 16 parts of at least 4, each summed in order into
// points of its own, and the parts are summed in order, in float64. With many weights there are fewer parts; threads
// then share input channels.
#include <algorithm>

#include "core/cpu/conv_winograd.h"
#include "core/cpu/conv_winograd_tiles.h"
#include "core/cpu/matmul_tiles.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace winograd {
namespace {

constexpr int64_t kMaxParts = 16, kMinStrips = 4, kPartial = int64_t{1} << 20;

// G^T u along one axis
template <int kTaps, class At>
void taps_of(double* to, int step, const At& at) {
  if constexpr (kTaps == 3) {
    const double sum = (at(1) + at(2)) / 2, difference = (at(1) - at(2)) / 2;
    to[0] = at(0) + sum, to[step] = difference, to[2 * step] = sum + at(3);
  } else {
    to[0] = at(0);
  }
}

template <int kH, int kW>
class Gradient {
 public:
  using Cut = Tiles<kH, kW>;
  static constexpr int kDown = Cut::kDown, kAcross = Cut::kAcross, kPoints = Cut::kPoints;
  static constexpr int kLines = Cut::kLines, kColumns = Cut::kColumns;

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
        transform_plane(d, at, image, n + p * at.lines * at.width * padded_ + k, step);
      }
  }

  template <class D>
  void transform_plane(D d, const Strip& at, const float* image, float* n, int64_t step) const {
    constexpr int64_t lanes = hn::MaxLanes(d);
    const int64_t columns = kColumns * at.width;
    for (int64_t l = 0; l < at.lines; ++l)
      for (int64_t t = 0; t < at.width; ++t, n += padded_) {
        const float* const from = image + (l * kLines * columns + t * kColumns) * lanes;
        hn::Vec<D> down[kDown][kColumns], points[kDown][kAcross];
        for (int b = 0; b < kColumns; ++b)
          gradient_points<kH>(&down[0][b], kColumns,
                              [&](int a) { return hn::LoadU(d, from + (a * columns + b) * lanes); });
        for (int a = 0; a < kDown; ++a)
          gradient_points<kW>(&points[a][0], 1, [&](int b) { return down[a][b]; });
        for (int a = 0; a < kDown; ++a)
          for (int b = 0; b < kAcross; ++b) hn::StoreU(points[a][b], d, n + (a * kAcross + b) * step);
      }
  }

  // What a strip gives to the points of channels [first, last); their first value without `add`.
  void multiply(const Strip& at, int64_t first, int64_t last, const float* v, const float* n, float* gu,
                bool add) const {
    const int64_t tiles = at.positions();
    const TileProduct<float> product(last - first, out_channels_, tiles, {nullptr, 1, tiles_.channels()},
                                     {nullptr, padded_, 1}, out_channels_);
    const Scratch<float> panel(product.panel_elements());
    for (int point = 0; point < kPoints; ++point)
      for (int64_t t = 0; t < view_.axis[0].taps; ++t)
        product(v + point * tiles_.inputs_step(at) + tiles_.depth_offset(at, t) + first,
                n + point * Cut::step_of(tiles, padded_),
                gu + point * point_ + (t * view_.channels + first) * out_channels_, panel.data(), add);
  }

  // gw[k][c][tap] = G^T (sum over parts) G, in float64
  void add_parts(float* gw, const float* partial, int64_t parts) const {
    const ConvAxis &d = view_.axis[0], &h = view_.axis[1], &w = view_.axis[2];
    const int64_t taps = view_.taps();
    parallel_for(
        d.taps * view_.channels, grain_for_flops(4 * kPoints * parts * out_channels_),
        [&](int64_t begin, int64_t end) {
          const Scratch<double> sums(kPoints * out_channels_);
          for (int64_t i = begin; i < end; ++i) {
            sum_parts(partial + i * out_channels_, parts, sums.data());
            float* const to = gw + i % view_.channels * taps + d.first_tap + i / view_.channels * d.tap_step;
            for (int64_t k = 0; k < out_channels_; ++k) {
              double down[kH][kAcross], tap[kH][kW];
              for (int b = 0; b < kAcross; ++b)
                taps_of<kH>(&down[0][b], kAcross,
                            [&](int a) { return sums.data()[(a * kAcross + b) * out_channels_ + k]; });
              for (int a = 0; a < kH; ++a) taps_of<kW>(tap[a], 1, [&](int b) { return down[a][b]; });
              for (int a = 0; a < kH; ++a)
                for (int b = 0; b < kW; ++b)
                  to[k * view_.channels * taps + h.first_tap + a * h.tap_step + w.first_tap +
                     b * w.tap_step] = static_cast<float>(tap[a][b]);
            }
          }
        });
  }
  void sum_parts(const float* partial, int64_t parts, double* sums) const {
    for (int point = 0; point < kPoints; ++point, sums += out_channels_) {
      std::fill_n(sums, out_channels_, 0.0);
      for (int64_t part = 0; part < parts; ++part) {
        const float* const from = partial + (part * kPoints + point) * point_;
        for (int64_t k = 0; k < out_channels_; ++k) sums[k] += static_cast<double>(from[k]);
      }
    }
  }

  ConvView view_;
  int64_t out_channels_, padded_;  // padded_: those of a row of n
  Cut tiles_;
  int64_t point_;  // elements of a point of gu
};

}  // namespace
}  // namespace winograd

bool winograd_gradient_pays(const ConvView& view, int64_t out_channels) {
  constexpr double kParts = 32;  // that are summed
  return winograd::pays(view, out_channels, kParts);
}

void conv_winograd_gradient(const ConvView& view, int64_t out_channels, float* gw, const float* g,
                            const float* x) {
  winograd::with_taps(view, [&](auto down, auto across) {
    winograd::Gradient<down(), across()>(view, out_channels).run(gw, g, x);
  });
}

}  // namespace tenon::cpu
