#include "core/cpu/conv_strip.h"

#include <hwy/highway.h>

#include <numeric>

namespace tenon::cpu {

namespace {
// Taps of the kernel's inner axes.
int64_t inner_taps(const ConvPlan& plan, int axis) {
  int64_t taps = 1;
  for (int i = axis + 1; i < 3; ++i) taps *= plan.kernel[i];
  return taps;
}
}  // namespace

ConvAxis forward_axis(const ConvPlan& plan, int axis) {
  return {.in = plan.in[axis],
          .out = plan.out[axis],
          .stride = plan.stride[axis],
          .taps = plan.kernel[axis],
          .tap_step = inner_taps(plan, axis),
          .first_offset = -plan.padding[axis],
          .offset_step = plan.dilation[axis]};
}

ConvAxis backward_axis(const ConvPlan& plan, int axis, int64_t phase) {
  const int64_t stride = plan.stride[axis], dilation = plan.dilation[axis], taps = plan.kernel[axis];
  const int64_t shift = phase + plan.padding[axis];
  ConvAxis a{.in = plan.out[axis],
             .out = std::max<int64_t>(0, (plan.in[axis] - phase + stride - 1) / stride),
             .place = phase,
             .place_step = stride,
             .taps = 0};
  const int64_t step = stride / std::gcd(stride, dilation);  // taps that see this phase stand evenly
  int64_t first = 0;
  while (first < std::min(step, taps) && (shift - first * dilation) % stride != 0) ++first;
  if (first == std::min(step, taps)) return a;
  a.taps = (taps - 1 - first) / step + 1;
  a.first_tap = first * inner_taps(plan, axis), a.tap_step = step * inner_taps(plan, axis);
  a.first_offset = (shift - first * dilation) / stride;
  a.offset_step = -(step * dilation) / stride;
  return a;
}

namespace {
// Cuts n into the fewest pieces of at most `most`, evenly: the size of a piece.
int64_t even_piece(int64_t n, int64_t most) {
  const int64_t pieces = (n + most - 1) / most;
  return (n + pieces - 1) / pieces;
}
}  // namespace

void ConvView::join_axes(int64_t (&out_extent)[3]) {
  auto join = [&](int outer, int inner) {
    if (!axis[outer].is_identity() || !axis[inner].is_identity()) return false;
    axis[inner].in = axis[inner].out = out_extent[inner] = axis[outer].out * axis[inner].out;
    axis[outer] = {}, out_extent[outer] = 1;
    return true;
  };
  if (!join(1, 2)) return void(join(0, 1));
  std::swap(axis[0], axis[1]), std::swap(out_extent[0], out_extent[1]);
  join(1, 2);
}

TapRange::TapRange(const ConvAxis& axis, int64_t o) : first(0), last(axis.taps) {
  const auto meets = [&](int64_t t) {
    const int64_t at = o * axis.stride + axis.offset(t);
    return at >= 0 && at < axis.in;
  };
  while (first < last && !meets(first)) ++first;
  while (last > first && !meets(last - 1)) --last;
}

int64_t place_of(const ConvView& view, const int64_t* out_extent, int64_t plane, int64_t line,
                 int64_t column) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  const int64_t depth = d.place + plane % d.out * d.place_step;
  const int64_t at = (depth * out_extent[1] + h.place + line * h.place_step) * out_extent[2] + w.place +
                     column * w.place_step;
  return plane / d.out * view.out.image + at * view.out.position;
}

Strips::Strips(const ConvView& view, int64_t positions) : view_(view) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  constexpr int64_t kVector = 16;
  // Where lines share inputs, a piece of a line is short enough for some lines to be together.
  constexpr int64_t kShared = 128;
  width_ = even_piece(w.out, h.taps * d.taps > 1 ? kShared : 2 * positions);
  if (width_ < w.out) width_ = (width_ + kVector - 1) / kVector * kVector;
  const int64_t fit = std::max<int64_t>(1, positions / width_);
  if (d.taps > 1) {
    runs_ = view.images, planes_of_run_ = d.out;
    int64_t side = 1;
    while ((side + 1) * (side + 1) <= fit) ++side;
    lines_ = even_piece(h.out, side);
    planes_ = even_piece(d.out, std::max<int64_t>(1, fit / lines_));
  } else {
    runs_ = 1, planes_of_run_ = view.planes();
    lines_ = even_piece(h.out, fit);
    planes_ = lines_ < h.out ? 1 : even_piece(view.planes(), std::max<int64_t>(1, fit / lines_));
  }
}

