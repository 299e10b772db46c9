// Winograd's minimal filtering: its transforms, and the input of a convolution transformed, a strip at a time.
//
// Neighbouring outputs of three taps share multiplications (S. Winograd, 1980; for convolutions Lavin and Gray,
// arXiv:1509.09308):
//
//   Y = A^T [ (G w) * (B^T d) ],  3 taps w, 4 or 6 inputs d, 2 or 4 outputs Y
//
//         1  0 -1  0            1   0   0
//   B^T = 0  1  1  0        G = 1/2  1/2  1/2    A^T = 1 1  1  0      F(2, 3): 4 multiplications instead of 6
//         0 -1  1  0            1/2 -1/2  1/2          0 1 -1 -1
//         0  1  0 -1            0   0   1
//
//         4  0 -5  0  1  0       6  0  0
//         0 -4 -4  1  1  0      -4 -4 -4               1 1  1 1  1 0
//   B^T = 0  4 -4 -1  1  0  G = -4  4 -4  / 24   A^T = 0 1 -1 2 -2 0  F(4, 3): 6 multiplications instead of 12
//         0 -2 -1  2  1  0       1  2  4               0 1  1 4  4 0
//         0  2 -1 -2  1  0       1 -2  4               0 1 -1 8 -8 1
//         0  4  0 -5  0  1       0  0 24
//
// A kernel of 3 x 3 takes F(2, 3) down the lines and F(4, 3) along them: 24 multiplications for a tile of 2 x 4 outputs,
// where it took 72. One of three taps along one axis takes F(4, 3). Its G is used 24 times as large, and that taken back
// from the outputs, so whole numbers stay exact. Fours along both axes would save a quarter more, and round worse.
//
// Between the transforms stand sums over channels (for the gradient of the weights: over tiles), one a point, which are
// products of matrices. Transforms have a channel in each lane of a vector. Images come to that order, and back, by
// transposes of some four cycles a vector; so narrow images lose nothing, and both orders of images in memory do.
#pragma once

#include <hwy/highway.h>

#include "core/cpu/conv_strip.h"
#include "core/cpu/transpose.h"

