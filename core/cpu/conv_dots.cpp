// The gradient of the weights where one or two channels come out (a depthwise convolution, group by group): neighbouring
// outputs in the lanes of vectors, a sum a tap.
//
//   gw[k][c][tap] = sum_p g[k][p] * strip[c][offset(tap) + p]
//
// g is packed with the pitch of the packed input (conv_strip.h) and zeros between its lines, so a plane of a strip is one
// long line. Each vector of g serves all taps (14 sums at a time): a load a multiply-add. conv_weight_gradient.cpp has
// channels in the lanes, of which it would use one.
#include "core/cpu/conv_dots.h"

#include <hwy/highway.h>

#include <array>
#include <utility>

#include "core/cpu/registers.h"
#include "core/cpu/scratch.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kMaxTaps = kVectorRegisters == 32 ? 14 : 10;  // sums in registers
constexpr int64_t kPositions = 512;                         // outputs of a strip

// gw[t] += sum over `vectors` vectors of g[p] x[offsets[t] + p]
template <class D, int kT, class T = hn::TFromD<D>>
void add_dots(const T* x, const int64_t* offsets, const T* g, int64_t vectors, double* gw) {
  const D d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  hn::Vec<D> sum[kT];
  const T* from[kT];
  for (int t = 0; t < kT; ++t) sum[t] = hn::Zero(d), from[t] = x + offsets[t];
  for (int64_t i = 0; i < vectors; ++i) {
    const auto gradient = hn::LoadU(d, g + i * lanes);
    for (int t = 0; t < kT; ++t) sum[t] = hn::MulAdd(gradient, hn::LoadU(d, from[t] + i * lanes), sum[t]);
  }
  for (int t = 0; t < kT; ++t) gw[t] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum[t])));
}

template <class D, int... kT>
constexpr auto dots_table(std::integer_sequence<int, kT...>) {
  using T = hn::TFromD<D>;
  return std::array<void (*)(const T*, const int64_t*, const T*, int64_t, double*), sizeof...(kT)>{
      add_dots<D, kT + 1>...};
}

// Channel k of the gradient at a plane of a strip, zeros between its lines; `length` elements in all.
template <class T>
void pack_gradient(const ConvView& view, const Strip& at, int64_t plane, int64_t k, int64_t pitch, const T* g,
                   T* to, int64_t length) {
  const ConvAxis &d = view.axis[0], &h = view.axis[1], &w = view.axis[2];
  const T* from = g + plane / d.out * view.out.image + k * view.out.channel +
                  ((plane % d.out * h.out + at.line) * w.out + at.from) * view.out.position;
  std::fill_n(to, length, T{0});
  for (int64_t l = 0; l < at.lines; ++l, from += w.out * view.out.position, to += pitch)
    for (int64_t o = 0; o < at.width; ++o) to[o] = from[o * view.out.position];
}

template <class T>
void run(const ConvView& view, int64_t out_channels, T* gw, const T* g, const T* x) {
  using D = hn::ScalableTag<T>;
  static constexpr auto kTable = dots_table<D>(std::make_integer_sequence<int, kMaxTaps>());
  constexpr int64_t lanes = hn::MaxLanes(D());
  const Strips strips(view, kPositions);
  const StripLayout layout(view, strips.largest(), false);
  const int64_t taps = view.taps(), pitch = layout.position;
  const auto length_of = [&](const Strip& at) { return (at.lines * pitch + lanes - 1) / lanes * lanes; };
  const Scratch<int64_t> offsets(taps);
  layout.find_offsets(view, 1, offsets.data());
  // The last vectors read what lies behind the strip, times 0.
  const int64_t packed = layout.channel_step + length_of(strips.largest()) + lanes;
  const Scratch<T> strip(packed), gradient(length_of(strips.largest()));
  std::fill_n(strip.data(), packed, T{0});
  const Scratch<double> sums(out_channels * view.channels * taps);
  std::fill_n(sums.data(), out_channels * view.channels * taps, 0.0);
  for (int64_t i = 0; i < strips.count(); ++i) {
    const Strip at = strips.strip(i);
    for (int64_t c = 0; c < view.channels; ++c) {
      pack_strip(view, layout, at, c, c + 1, x, strip.data());
      for (int64_t k = 0; k < out_channels; ++k)
        for (int64_t p = 0; p < at.planes; ++p) {
          pack_gradient(view, at, at.plane + p, k, pitch, g, gradient.data(), length_of(at));
          const T* const from = strip.data() + p * layout.plane_step;
          double* const to = sums.data() + (k * view.channels + c) * taps;
          for (int64_t t = 0; t < taps; t += kMaxTaps) {
            const int64_t n = std::min<int64_t>(kMaxTaps, taps - t);
            kTable[static_cast<size_t>(n - 1)](from, offsets.data() + t, gradient.data(),
                                               length_of(at) / lanes, to + t);
          }
        }
    }
  }
  const double* from = sums.data();
  for (int64_t k = 0; k < out_channels; ++k)
    for (int64_t c = 0; c < view.channels; ++c)
      for_each_weight(view, c, c + 1, [&](int64_t, int64_t tap) {
        gw[(k * view.channels + c) * taps + tap] = static_cast<T>(*from++);
      });
}

}  // namespace

bool dots_pay(const ConvView& view, int64_t out_channels) {
  constexpr int64_t kFew = 2;
  const ConvAxis &h = view.axis[1], &w = view.axis[2];
  return out_channels <= kFew && view.channels <= kFew && view.in.position == 1 && w.stride == 1 &&
         (h.stride == 1 || h.taps == 1);
}

void conv_dots(const ConvView& view, int64_t out_channels, float* gw, const float* g, const float* x) {
  run(view, out_channels, gw, g, x);
}
void conv_dots(const ConvView& view, int64_t out_channels, double* gw, const double* g, const double* x) {
  run(view, out_channels, gw, g, x);
}

}  // namespace tenon::cpu