Strip Strips::strip(int64_t i) const {
  const int64_t piece = i % pieces(), lines = i / pieces() % line_blocks();
  const int64_t planes = i / pieces() / line_blocks() % plane_blocks();
  const int64_t run = i / pieces() / line_blocks() / plane_blocks();
  return {run * planes_of_run_ + planes * planes_,
          std::min(planes_, planes_of_run_ - planes * planes_),
          lines * lines_,
          std::min(lines_, view_.axis[1].out - lines * lines_),
          piece * width_,
          std::min(width_, view_.axis[2].out - piece * width_)};
}

namespace {

// Inputs that `outputs` in a row meet along an axis, and the step between those of neighbours; those that lie between
// are left out where there is one tap.
struct Span {
  int64_t inputs, step;
  Span(const ConvAxis& axis, int64_t outputs)
      : inputs(axis.taps == 1 ? outputs : (outputs - 1) * axis.stride + axis.reach() + 1),
        step(axis.taps == 1 ? 1 : axis.stride) {}
};

}  // namespace

StripLayout::StripLayout(const ConvView& view, const Strip& largest, bool in_place) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  if (in_place) {
    phases = 1, position = w.in;
    lines = h.in, line_step = h.stride * w.in;
    depths = d.in, depth_step = h.in * w.in;
    plane_step = d.taps > 1 ? d.stride * depth_step : view.in.image, channel_step = view.in.channel;
    first_offset = d.lowest() * depth_step + h.lowest() * position;
    return;
  }
  phases = std::min(w.stride, w.reach() + 1);
  position = largest.width + w.reach() / w.stride;
  const Span line_span(view.axis[1], largest.lines), depth_span(view.axis[0], largest.planes);
  lines = line_span.inputs, line_step = line_span.step * phases * position;
  depths = depth_span.inputs, depth_step = lines * phases * position;
  plane_step = depth_span.step * depth_step;
  channel_step = depths * depth_step;
}

void StripLayout::find_offsets(const ConvView& view, int64_t channels, int64_t* offsets) const {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  for (int64_t td = 0; td < d.taps; ++td)
    for (int64_t th = 0; th < h.taps; ++th)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t tw = 0; tw < w.taps; ++tw) {
          const int64_t at = w.offset(tw) - w.lowest(), line = h.offset(th) - h.lowest();
          *offsets++ = first_offset + c * channel_step + (d.offset(td) - d.lowest()) * depth_step +
                       (line * phases + at % w.stride) * position + at / w.stride;
        }
}

namespace {

namespace hn = hwy::HWY_NAMESPACE;

// to[i] = from[2 i]. Of 2 L - 1 elements that a vector needs, the upper half comes from a load that ends with the last,
// so nothing behind it is read.
template <class T>
void copy_every_second(T* to, const T* from, int64_t n) {
  const hn::ScalableTag<T> d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto low = hn::LoadU(d, from + 2 * i), high = hn::LoadU(d, from + 2 * i + lanes - 1);
    hn::StoreU(hn::ConcatUpperLower(d, hn::ConcatOdd(d, high, high), hn::ConcatEven(d, low, low)), d, to + i);
  }
  for (; i < n; ++i) to[i] = from[2 * i];
}

// One phase of lines: `before` zeros, n elements of the input, `stride` apart from `first` on, and `after` zeros.
struct PhaseLine {
  int64_t before, n, after, first, stride;

  // Elements low, low + stride, ... of a line of `in` elements, `count` of them.
  PhaseLine(int64_t low, int64_t line_stride, int64_t in, int64_t count) : stride(line_stride) {
    before = std::clamp<int64_t>(low >= 0 ? 0 : (-low + stride - 1) / stride, 0, count);
    const int64_t end = std::clamp<int64_t>(in <= low ? 0 : (in - low + stride - 1) / stride, before, count);
    n = end - before, after = count - end, first = low + before * stride;
  }

  // Copies a line, whose elements are `position` apart in x.
  template <class T>
  void copy(T* to, const T* x, int64_t position) const {
    clear_line(to, before);
    to += before;
    const int64_t step = stride * position;
    const T* const from = x + first * position;
    if (step == 1) {
      copy_line(to, from, n);
    } else if (step == 2) {
      copy_every_second(to, from, n);
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = from[i * step];
    }
    clear_line(to + n, after);
  }
};

template <class T>
T* clear_lines(T* at, int64_t lines, int64_t pitch, int64_t n) {
  for (int64_t l = 0; l < lines; ++l, at += pitch) clear_line(at, n);
  return at;
}

}  // namespace

