// The convolution by minimal filtering (conv_winograd_tiles.h): for a strip of some tiles at a time, t a tap of depth,
//
//   v[point][plane, tile][c] = B^T d B
//   m[point][plane, tile][k] = sum_t v[point][plane + t, tile][c] u[point][t][c][k],  u = G w G^T
//   out                      = A^T m A
//
// The products are those of matmul_tiles.cpp, with 24 / 72 (one axis: 6 / 12) of the multiply-adds of the direct form.
// Weights are transformed once a call. docs/direct-convolution.md counts both forms.
#include "core/cpu/conv_winograd.h"

#include <algorithm>

#include "core/cpu/conv_store.h"
#include "core/cpu/conv_winograd_tiles.h"
#include "core/cpu/matmul_tiles.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace winograd {

// In vector operations: multiply-adds of either form, the transforms beside them, and what happens once a weight. Two
// factors are measured (Zen 4): the direct form reaches 0.8 of the peak, and a transform, with its transposes, takes 8
// operations a point.
bool pays(const ConvView& view, int64_t out_channels, double per_weight) {
  const auto is_three = [](const ConvAxis& axis) {
    return axis.taps == 3 && axis.stride == 1 && axis.reach() == 2 && axis.place_step == 1;
  };
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  const bool down = is_three(h), across = is_three(w);
  if (d.stride != 1 || d.taps == 0 || !(down || across)) return false;
  if (!(down || h.is_identity()) || !(across || w.is_identity())) return false;
  if (out_channels < kLanes / 2) return false;  // conv_thin.h
  const auto vectors = [](int64_t n) {          // a half counts as half
    const int64_t halves = (2 * n + kLanes - 1) / kLanes;
    return 0.5 * static_cast<double>(halves);
  };
  const double transforms = 8 * (vectors(view.channels) + vectors(out_channels));
  const double sums = static_cast<double>(d.taps * view.channels) * vectors(out_channels);
  bool result = false;
  with_tiles(view, [&](auto lines, auto columns) {
    const int64_t of_plane = (h.out + lines() - 1) / lines() * ((w.out + columns() - 1) / columns());
    const double tiles = static_cast<double>(view.planes() * of_plane);
    const double direct =
        static_cast<double>(view.images * view.positions() * taps_of(lines()) * taps_of(columns()));
    const double points = points_of(lines()) * points_of(columns());
    result = points * (tiles * (sums + transforms) + per_weight * sums) < direct * sums / 0.8;
  });
  return result;
}

namespace {

constexpr int64_t kBlock = 64;  // output channels whose weights follow each other
constexpr int64_t kTasks = 8;   // below which output channels are shared among tasks too

template <int kLines, int kColumns>
class Convolution {
 public:
  using Cut = Tiles<kLines, kColumns>;
  static constexpr int kDown = Cut::kDown, kAcross = Cut::kAcross, kPoints = Cut::kPoints;
  static constexpr int kH = taps_of(kLines), kW = taps_of(kColumns);
  static constexpr float kScale = scale_of(kLines, kColumns);

  Convolution(const ConvView& view, const DirectChannels& channels)
      : view_(view),
        channels_(channels),
        tiles_(view_, channels.count),
        weights_(kPoints * view.axis[0].taps * view.channels * channels.count) {}