namespace tenon::cpu::winograd {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int64_t kLanes = hn::MaxLanes(hn::ScalableTag<float>());

/// Can a view be cut in tiles: three neighbouring taps of stride 1 down the lines, along them, or both? And does that
/// pay, beside the direct form? `per_weight` counts operations that happen once for a point of a weight, not for each
/// tile.
bool pays(const ConvView& view, int64_t out_channels, double per_weight);

/// Of a tile with so many outputs along an axis, the points that are multiplied at, and the taps: where there is one, all
/// are one.
constexpr int points_of(int outputs) { return outputs == 1 ? 1 : outputs + 2; }
constexpr int taps_of(int outputs) { return outputs == 1 ? 1 : 3; }

/// What weight_points multiplies the points of a tile by, besides G.
constexpr int scale_of(int lines, int columns) { return lines == 4 || columns == 4 ? 24 : 1; }

/// Calls `f` with the outputs of a tile down the lines and along them, as std::integral_constant.
template <class F>
void with_tiles(const ConvView& view, F&& f) {
  using One = std::integral_constant<int, 1>;
  using Two = std::integral_constant<int, 2>;
  using Four = std::integral_constant<int, 4>;
  if (view.axis[1].taps == 1) return f(One(), Four());
  if (view.axis[2].taps == 1) return f(Four(), One());
  f(Two(), Four());
}

/// Calls `f(tag)` with the vectors that so many channels fill.
template <class F>
void with_lanes(int64_t channels, F&& f) {
  if (channels * 2 <= kLanes) return f(hn::CappedTag<float, kLanes / 2>());
  f(hn::ScalableTag<float>());
}

// The transforms along one axis, of vectors at(0), at(1), ... to vectors `step` apart.
// [transforms]
/// B^T d
template <int kOutputs, class V, class At>
HWY_INLINE void input_points(V* to, int step, const At& at) {
  if constexpr (kOutputs == 4) {
    const hn::DFromV<V> d;
    const auto two = hn::Set(d, 2.0F), four = hn::Set(d, 4.0F), five = hn::Set(d, 5.0F);
    const auto even = hn::NegMulAdd(four, at(2), at(4)), odd = hn::NegMulAdd(four, at(1), at(3));
    const auto even2 = hn::Sub(at(4), at(2)), odd2 = hn::Mul(two, hn::Sub(at(3), at(1)));
    to[0] = hn::MulAdd(four, at(0), hn::NegMulAdd(five, at(2), at(4)));
    to[step] = hn::Add(even, odd), to[2 * step] = hn::Sub(even, odd);
    to[3 * step] = hn::Add(even2, odd2), to[4 * step] = hn::Sub(even2, odd2);
    to[5 * step] = hn::MulAdd(four, at(1), hn::NegMulAdd(five, at(3), at(5)));
  } else if constexpr (kOutputs == 2) {
    to[0] = hn::Sub(at(0), at(2)), to[step] = hn::Add(at(1), at(2));
    to[2 * step] = hn::Sub(at(2), at(1)), to[3 * step] = hn::Sub(at(1), at(3));
  } else {
    to[0] = at(0);
  }
}
/// G w, for four outputs 24 G w
template <int kOutputs, class V, class At>
HWY_INLINE void weight_points(V* to, int step, const At& at) {
  const hn::DFromV<V> d;
  const auto times = [&](float factor, V v) { return hn::Mul(hn::Set(d, factor), v); };
  if constexpr (kOutputs == 4) {
    const auto ends = times(4, hn::Add(at(0), at(2))), middle = times(4, at(1));
    const auto ends2 = hn::Add(at(0), times(4, at(2))), middle2 = times(2, at(1));
    to[0] = times(6, at(0));
    to[step] = hn::Neg(hn::Add(ends, middle)), to[2 * step] = hn::Sub(middle, ends);
    to[3 * step] = hn::Add(ends2, middle2), to[4 * step] = hn::Sub(ends2, middle2);
    to[5 * step] = times(24, at(2));
  } else if constexpr (kOutputs == 2) {
    const auto ends = times(0.5F, hn::Add(at(0), at(2))), middle = times(0.5F, at(1));
    to[0] = at(0), to[step] = hn::Add(ends, middle);
    to[2 * step] = hn::Sub(ends, middle), to[3 * step] = at(2);
  } else {
    to[0] = at(0);
  }
}
/// A^T m
template <int kOutputs, class V, class At>
HWY_INLINE void tile_outputs(V* to, int step, const At& at) {
  if constexpr (kOutputs == 4) {
    const hn::DFromV<V> d;
    const auto two = hn::Set(d, 2.0F), four = hn::Set(d, 4.0F), eight = hn::Set(d, 8.0F);
    const auto even = hn::Add(at(1), at(2)), odd = hn::Sub(at(1), at(2));
    const auto even2 = hn::Add(at(3), at(4)), odd2 = hn::Sub(at(3), at(4));
    to[0] = hn::Add(hn::Add(at(0), even), even2), to[step] = hn::MulAdd(two, odd2, odd);
    to[2 * step] = hn::MulAdd(four, even2, even), to[3 * step] = hn::Add(hn::MulAdd(eight, odd2, odd), at(5));
  } else if constexpr (kOutputs == 2) {
    to[0] = hn::Add(hn::Add(at(0), at(1)), at(2)), to[step] = hn::Sub(hn::Sub(at(1), at(2)), at(3));
  } else {
    to[0] = at(0);
  }
}
// [/transforms]
/// A g, the way back of tile_outputs
template <int kOutputs, class V, class At>
HWY_INLINE void gradient_points(V* to, int step, const At& at) {
  if constexpr (kOutputs == 4) {
    const hn::DFromV<V> d;
    const auto two = hn::Set(d, 2.0F), four = hn::Set(d, 4.0F);
    const auto even = hn::Add(at(0), at(2)), odd = hn::Add(at(1), at(3));
    const auto even2 = hn::MulAdd(four, at(2), at(0)), odd2 = hn::Mul(two, hn::MulAdd(four, at(3), at(1)));
    to[0] = at(0);
    to[step] = hn::Add(even, odd), to[2 * step] = hn::Sub(even, odd);
    to[3 * step] = hn::Add(even2, odd2), to[4 * step] = hn::Sub(even2, odd2);
    to[5 * step] = at(3);
  } else if constexpr (kOutputs == 2) {
    to[0] = at(0), to[step] = hn::Add(at(0), at(1));
    to[2 * step] = hn::Sub(at(0), at(1)), to[3 * step] = hn::Neg(at(1));
  } else {
    to[0] = at(0);
  }
}

/// Columns [left, left + columns) of lines [top, top + lines) of `count` channels of a plane, as [line][column][lanes];
/// zeros beyond its height and width, in lanes beyond `count`, and all if `plane` is null.
template <class D>
void pack_lines(D d, const float* plane, const ImageSteps& steps, int64_t height, int64_t width,
                int64_t count, int64_t top, int64_t lines, int64_t left, int64_t columns, float* to) {
  constexpr int64_t lanes = hn::MaxLanes(d);
  const int64_t first = std::clamp<int64_t>(-left, 0, columns),
                last = std::clamp(width - left, first, columns);
  for (int64_t line = top; line < top + lines; ++line, to += columns * lanes) {
    if (plane == nullptr || line < 0 || line >= height) {
      clear_line(to, columns * lanes);
      continue;
    }
    clear_line(to, first * lanes);
    clear_line(to + last * lanes, (columns - last) * lanes);
    if (count < lanes) clear_line(to + first * lanes, (last - first) * lanes);
    const float* from = plane + (line * width + left + first) * steps.position;
    if (steps.position == 1)
      transpose(d, from, steps.channel, to + first * lanes, lanes, count, last - first);
    else
      for (int64_t x = first; x < last; ++x, from += steps.position) copy_line(to + x * lanes, from, count);
  }
}

/// A convolution whose outputs are cut in tiles of kLines x kColumns, and these in strips.
template <int kLines, int kColumns>
class Tiles {
 public:
  static constexpr int kDown = points_of(kLines), kAcross = points_of(kColumns), kPoints = kDown * kAcross;