template <class T>
void pack_strip(const ConvView& view, const StripLayout& layout, const Strip& strip, int64_t first,
                int64_t last, const T* x, T* to) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  const Span depths(d, strip.planes), lines(h, strip.lines);
  // Lines are those from `top` on, `down` apart; of them [above, below) are in the image.
  const int64_t down = h.taps == 1 ? h.stride : 1, top = strip.line * h.stride + h.lowest();
  const PhaseLine rows(top, down, h.in, lines.inputs);
  const int64_t line_step = w.in * view.in.position;
  for (int64_t phase = 0; phase < layout.phases; ++phase) {
    const PhaseLine line(strip.from * w.stride + w.lowest() + phase, w.stride, w.in, layout.position);
    for (int64_t c = first; c < last; ++c)
      for (int64_t p = 0; p < depths.inputs; ++p) {
        // With one tap a depth is that of plane p, which may be of another image.
        const int64_t plane = strip.plane + (d.taps == 1 ? p : 0);
        const int64_t depth = plane % d.out * d.stride + d.lowest() + (d.taps == 1 ? 0 : p);
        T* at = to + (c - first) * layout.channel_step + p * layout.depth_step + phase * layout.position;
        if (depth < 0 || depth >= d.in) {
          clear_lines(at, lines.inputs, layout.pitch(), layout.position);
          continue;
        }
        const T* from =
            x + plane / d.out * view.in.image + c * view.in.channel + (depth * h.in + rows.first) * line_step;
        at = clear_lines(at, rows.before, layout.pitch(), layout.position);
        for (int64_t l = 0; l < rows.n; ++l, at += layout.pitch(), from += down * line_step)
          line.copy(at, from, view.in.position);
        clear_lines(at, rows.after, layout.pitch(), layout.position);
      }
  }
}

bool reads_in_place(const ConvView& view) {
  const ConvAxis& d = view.axis[0];
  return view.in.position == 1 && view.axis[2].is_identity() && (d.taps > 1 || d.out == 1);
}

int64_t place_in_input(const ConvView& view, const Strip& strip) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  const int64_t line = strip.plane % d.out * d.stride * h.in + strip.line * h.stride;
  return strip.plane / d.out * view.in.image + line * w.in + strip.from;
}

bool is_packed(const ConvView& view) {
  return reads_in_place(view) && view.axis[0].out == 1 && view.axis[1].out == 1 &&
         view.axis[0].is_identity() && view.axis[1].is_identity();
}

template void pack_strip(const ConvView&, const StripLayout&, const Strip&, int64_t, int64_t, const float*,
                         float*);
template void pack_strip(const ConvView&, const StripLayout&, const Strip&, int64_t, int64_t, const double*,
                         double*);

template <class T>
void add_residual(const ConvView& view, const int64_t* out_extent, const Strip& at, int64_t first,
                  int64_t count, T* out, const ConvFinish<T>& finish) {
  // Along the channels where these are neighbours, else along a line, or along all that follow each other.
  const ConvAxis &h = view.axis[1], &w = view.axis[2];
  const bool along_channels = view.out.channel == 1;
  const bool whole = w.place_step == 1 && h.place_step == 1 && at.width == out_extent[2];
  const int64_t runs = whole ? 1 : at.lines, width = whole ? at.lines * at.width : at.width;
  const int64_t move = w.place_step * view.out.position;
  const int64_t lines = along_channels ? width : count, line_step = along_channels ? move : view.out.channel;
  const int64_t n = along_channels ? count : width, step = along_channels ? 1 : move;
  for (int64_t p = 0; p < at.planes; ++p)
    for (int64_t l = 0; l < runs; ++l) {
      const int64_t place =
          place_of(view, out_extent, at.plane + p, at.line + l, at.from) + first * view.out.channel;
      for (int64_t line = 0; line < lines; ++line) {
        T* const y = out + place + line * line_step;
        const T* const r = finish.residual + place + line * line_step;
        const auto run = [=](int64_t each) {
          if (finish.relu)
            for (int64_t i = 0; i < n; ++i) y[i * each] = math::maximum(y[i * each] + r[i * each], T{0});
          else
            for (int64_t i = 0; i < n; ++i) y[i * each] += r[i * each];
        };
        step == 1 ? run(1) : run(step);  // a form of its own for neighbours
      }
    }
}

template void add_residual(const ConvView&, const int64_t*, const Strip&, int64_t, int64_t, float*,
                           const ConvFinish<float>&);
template void add_residual(const ConvView&, const int64_t*, const Strip&, int64_t, int64_t, double*,
                           const ConvFinish<double>&);

}  // namespace tenon::cpu
