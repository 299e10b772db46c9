// The gradient of the weights: channels of the outputs in the lanes of vectors, some taps in registers.
//
//   gw[c][t][o] += strip[c][offset(t) + p] * g[p][o]        for a few runs of taps and 2 vectors of o (or 1)
//
// A run is the taps of a line of the kernel that stand side by side (3 for a 3 x 3 kernel); R runs of Q taps are in
// registers while the outputs p of a strip go by. Each output loads two vectors of g and R Q numbers of the input,
// for 2 R Q multiply-adds. The input is packed as for the direct convolution (conv_strip.h), the gradient of the outputs
// transposed to [p][o]. Bound: arithmetic; a sum of weights is read and written once a strip.
//
// Strips are cut into at most 16 parts, each summed in order into weights of its own, and the parts are summed in
// order. With many weights there are fewer parts; threads then share blocks of input channels.
#include "core/cpu/conv_weight_gradient.h"

#include <hwy/highway.h>

#include <array>
#include <utility>

#include "core/cpu/conv_dots.h"
#include "core/cpu/registers.h"
#include "core/cpu/scratch.h"
#include "core/cpu/transpose.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kMaxRuns = 9;          // each has a pointer in a register
constexpr int64_t kStrip = 65536;    // bytes of packed input at a time
constexpr int64_t kPositions = 256;  // outputs of a strip
constexpr int64_t kMaxParts = 16, kPartial = int64_t{1} << 20;

template <class T>
struct RunsCall {
  const T* x;
  const int64_t* runs;  // offsets of their first taps in the strip
  const T* g;           // [lines][width][kV * lanes]
  int64_t lines, line_step, width;
  T* gw;  // [run][Q][kV * lanes], runs one after the other
};

template <class D, int kV, int kQ, int kR, class T = hn::TFromD<D>>
void add_runs(const RunsCall<T>& call) {
  const D d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  hn::Vec<D> sum[kR][kQ][kV];
  for (int r = 0; r < kR; ++r)
    for (int q = 0; q < kQ; ++q)
      for (int v = 0; v < kV; ++v) sum[r][q][v] = hn::LoadU(d, call.gw + ((r * kQ + q) * kV + v) * lanes);
  const T* g = call.g;
  for (int64_t line = 0; line < call.lines; ++line) {
    const T* x[kR];
    for (int r = 0; r < kR; ++r) x[r] = call.x + call.runs[r] + line * call.line_step;
    for (int64_t p = 0; p < call.width; ++p, g += kV * lanes) {
      hn::Vec<D> gradient[kV];
      for (int v = 0; v < kV; ++v) gradient[v] = hn::LoadU(d, g + v * lanes);
      for (int r = 0; r < kR; ++r)
        for (int q = 0; q < kQ; ++q) {
          const auto element = hn::Set(d, x[r][p + q]);
          for (int v = 0; v < kV; ++v) sum[r][q][v] = hn::MulAdd(element, gradient[v], sum[r][q][v]);
        }
    }
  }
  for (int r = 0; r < kR; ++r)
    for (int q = 0; q < kQ; ++q)
      for (int v = 0; v < kV; ++v) hn::StoreU(sum[r][q][v], d, call.gw + ((r * kQ + q) * kV + v) * lanes);
}

// All runs of a block of channels, as many at a time as registers allow, evenly.
template <class D, int kV, int kQ>
struct Runs {
  using T = hn::TFromD<D>;
  // Sums of one vector in registers. More of them fit, and are slower: 27 by a fifth (Zen 4).
  static constexpr int kSums = kVectorRegisters == 32 ? (kV == 1 ? 18 : 7) : 12 / kV;
  static constexpr int kMost = std::min(kMaxRuns, std::max(1, kSums / kQ));
  template <int... kR>
  static constexpr auto table(std::integer_sequence<int, kR...>) {
    return std::array<void (*)(const RunsCall<T>&), sizeof...(kR)>{add_runs<D, kV, kQ, kR + 1>...};
  }
  static void add(RunsCall<T> call, int64_t count) {
    static constexpr auto kTable = table(std::make_integer_sequence<int, kMost>());
    const int64_t parts = (count + kMost - 1) / kMost;
    for (int64_t done = 0, part = 0; part < parts; ++part) {
      const int64_t r = (count - done + parts - part - 1) / (parts - part);
      kTable[static_cast<size_t>(r - 1)](call);
      done += r, call.runs += r, call.gw += r * kQ * kV * hn::MaxLanes(D());
    }
  }
};

template <class D>
class WeightGradient {
 public:
  using T = hn::TFromD<D>;
  static constexpr int64_t kLanes = hn::MaxLanes(D());

  WeightGradient(const ConvView& view, int64_t out_channels)
      : view_(view),
        out_channels_(out_channels),
        strips_(view_, kPositions),
        layout_(view_, strips_.largest(), is_packed(view_)),
        taps_(view.taps()),
        vectors_((out_channels + kLanes - 1) / kLanes),
        run_(run_of(view)),
        block_(is_packed(view) ? view.channels
                               : std::clamp<int64_t>(kStrip / int64_t{sizeof(T)} / layout_.channel_step, 1,
                                                     view.channels)),
        weights_(view.channels * taps_ * vectors_ * kLanes) {}

