// How sums of output channels, a channel in each lane, come to where they belong.
#pragma once

#include "core/cpu/conv_strip.h"
#include "core/cpu/transpose.h"

namespace tenon::cpu {

/// Stores n channels from k on of one plane of a strip: those of output p are from[p * step + i]. `out_extent` as in
/// DirectChannels.
template <class D, class T = hwy::HWY_NAMESPACE::TFromD<D>>
void store_plane(D d, const ConvView& view, const int64_t* out_extent, const Strip& at, int64_t plane,
                 int64_t k, int64_t n, int64_t step, const T* from, T* out) {
  const ConvAxis &h = view.axis[1], &w = view.axis[2];
  const bool whole = w.place_step == 1 && h.place_step == 1 && at.width == out_extent[2];
  const int64_t lines = whole ? 1 : at.lines, width = whole ? at.lines * at.width : at.width;
  const int64_t move = w.place_step * view.out.position;
  T* to = out + place_of(view, out_extent, plane, at.line, at.from) + k * view.out.channel;
  for (int64_t l = 0; l < lines; ++l, from += width * step, to += line_step_out(view, out_extent)) {
    if (move == 1) {
      transpose(d, from, step, to, view.out.channel, width, n);
    } else if (view.out.channel == 1) {
      for (int64_t p = 0; p < width; ++p) copy_line(to + p * move, from + p * step, n);
    } else {
      for (int64_t i = 0; i < n; ++i)
        for (int64_t p = 0; p < width; ++p) to[i * view.out.channel + p * move] = from[p * step + i];
    }
  }
}

}  // namespace tenon::cpu
