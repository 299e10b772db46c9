// What the convolution kernels share: a convolution seen along each axis, its outputs cut into strips, and the input
// of a strip packed so that a kernel meets neither borders nor strides.
//
// A strip is a box of outputs: some planes, some lines of each. Packed, the input that it needs is
//
//   [channel][depth][line][phase][position]
//
// with zeros where the padding is. A line is split by phase (position modulo stride), so that at any tap the inputs
// of neighbouring outputs lie side by side: a tap is one offset into the strip. For a 3 x 3 kernel (L + 2) / L lines
// are copied for a line of the input, a few cycles a vector beside 9 K / lanes multiply-adds; hence boxes that are
// as high as they are deep.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cpu/conv.h"
#include "core/cpu/lines.h"

namespace tenon::cpu {

/// One axis: output o, which lies at place + o * place_step of its tensor, meets the input o * stride + offset(t) at
/// the t-th of its taps. Taps of the whole kernel are numbered row-major; this axis adds first_tap + t * tap_step.
struct ConvAxis {
  int64_t in = 1, out = 1, stride = 1;
  int64_t place = 0, place_step = 1;
  int64_t taps = 1, first_tap = 0, tap_step = 1;
  int64_t first_offset = 0, offset_step = 1;

  int64_t offset(int64_t t) const { return first_offset + t * offset_step; }
  /// Does every output meet its own input, and no other?
  bool is_identity() const {
    return taps == 1 && stride == 1 && place_step == 1 && first_offset == 0 && in == out;
  }
  int64_t reach() const {
    return taps == 0 ? 0 : (taps - 1) * (offset_step < 0 ? -offset_step : offset_step);
  }
  int64_t lowest() const { return taps == 0 ? 0 : std::min(offset(0), offset(taps - 1)); }
};

/// The axis from the input to the output.
ConvAxis forward_axis(const ConvPlan& plan, int axis);
/// The axis from the gradient of the output to that of the input, of whose elements it covers phase, phase + stride, ...
/// These see the taps k with (phase + padding - k dilation) divisible by the stride: some of them, none at times.
ConvAxis backward_axis(const ConvPlan& plan, int axis, int64_t phase);

/// A convolution of one group: many channels in, along three axes.
struct ConvView {
  int64_t images, channels;
  ConvAxis axis[3];
  ImageSteps in, out;

  int64_t taps() const { return axis[0].taps * axis[1].taps * axis[2].taps; }
  int64_t positions() const { return axis[0].out * axis[1].out * axis[2].out; }
  int64_t planes() const { return images * axis[0].out; }
  /// Joins neighbouring axes along which every output meets its own input, inward: a 3 x 1 x 1 kernel then has lines of
  /// height x width, a 1 x 1 kernel one line. `out_extent` are the extents of the image that outputs are placed in.
  void join_axes(int64_t (&out_extent)[3]);
};

/// Where the output at `plane` (counted through all images), line and column lies, in the first channel.
int64_t place_of(const ConvView& view, const int64_t* out_extent, int64_t plane, int64_t line,
                 int64_t column);

/// The way from there to the output of the next line.
inline int64_t line_step_out(const ConvView& view, const int64_t* out_extent) {
  return view.axis[1].place_step * out_extent[2] * view.out.position;
}

/// Taps [first, last) of an axis at which output o meets the input rather than padding.
struct TapRange {
  int64_t first, last;
  TapRange(const ConvAxis& axis, int64_t o);
  int64_t count() const { return last - first; }
};

/// The order of weights in both kernels, a block of channels at a time: [tap of depth][of height][channel][of width].
/// Taps of one line stand together, so that those of lines in the padding are left out: of a 3 x 3 kernel on 8 x 8
/// images that is a twelfth of all. Calls `f(channel, tap)` for channels [first, last).
template <class F>
void for_each_weight(const ConvView& view, int64_t first, int64_t last, F&& f) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  for (int64_t td = 0; td < d.taps; ++td)
    for (int64_t th = 0; th < h.taps; ++th)
      for (int64_t c = first; c < last; ++c)
        for (int64_t tw = 0; tw < w.taps; ++tw)
          f(c, d.first_tap + td * d.tap_step + h.first_tap + th * h.tap_step + w.first_tap + tw * w.tap_step);
}

/// Outputs [from, from + width) of lines [line, line + lines) of some planes. A plane is one depth of one image; they
/// are counted through all images, and are of one image where outputs meet inputs of several depths.
struct Strip {
  int64_t plane, planes, line, lines, from, width;
  int64_t positions() const { return planes * lines * width; }
};

/// The strips of a convolution, by its sizes alone.
class Strips {
 public:
  /// Strips of about `positions` outputs.
  Strips(const ConvView& view, int64_t positions);
  int64_t count() const { return runs_ * plane_blocks() * line_blocks() * pieces(); }
  Strip strip(int64_t i) const;
  /// The largest.
  Strip largest() const { return {0, planes_, 0, lines_, 0, width_}; }

 private:
  int64_t pieces() const { return (view_.axis[2].out + width_ - 1) / width_; }
  int64_t line_blocks() const { return (view_.axis[1].out + lines_ - 1) / lines_; }
  int64_t plane_blocks() const { return (planes_of_run_ + planes_ - 1) / planes_; }
  const ConvView& view_;
  int64_t runs_, planes_of_run_;  // planes that one strip may join
  int64_t planes_, lines_, width_;
};

/// Where things lie in a packed strip. Steps count elements.
struct StripLayout {
  int64_t phases, position;    ///< phases of a line, and elements of each
  int64_t lines, line_step;    ///< lines of a depth; the step from one line of outputs to the next
  int64_t depths, plane_step;  ///< likewise
  int64_t depth_step, channel_step;
  int64_t first_offset = 0;  ///< of the first tap, from the place that a strip begins at

  /// With `in_place` (see reads_in_place), the steps are those of the input itself.
  StripLayout(const ConvView& view, const Strip& largest, bool in_place);
  int64_t pitch() const { return phases * position; }  ///< of lines of the input
  /// Offsets of all taps of channels [0, channels), in the order of for_each_weight.
  void find_offsets(const ConvView& view, int64_t channels, int64_t* offsets) const;
};

/// Packs channels [first, last) of what a strip needs.
template <class T>
void pack_strip(const ConvView& view, const StripLayout& layout, const Strip& strip, int64_t first,
                int64_t last, const T* x, T* to);

/// Adds the residual to channels [first, first + count) of a strip of the result, which holds the rest already and is
/// still in the caches, and takes relu of that.
template <class T>
void add_residual(const ConvView& view, const int64_t* out_extent, const Strip& strip, int64_t first,
                  int64_t count, T* out, const ConvFinish<T>& finish);

/// Can the input itself serve as a strip, because neither padding nor strides are met along a line? Taps whose lines
/// lie in the padding have to be left out then.
bool reads_in_place(const ConvView& view);
/// Where a strip begins in the input, in the first channel, if that is read in place.
int64_t place_in_input(const ConvView& view, const Strip& strip);
/// Is there no padding at all, because every output of a single line meets its own input alone?
bool is_packed(const ConvView& view);

}  // namespace tenon::cpu