  void run(T* gw, const T* g, const T* x) const {
    const int64_t strips = strips_.count(), blocks = (view_.channels + block_ - 1) / block_;
    const int64_t most = std::clamp<int64_t>(kPartial / weights_, 1, kMaxParts);
    const int64_t per_part = (strips + most - 1) / most, parts = (strips + per_part - 1) / per_part;
    const int64_t groups = std::clamp<int64_t>(8 / parts, 1, blocks),
                  per_group = (blocks + groups - 1) / groups;
    const Scratch<T> partial(parts * weights_);
    parallel_for(parts * groups, 1, [&](int64_t begin, int64_t end) {
      const Scratch<int64_t> runs(block_ * taps_ / run_), last_runs(view_.channels % block_ * taps_ / run_);
      find_runs(block_, runs.data());
      find_runs(view_.channels % block_, last_runs.data());
      const Scratch<T> strip(is_packed(view_) ? 0 : block_ * layout_.channel_step),
          gradient(strips_.largest().positions() * vectors_ * kLanes);
      for (int64_t task = begin; task < end; ++task) {
        const int64_t part = task / groups, first = task % groups * per_group * block_;
        const int64_t last = std::min(view_.channels, first + per_group * block_);
        T* const to = partial.data() + part * weights_;
        for (int64_t v = 0; v < vectors_; v += 2)  // [pair][block][channel and tap][2 or 1][lanes]
          std::fill_n(to + sums_of(v) + first * taps_ * width_of(v),
                      std::max<int64_t>(0, last - first) * taps_ * width_of(v), T{0});
        for (int64_t i = part * per_part; i < std::min(strips, (part + 1) * per_part); ++i) {
          const Strip at = strips_.strip(i);
          pack_gradient(at, g, gradient.data());
          for (int64_t c = first; c < last; c += block_) {
            const int64_t count = std::min(block_, last - c);
            add_strip(at, c, count, x, strip.data(), gradient.data(),
                      count == block_ ? runs.data() : last_runs.data(), to);
          }
        }
      }
    });
    add_parts(gw, partial.data(), parts);
  }

 private:
  static int64_t run_of(const ConvView& view) {
    const ConvAxis& w = view.axis[2];
    const bool neighbours = w.stride == 1 && w.offset_step == 1;
    return neighbours && (w.taps == 3 || w.taps == 5 || w.taps == 7) ? w.taps : 1;
  }
  int64_t width_of(int64_t vector) const { return (vector | 1) < vectors_ ? 2 * kLanes : kLanes; }
  int64_t sums_of(int64_t vector) const { return vector / 2 * 2 * kLanes * view_.channels * taps_; }

  void find_runs(int64_t channels, int64_t* runs) const {
    const Scratch<int64_t> offsets(channels * taps_);
    layout_.find_offsets(view_, channels, offsets.data());
    for (int64_t i = 0; i < channels * taps_; i += run_) *runs++ = offsets.data()[i];
  }

  // [pair][position][2 or 1][lanes]
  void pack_gradient(const Strip& at, const T* g, T* to) const {
    const ConvAxis &d = view_.axis[0], &h = view_.axis[1], &w = view_.axis[2];
    const bool whole = at.width == w.out;
    const int64_t lines = whole ? 1 : at.lines, width = whole ? at.lines * at.width : at.width;
    for (int64_t v = 0; v < vectors_; ++v) {
      const int64_t step = width_of(v), k = v * kLanes, n = std::min(kLanes, out_channels_ - k);
      T* into = to + v / 2 * 2 * kLanes * at.positions() + v % 2 * kLanes;
      for (int64_t p = 0; p < at.planes; ++p)
        for (int64_t l = 0; l < lines; ++l, into += width * step) {
          const int64_t plane = at.plane + p;
          const T* from = g + plane / d.out * view_.out.image + k * view_.out.channel +
                          ((plane % d.out * h.out + at.line + l) * w.out + at.from) * view_.out.position;
          for (int64_t i = 0; n < kLanes && i < width; ++i) clear_line(into + i * step, kLanes);
          if (view_.out.position == 1) {
            transpose(D(), from, view_.out.channel, into, step, n, width);
          } else {
            for (int64_t i = 0; i < width; ++i) copy_line(into + i * step, from + i * view_.out.position, n);
          }
        }
    }
  }

  template <int kV>
  void add_runs_of(const RunsCall<T>& call, int64_t count) const {
    switch (run_) {
      case 3:
        return Runs<D, kV, 3>::add(call, count);
      case 5:
        return Runs<D, kV, 5>::add(call, count);
      case 7:
        return Runs<D, kV, 7>::add(call, count);
      default:
        return Runs<D, kV, 1>::add(call, count);
    }
  }