  Tiles(const ConvView& view, int64_t out_channels)
      : view_(view),
        tiles_(tiles_of(view)),
        padded_((view.channels + kLanes - 1) / kLanes * kLanes),
        strips_(tiles_,
                std::clamp(kTransformed / (kPoints * (padded_ + out_channels)), kMinTiles, kMaxTiles)) {}

  /// Extents of a strip count tiles.
  const Strips& strips() const { return strips_; }
  /// The outputs of a strip of tiles.
  Strip outputs(const Strip& at) const {
    const ConvAxis &h = view_.axis[1], &w = view_.axis[2];
    return {at.plane,           at.planes,
            kLines * at.line,   std::min(kLines * at.lines, h.out - kLines * at.line),
            kColumns * at.from, std::min(kColumns * at.width, w.out - kColumns * at.from)};
  }

  /// Elements of the points of `tiles` tiles of so many channels from one point to the next: a vector more, that points
  /// do not all meet in the same lines of the cache.
  static int64_t step_of(int64_t tiles, int64_t channels) { return tiles * channels + kLanes; }

  /// v[point][plane, tile][c] = B^T d B: of channels [first, last) for the planes of the input that a strip meets.
  int64_t inputs_step(const Strip& at) const { return step_of(planes_in(at) * at.lines * at.width, padded_); }
  /// The step from tile to tile.
  int64_t channels() const { return padded_; }
  /// Where the points begin that outputs meet at tap t of depth.
  int64_t depth_offset(const Strip& at, int64_t t) const {
    return (view_.axis[0].offset(t) - view_.axis[0].lowest()) * at.lines * at.width * padded_;
  }
  /// Elements of scratch that transform_inputs needs in `image`.
  int64_t image_elements() const {
    return lines_in(strips_.largest()) * columns_in(strips_.largest()) * kLanes;
  }
  void transform_inputs(const Strip& at, int64_t first, int64_t last, const float* in, float* image,
                        float* v) const {
    with_lanes(last - first, [&](auto d) {
      constexpr int64_t lanes = hn::MaxLanes(d);
      const int64_t step = inputs_step(at);
      for (int64_t c = first; c < last; c += lanes)
        for (int64_t plane = 0; plane < planes_in(at); ++plane) {
          pack_plane(d, at, plane, in + c * view_.in.channel, std::min(lanes, last - c), image);
          transform_plane<Of::inputs>(d, at, image, v + plane * at.lines * at.width * padded_ + c, padded_,
                                      step);
        }
    });
  }

