#include "core/cpu/conv_strip.h"

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

Strips::Strips(const ConvView& view, int64_t positions) : view_(view) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  constexpr int64_t kVector = 16;
  width_ = even_piece(w.out, 2 * positions);
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

StripLayout::StripLayout(const ConvView& view, const Strip& largest) {
  if (is_packed(view)) {
    phases = lines = depths = 1, position = line_step = depth_step = 0;
    plane_step = view.in.image, channel_step = view.in.channel;
    return;
  }
  const ConvAxis& w = view.axis[2];
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
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t td = 0; td < d.taps; ++td)
      for (int64_t th = 0; th < h.taps; ++th)
        for (int64_t tw = 0; tw < w.taps; ++tw) {
          const int64_t at = w.offset(tw) - w.lowest(), line = h.offset(th) - h.lowest();
          *offsets++ = c * channel_step + (d.offset(td) - d.lowest()) * depth_step +
                       (line * phases + at % w.stride) * position + at / w.stride;
        }
}

namespace {

// One phase of a line: to[j] = x[(low + j * stride) * step], or 0 outside [0, in).
template <class T>
void pack_line(T* to, const T* x, int64_t step, int64_t low, int64_t stride, int64_t in, int64_t n) {
  const int64_t first = std::clamp<int64_t>(low >= 0 ? 0 : (-low + stride - 1) / stride, 0, n);
  const int64_t last = std::clamp<int64_t>(in <= low ? 0 : (in - low + stride - 1) / stride, first, n);
  for (int64_t j = 0; j < first; ++j) to[j] = 0;
  const T* from = x + (low + first * stride) * step;
  if (stride * step == 1) {
    copy_line(to + first, from, last - first);
  } else {
    for (int64_t j = 0; j < last - first; ++j) to[first + j] = from[j * stride * step];
  }
  for (int64_t j = last; j < n; ++j) to[j] = 0;
}

}  // namespace

template <class T>
void pack_strip(const ConvView& view, const StripLayout& layout, const Strip& strip, int64_t first,
                int64_t last, const T* x, T* to) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  const int64_t pitch = layout.phases * layout.position;
  const Span lines(h, strip.lines), depths(d, strip.planes);
  const int64_t line_stride = h.taps == 1 ? h.stride : 1;
  const int64_t line0 = strip.line * h.stride + h.lowest(), from = strip.from * w.stride + w.lowest();
  for (int64_t c = first; c < last; ++c)
    for (int64_t p = 0; p < depths.inputs; ++p) {
      // With one tap a depth is that of plane p, which may be of another image.
      const int64_t plane = d.taps == 1 ? strip.plane + p : strip.plane, image = plane / d.out;
      const int64_t depth = plane % d.out * d.stride + d.lowest() + (d.taps == 1 ? 0 : p);
      const T* const of_depth =
          x + image * view.in.image + c * view.in.channel + depth * h.in * w.in * view.in.position;
      T* at = to + (c - first) * layout.channel_step + p * layout.depth_step;
      for (int64_t l = 0; l < lines.inputs; ++l, at += pitch) {
        const int64_t line = line0 + l * line_stride;
        if (depth < 0 || depth >= d.in || line < 0 || line >= h.in) {
          std::fill_n(at, pitch, T{0});
          continue;
        }
        for (int64_t phase = 0; phase < layout.phases; ++phase)
          pack_line(at + phase * layout.position, of_depth + line * w.in * view.in.position, view.in.position,
                    from + phase, w.stride, w.in, layout.position);
      }
    }
}

bool is_packed(const ConvView& view) {
  return view.in.position == 1 && view.axis[0].out == 1 && view.axis[1].out == 1 &&
         view.axis[0].is_identity() && view.axis[1].is_identity() && view.axis[2].is_identity();
}

template void pack_strip(const ConvView&, const StripLayout&, const Strip&, int64_t, int64_t, const float*,
                         float*);
template void pack_strip(const ConvView&, const StripLayout&, const Strip&, int64_t, int64_t, const double*,
                         double*);

}  // namespace tenon::cpu