  // u[point][tap of depth][block of output channels][c][k]
  void transform_weights(const float* w) {
    const ConvAxis &d = view_.axis[0], &h = view_.axis[1], &x = view_.axis[2];
    const int64_t rows = d.taps * view_.channels;
    parallel_for(rows, grain_for_flops(16 * kPoints * channels_.count), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t t = i / view_.channels, c = i % view_.channels;
        const float* const from = w + c * channels_.in_step + d.first_tap + t * d.tap_step;
        for (int64_t k = 0; k < channels_.count; k += kLanes) {
          const int64_t n = std::min(kLanes, channels_.count - k), block = k / kBlock * kBlock;
          float taps[kH][kW][kLanes] = {};
          for (int a = 0; a < kH; ++a)
            for (int b = 0; b < kW; ++b)
              for (int64_t l = 0; l < n; ++l)
                taps[a][b][l] = from[(k + l) * channels_.out_step + tap_at(h, a) + tap_at(x, b)];
          transform_taps(taps, n, weights_of(t, block) + c * block_of(block) + k - block,
                         rows * channels_.count);
        }
      }
    });
  }

  void run(float* out, const float* in, const ConvFinish<float>& finish) const {
    const Strips& strips = tiles_.strips();
    const int64_t blocks = (channels_.count + kBlock - 1) / kBlock;
    const int64_t groups = std::clamp<int64_t>(kTasks / strips.count(), 1, blocks);
    const int64_t per_group = (blocks + groups - 1) / groups * kBlock;
    const Strip largest = strips.largest();
    const int64_t tiles = largest.positions();
    const int64_t work = 2 * kPoints * view_.axis[0].taps * view_.channels * per_group * tiles;
    parallel_for(strips.count() * groups, grain_for_flops(work), [&](int64_t begin, int64_t end) {
      const Scratch<float> image(tiles_.image_elements()), v(kPoints * tiles_.inputs_step(largest)),
          m(kPoints * Cut::step_of(tiles, std::min(per_group, channels_.count))),
          sums(kLines * largest.lines * kColumns * largest.width * kLanes);
      for (int64_t task = begin; task < end; ++task) {
        const Strip at = strips.strip(task / groups);
        const int64_t k = task % groups * per_group, count = std::min(per_group, channels_.count - k);
        if (count <= 0) continue;
        tiles_.transform_inputs(at, 0, view_.channels, in, image.data(), v.data());
        multiply(at, k, count, v.data(), m.data());
        with_lanes(count, [&](auto d) { store(d, at, k, count, m.data(), sums.data(), out, finish); });
      }
    });
  }

 private:
  // Channels of the block from k on, and its weights at the first point.
  int64_t block_of(int64_t k) const { return std::min(kBlock, channels_.count - k); }
  float* weights_of(int64_t tap, int64_t k) const {
    return weights_.data() + (tap * channels_.count + k) * view_.channels;
  }

  // Which weight meets the a-th lowest offset.
  static int64_t tap_at(const ConvAxis& axis, int a) {
    const int64_t t = axis.offset_step > 0 ? a : axis.taps - 1 - a;
    return axis.first_tap + t * axis.tap_step;
  }

  static void transform_taps(const float (&taps)[kH][kW][kLanes], int64_t n, float* to, int64_t step) {
    const hn::ScalableTag<float> d;
    hn::Vec<decltype(d)> down[kDown][kW], u[kDown][kAcross];
    for (int b = 0; b < kW; ++b)
      weight_points<kLines>(&down[0][b], kW, [&](int a) { return hn::LoadU(d, taps[a][b]); });
    for (int a = 0; a < kDown; ++a) weight_points<kColumns>(&u[a][0], 1, [&](int b) { return down[a][b]; });
    const auto used = hn::FirstN(d, static_cast<size_t>(n));
    for (int a = 0; a < kDown; ++a)
      for (int b = 0; b < kAcross; ++b, to += step) hn::BlendedStore(u[a][b], used, d, to);
  }

  // m of a strip, of `count` output channels from k on
  void multiply(const Strip& at, int64_t k, int64_t count, const float* v, float* m) const {
    const int64_t depths = view_.axis[0].taps, tiles = at.positions();
    for (int64_t i = 0; i < count; i += kBlock) {
      const int64_t n = block_of(k + i);
      const TileProduct<float> product(tiles, n, view_.channels, {nullptr, tiles_.channels(), 1},
                                       {nullptr, n, 1}, count);
      for (int point = 0; point < kPoints; ++point)
        for (int64_t t = 0; t < depths; ++t)
          product(v + point * tiles_.inputs_step(at) + tiles_.depth_offset(at, t),
                  weights_of(t, k + i) + point * depths * view_.channels * channels_.count,
                  m + point * Cut::step_of(tiles, count) + i, nullptr, t > 0);
    }
  }

  template <class D>
  void store(D d, const Strip& at, int64_t k, int64_t count, const float* m, float* sums, float* out,
             const ConvFinish<float>& finish) const {
    constexpr int64_t lanes = hn::MaxLanes(d);
    const Strip outputs = tiles_.outputs(at);
    for (int64_t i = 0; i < count; i += lanes) {
      const int64_t n = std::min(lanes, count - i);
      const auto used = hn::FirstN(d, static_cast<size_t>(n));
      auto bias =
          hn::Zero(d);  // times the scale: added before that is taken back, so whole numbers stay exact
      if (finish.bias != nullptr)
        bias = hn::Mul(hn::Set(d, kScale), hn::MaskedLoad(used, d, finish.bias + k + i));
      for (int64_t p = 0; p < at.planes; ++p) {
        outputs_of_plane(d, at, outputs, m + p * at.lines * at.width * count + i, count, bias,
                         finish.relu_alone(), sums);
        store_plane(d, view_, channels_.out_extent, outputs, at.plane + p, k + i, n, lanes, sums, out);
      }
      if (finish.residual != nullptr)
        add_residual(view_, channels_.out_extent, outputs, k + i, n, out, finish);
    }
  }

  // [line][column][lanes] of one plane. Tiles may stand out over the image by a line or column.
  template <class D>
  static void outputs_of_plane(D d, const Strip& at, const Strip& outputs, const float* m, int64_t count,
                               hn::Vec<D> bias, bool relu, float* sums) {
    constexpr int64_t lanes = hn::MaxLanes(d);
    const int64_t step = Cut::step_of(at.positions(), count);
    const auto share = hn::Set(d, 1.0F / kScale);  // 24 k times 1 / 24, rounded, still rounds to k
    for (int64_t l = 0; l < at.lines; ++l)
      for (int64_t t = 0; t < at.width; ++t, m += count) {
        hn::Vec<D> down[kLines][kAcross], y[kLines][kColumns];
        for (int b = 0; b < kAcross; ++b)
          tile_outputs<kLines>(&down[0][b], kAcross,
                               [&](int a) { return hn::LoadU(d, m + (a * kAcross + b) * step); });
        for (int a = 0; a < kLines; ++a)
          tile_outputs<kColumns>(&y[a][0], 1, [&](int b) { return down[a][b]; });
        for (int a = 0; a < kLines; ++a)
          for (int b = 0; b < kColumns; ++b) {
            const int64_t line = kLines * l + a, column = kColumns * t + b;
            if (line >= outputs.lines || column >= outputs.width) continue;
            auto sum = hn::Mul(share, hn::Add(y[a][b], bias));
            if (relu) sum = hn::IfThenElse(hn::Lt(sum, hn::Zero(d)), hn::Zero(d), sum);
            hn::StoreU(sum, d, sums + (line * outputs.width + column) * lanes);
          }
      }
  }

  ConvView view_;
  DirectChannels channels_;
  Cut tiles_;
  Scratch<float> weights_;
};

}  // namespace
}  // namespace winograd

bool winograd_pays(const ConvView& view, const DirectChannels& channels) {
  constexpr double kTransform = 12;  // weights are gathered one by one
  return winograd::pays(view, channels.count, kTransform);
}

void conv_winograd(const ConvView& view, const DirectChannels& channels, float* out, const float* in,
                   const float* w, const ConvFinish<float>& finish) {
  winograd::with_tiles(view, [&](auto lines, auto columns) {
    winograd::Convolution<lines(), columns()> convolution(view, channels);
    convolution.transform_weights(w);
    convolution.run(out, in, finish);
  });
}

}  // namespace tenon::cpu