  /// The points of one plane of a strip, packed as [line][column][lanes]: B^T d B of what its tiles meet, or A g A^T of
  /// their own outputs; of the next tile `channels` on, of the next point `step`.
  enum class Of { inputs, gradients };
  template <Of kOf, class D>
  static void transform_plane(D d, const Strip& at, const float* image, float* to, int64_t channels,
                              int64_t step) {
    constexpr bool kInputs = kOf == Of::inputs;
    constexpr int64_t lanes = hn::MaxLanes(d);
    constexpr int kWidth = kInputs ? kAcross : kColumns;
    const int64_t columns = kColumns * at.width + kWidth - kColumns;
    for (int64_t l = 0; l < at.lines; ++l)
      for (int64_t t = 0; t < at.width; ++t, to += channels) {
        const float* const from = image + (l * kLines * columns + t * kColumns) * lanes;
        hn::Vec<D> down[kDown][kWidth], points[kDown][kAcross];
        for (int b = 0; b < kWidth; ++b) {
          const auto at_line = [&](int a) { return hn::LoadU(d, from + (a * columns + b) * lanes); };
          if constexpr (kInputs)
            input_points<kLines>(&down[0][b], kWidth, at_line);
          else
            gradient_points<kLines>(&down[0][b], kWidth, at_line);
        }
        for (int a = 0; a < kDown; ++a) {
          const auto at_column = [&](int b) { return down[a][b]; };
          if constexpr (kInputs)
            input_points<kColumns>(&points[a][0], 1, at_column);
          else
            gradient_points<kColumns>(&points[a][0], 1, at_column);
        }
        for (int a = 0; a < kDown; ++a)
          for (int b = 0; b < kAcross; ++b) hn::StoreU(points[a][b], d, to + (a * kAcross + b) * step);
      }
  }

 private:
  static constexpr int64_t kTransformed =
      1 << 17;  // elements of all points of a strip: the near caches hold them
  static constexpr int64_t kMinTiles = 64, kMaxTiles = 256;

  static ConvView tiles_of(const ConvView& view) {
    ConvView tiles = view;
    tiles.axis[1].out = (view.axis[1].out + kLines - 1) / kLines;
    tiles.axis[2].out = (view.axis[2].out + kColumns - 1) / kColumns;
    return tiles;
  }
  // What a strip of tiles meets of the input.
  int64_t planes_in(const Strip& at) const {
    const ConvAxis& d = view_.axis[0];
    return d.taps == 1 ? at.planes : at.planes + d.reach();
  }
  static int64_t lines_in(const Strip& at) { return kLines * at.lines + kDown - kLines; }
  static int64_t columns_in(const Strip& at) { return kColumns * at.width + kAcross - kColumns; }

  // The `index`-th plane that a strip meets.
  template <class D>
  void pack_plane(D d, const Strip& at, int64_t index, const float* in, int64_t count, float* to) const {
    const ConvAxis &z = view_.axis[0], &h = view_.axis[1], &w = view_.axis[2];
    const int64_t plane = at.plane + (z.taps == 1 ? index : 0);  // with one tap it may be of another image
    const int64_t depth = plane % z.out + z.lowest() + (z.taps == 1 ? 0 : index);
    in += plane / z.out * view_.in.image + depth * h.in * w.in * view_.in.position;
    pack_lines(d, depth < 0 || depth >= z.in ? nullptr : in, view_.in, h.in, w.in, count,
               kLines * at.line + h.lowest(), lines_in(at), kColumns * at.from + w.lowest(), columns_in(at),
               to);
  }

  ConvView view_, tiles_;  // tiles_: with tiles for outputs
  int64_t padded_;         // channels of a tile's points
  Strips strips_;
};

}  // namespace tenon::cpu::winograd