  // gw += what a strip gives to the weights of `count` channels from c on.
  void add_strip(const Strip& at, int64_t c, int64_t count, const T* x, T* strip, const T* gradient,
                 const int64_t* runs, T* gw) const {
    const bool packed = is_packed(view_);
    if (!packed) pack_strip(view_, layout_, at, c, c + count, x, strip);
    const T* from = packed ? x + c * layout_.channel_step + at.plane * layout_.plane_step + at.from : strip;
    for (int64_t v = 0; v < vectors_; v += 2) {
      const int64_t width = width_of(v);
      RunsCall<T> call{from,
                       runs,
                       gradient + v * kLanes * at.positions(),
                       at.lines,
                       layout_.line_step,
                       at.width,
                       gw + sums_of(v) + c * taps_ * width};
      for (int64_t p = 0; p < at.planes;
           ++p, call.x += layout_.plane_step, call.g += at.lines * at.width * width)
        add_plane(at, at.plane + p, count, call, width);
    }
  }

  // One plane. Lines that a tap sees in the padding are left out, but for few channels: their runs then fill too few
  // registers, and all taps go together.
  void add_plane(const Strip& at, int64_t plane, int64_t channels, const RunsCall<T>& all,
                 int64_t width) const {
    const ConvAxis &d = view_.axis[0], &h = view_.axis[1], &w = view_.axis[2];
    const auto add = [&](const RunsCall<T>& call, int64_t runs) {
      width == 2 * kLanes ? add_runs_of<2>(call, runs) : add_runs_of<1>(call, runs);
    };
    const int64_t unit = channels * w.taps / run_;  // runs of one tap of depth and height
    if (unit < kMaxRuns) return add(all, unit * d.taps * h.taps);
    const TapRange depths(d, plane % d.out);
    for (int64_t td = depths.first; td < depths.last; ++td)
      for (int64_t th = 0; th < h.taps; ++th) {
        int64_t first = 0, last = at.lines;
        const auto meets = [&](int64_t l) {
          const int64_t line = (at.line + l) * h.stride + h.offset(th);
          return line >= 0 && line < h.in;
        };
        while (first < last && !meets(first)) ++first;
        while (last > first && !meets(last - 1)) --last;
        const int64_t tap = td * h.taps + th;
        RunsCall<T> call = all;
        call.x += first * call.line_step, call.g += first * call.width * width;
        call.lines = last - first, call.runs += tap * unit, call.gw += tap * unit * run_ * width;
        if (call.lines > 0) add(call, unit);
      }
  }

  // gw[o][c][t] = sum over parts, in float64
  void add_parts(T* gw, const T* partial, int64_t parts) const {
    const int64_t blocks = (view_.channels + block_ - 1) / block_, rows = view_.channels * taps_;
    parallel_for(vectors_ * blocks, grain_for_flops(4 * kLanes * block_ * taps_ * parts),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t v = i / blocks, first = i % blocks * block_;
                     const T* from = partial + sums_of(v) + first * taps_ * width_of(v) + v % 2 * kLanes;
                     for_each_weight(
                         view_, first, std::min(first + block_, view_.channels), [&](int64_t c, int64_t tap) {
                           double sum[kLanes] = {};
                           for (int64_t part = 0; part < parts; ++part)
                             for (int64_t l = 0; l < kLanes; ++l)
                               sum[l] += static_cast<double>(from[part * weights_ + l]);
                           for (int64_t l = 0; l < std::min(kLanes, out_channels_ - v * kLanes); ++l)
                             gw[(v * kLanes + l) * rows + c * taps_ + tap] = static_cast<T>(sum[l]);
                           from += width_of(v);
                         });
                   }
                 });
  }

  ConvView view_;
  int64_t out_channels_;
  Strips strips_;
  StripLayout layout_;
  int64_t taps_, vectors_;
  int64_t run_;      // taps of a run
  int64_t block_;    // channels packed at a time
  int64_t weights_;  // with lanes that are not used
};

template <class T>
void run(const ConvView& view, int64_t out_channels, T* gw, const T* g, const T* x) {
  using Whole = hn::ScalableTag<T>;
  using Narrow = hn::CappedTag<T, std::max<size_t>(16 / sizeof(T), hn::MaxLanes(Whole()) / 2)>;
  if (dots_pay(view, out_channels)) return conv_dots(view, out_channels, gw, g, x);
  if (out_channels * 2 <= static_cast<int64_t>(hn::MaxLanes(Whole())))
    return WeightGradient<Narrow>(view, out_channels).run(gw, g, x);
  WeightGradient<Whole>(view, out_channels).run(gw, g, x);
}

}  // namespace

void conv_weight_gradient(const ConvView& view, int64_t out_channels, float* gw, const float* g,
                          const float* x) {
  run(view, out_channels, gw, g, x);
}
void conv_weight_gradient(const ConvView& view, int64_t out_channels, double* gw, const double* g,
                          const double* x) {
  run(view, out_channels, gw, g, x);
}

}  // namespace tenon::cpu
