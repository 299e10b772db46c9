// Direct convolution: output channels in the lanes of vectors, some neighbouring outputs in registers.
//
//   out[p][k] += w[c][tap][k] * strip[c][offset(tap) + p]        for p < Q outputs, k < 2 vectors (or 1)
//
// Each step loads two vectors of weights and one number an output, and does 2 Q multiply-adds: with Q = 14 of 32
// registers, 16 loads beside 28. The order in which channels come to lanes is ours (weights are packed for it), so
// both orders of images in memory do, and any width; what is lost is lanes, where channels are no multiple of a
// vector (thin outputs take half vectors, or conv_thin.cpp).
//
// Around it: a strip of outputs at a time (conv_strip.h); channels in blocks whose weights (at most kWeights) stay in
// the near caches while the outputs of the strip go by; sums wait in a scratch [vectors][position][lanes], from which
// they are transposed to where they belong. Taps whose lines lie in the padding are left out.
// docs/direct-convolution.md climbs to this form, and counts.
#include "core/cpu/conv_direct.h"

#include <hwy/highway.h>

#include <array>
#include <numeric>
#include <utility>

#include "core/cpu/conv_store.h"
#include "core/cpu/conv_thin.h"
#include "core/cpu/registers.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kWeights = 32768;  // bytes of a block of weights
constexpr int64_t kStrip = 131072;   // bytes of packed input
constexpr int64_t kPositions = 256;  // outputs of a strip at least
constexpr int64_t kSums = 16384;     // sums of a strip, if these are more outputs
constexpr int64_t kTasks = 8;        // below which the channels of outputs are shared among tasks too

template <class T>
struct TileCall {
  const T* x;              // of the first output
  const int64_t* offsets;  // from there, of every channel and tap
  int64_t count;
  const T* w;
  T* sums;         // [Q][kV * lanes]
  const T* start;  // [kV * lanes] that sums begin with; null: they go on from what `sums` holds
  bool relu;       // of the sums, which are whole then
};

// [tile]
template <class D, int kV, int kQ, class T = hn::TFromD<D>>
void tile(const TileCall<T>& call) {
  const D d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  hn::Vec<D> sum[kQ][kV];
  const T* const start = call.start != nullptr ? call.start : call.sums;
  const int64_t start_step = call.start != nullptr ? 0 : kV * lanes;
  for (int q = 0; q < kQ; ++q)
    for (int v = 0; v < kV; ++v) sum[q][v] = hn::LoadU(d, start + q * start_step + v * lanes);
  const T* w = call.w;
  for (int64_t i = 0; i < call.count; ++i, w += kV * lanes) {
    const T* const x = call.x + call.offsets[i];
    hn::Vec<D> weight[kV];
    for (int v = 0; v < kV; ++v) weight[v] = hn::LoadU(d, w + v * lanes);
    for (int q = 0; q < kQ; ++q) {
      const auto element = hn::Set(d, x[q]);
      for (int v = 0; v < kV; ++v) sum[q][v] = hn::MulAdd(element, weight[v], sum[q][v]);
    }
  }
  if (call.relu)
    for (int q = 0; q < kQ; ++q)
      for (int v = 0; v < kV; ++v)
        sum[q][v] = hn::IfThenElse(hn::Lt(sum[q][v], hn::Zero(d)), hn::Zero(d), sum[q][v]);
  T* to = call.sums;
  for (int q = 0; q < kQ; ++q)
    for (int v = 0; v < kV; ++v, to += lanes) hn::StoreU(sum[q][v], d, to);
}
// [/tile]

// Tiles of every width that the registers allow.
template <class D, int kV>
struct Tiles {
  using T = hn::TFromD<D>;
  // More than 14 in one vector each gain nothing, and cost: at 21 a third of the speed (Zen 4).
  static constexpr int kMost = kVectorRegisters == 32 ? 14 : 12 / kV;
  template <int... kQ>
  static constexpr auto table(std::integer_sequence<int, kQ...>) {
    return std::array<void (*)(const TileCall<T>&), sizeof...(kQ)>{tile<D, kV, kQ + 1>...};
  }
  static void run(TileCall<T> call, int64_t width) {
    static constexpr auto kTable = table(std::make_integer_sequence<int, kMost>());
    const int64_t parts = (width + kMost - 1) / kMost;
    for (int64_t done = 0, part = 0; part < parts; ++part) {
      const int64_t q = (width - done + parts - part - 1) / (parts - part);  // even
      kTable[static_cast<size_t>(q - 1)](call);
      done += q, call.x += q, call.sums += q * kV * hn::MaxLanes(D());
    }
  }
};

// Is the input read where it lies? Not if that can only be done at the cost of the cache: channels whose planes lie a
// multiple of 4 KiB apart meet in the same lines of the near cache, of which there are eight.
template <class T>
bool in_place(const ConvView& view) {
  constexpr int64_t kSpan = 4096, kWays = 8;
  const bool fits = view.channels <= kWays * kSpan / std::gcd(view.in.channel * int64_t{sizeof(T)}, kSpan);
  return is_packed(view) || (reads_in_place(view) && fits);
}

template <class D>
class Direct {
 public:
  using T = hn::TFromD<D>;
  static constexpr int64_t kLanes = hn::MaxLanes(D());

  Direct(const ConvView& view, const DirectChannels& channels)
      : view_(view),
        channels_(channels),
        taps_(view.taps()),
        vectors_((channels.count + kLanes - 1) / kLanes),
        strips_(view_, std::clamp<int64_t>(kSums / (vectors_ * kLanes), kPositions, 8 * kPositions)),
        in_place_(in_place<T>(view_)),
        layout_(view_, strips_.largest(), in_place_),
        block_(block_of(view, in_place_ ? 1 : layout_.channel_step)),
        offsets_(block_ * taps_),
        last_offsets_(view.channels % block_ * taps_),
        starts_(vectors_ * kLanes),
        weights_(vectors_ * kLanes * view.channels * taps_) {
    layout_.find_offsets(view, block_, offsets_.data());
    layout_.find_offsets(view, view.channels % block_, last_offsets_.data());
  }

  void pack_weights(const T* w) {
    const int64_t rows = view_.channels * taps_;
    parallel_for(vectors_, grain_for_flops(8 * rows * kLanes), [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) pack_weights_of(v, w);
    });
  }

  void run(T* out, const T* in, const ConvFinish<T>& finish) const {
    std::fill_n(starts_.data(), vectors_ * kLanes, T{0});
    if (finish.bias != nullptr) std::copy_n(finish.bias, channels_.count, starts_.data());
    const int64_t pairs = (vectors_ + 1) / 2;
    const int64_t groups = std::clamp<int64_t>(kTasks / strips_.count(), 1, pairs);
    const int64_t per_group = (pairs + groups - 1) / groups * 2, most = strips_.largest().positions();
    const int64_t work = 2 * most * per_group * kLanes * view_.channels * taps_;
    parallel_for(strips_.count() * groups, grain_for_flops(work), [&](int64_t begin, int64_t end) {
      const Scratch<T> strip(in_place_ ? 0 : block_ * layout_.channel_step), sums(per_group * kLanes * most);
      for (int64_t task = begin; task < end; ++task) {
        const Strip at = strips_.strip(task / groups);
        const int64_t first = task % groups * per_group, last = std::min(first + per_group, vectors_);
        for (int64_t c = 0; c < view_.channels; c += block_) {
          const int64_t count = std::min(block_, view_.channels - c);
          if (!in_place_) pack_strip(view_, layout_, at, c, c + count, in, strip.data());
          const T* x = in_place_ ? in + c * layout_.channel_step + place_in_input(view_, at) : strip.data();
          add_channels(at, first, last, c, count, x, sums.data(), finish.relu_alone());
        }
        store(at, first, last, out, sums.data(), finish);
      }
    });
  }

 private:
  // Channels whose weights and whose strip stay in the near caches, in even blocks.
  int64_t block_of(const ConvView& view, int64_t strip) const {
    const int64_t weights = std::max<int64_t>(1, taps_) * std::min<int64_t>(2, vectors_) * kLanes;
    const int64_t limit = std::min(kWeights / weights, kStrip / strip) / int64_t{sizeof(T)};
    const int64_t most = std::clamp<int64_t>(limit, 1, view.channels);
    const int64_t blocks = (view.channels + most - 1) / most;
    return (view.channels + blocks - 1) / blocks;
  }
  // Weights of vectors 2 i and 2 i + 1 stand side by side: [pair][block][channel and tap][2 or 1][lanes].
  bool is_pair(int64_t vector) const { return (vector | 1) < vectors_; }
  int64_t weights_of(int64_t vector) const { return vector / 2 * 2 * kLanes * view_.channels * taps_; }

  void pack_weights_of(int64_t vector, const T* w) {
    const int64_t step = is_pair(vector) ? 2 * kLanes : kLanes, first = vector * kLanes;
    const int64_t lanes = std::min(kLanes, channels_.count - first);
    T* to = weights_.data() + weights_of(vector) + vector % 2 * kLanes;
    for (int64_t first_c = 0; first_c < view_.channels; first_c += block_)
      for_each_weight(view_, first_c, std::min(first_c + block_, view_.channels),
                      [&](int64_t c, int64_t tap) {
                        const T* from = w + first * channels_.out_step + c * channels_.in_step + tap;
                        for (int64_t i = 0; i < lanes; ++i) to[i] = from[i * channels_.out_step];
                        for (int64_t i = lanes; i < kLanes; ++i) to[i] = 0;
                        to += step;
                      });
  }

  // sums += what `count` channels from c on give to vectors [first, last); from the bias on, and up to ReLU.
  void add_channels(const Strip& at, int64_t first, int64_t last, int64_t c, int64_t count, const T* x,
                    T* sums, bool relu) const {
    relu = relu && c + count == view_.channels;
    for (int64_t v = first; v < last; v += 2) {
      const int64_t wide = is_pair(v) ? 2 : 1;
      const T* const w = weights_.data() + weights_of(v) + c * taps_ * wide * kLanes;
      T* to = sums + (v - first) * kLanes * at.positions();
      for (int64_t p = 0; p < at.planes; ++p)
        for (int64_t l = 0; l < at.lines; ++l, to += at.width * wide * kLanes)
          add_line(at, p, l, count,
                   {x + p * layout_.plane_step + l * layout_.line_step, nullptr, 0, w, to,
                    c > 0 ? nullptr : starts_.data() + v * kLanes, relu},
                   wide);
    }
  }

  // One line of outputs. Taps whose lines lie in the padding are left out.
  void add_line(const Strip& at, int64_t p, int64_t l, int64_t channels, TileCall<T> call,
                int64_t wide) const {
    const ConvAxis &d = view_.axis[0], &h = view_.axis[1];
    const TapRange depths(d, (at.plane + p) % d.out), lines(h, at.line + l);
    const int64_t unit = channels * view_.axis[2].taps;  // one tap of depth and height
    const int64_t* const offsets = channels == block_ ? offsets_.data() : last_offsets_.data();
    const T* const weights = call.w;
    const bool relu = call.relu;
    const auto run = [&](int64_t tap, int64_t count, bool last) {
      call.offsets = offsets + tap * unit, call.count = count * unit;
      call.w = weights + tap * unit * wide * kLanes, call.relu = relu && last;
      wide == 2 ? Tiles<D, 2>::run(call, at.width) : Tiles<D, 1>::run(call, at.width);
      call.start = nullptr;
    };
    if (depths.count() == 0) return run(0, 0, true);  // no input is met
    if (lines.count() == h.taps) return run(depths.first * h.taps, depths.count() * h.taps, true);
    for (int64_t td = depths.first; td < depths.last; ++td)
      run(td * h.taps + lines.first, lines.count(), td + 1 == depths.last);
  }

  void store(const Strip& at, int64_t first, int64_t last, T* out, T* sums,
             const ConvFinish<T>& finish) const {
    for (int64_t v = first; v < last; ++v) {
      const int64_t step = is_pair(v) ? 2 * kLanes : kLanes, k = v * kLanes,
                    n = std::min(kLanes, channels_.count - k);
      T* from = sums + (v / 2 * 2 - first) * kLanes * at.positions() + v % 2 * kLanes;
      for (int64_t p = 0; p < at.planes; ++p, from += at.lines * at.width * step)
        store_plane(D(), view_, channels_.out_extent, at, at.plane + p, k, n, step, from, out);
      if (finish.residual != nullptr) add_residual(view_, channels_.out_extent, at, k, n, out, finish);
    }
  }

  ConvView view_;
  DirectChannels channels_;
  int64_t taps_, vectors_;
  Strips strips_;
  bool in_place_;  // no packed strip: the input is read where it lies
  StripLayout layout_;
  int64_t block_;                            // channels whose weights are used at a time
  Scratch<int64_t> offsets_, last_offsets_;  // of a block, and of the last if it has fewer channels
  Scratch<T> starts_;                        // what sums begin with: the bias, or zeros
  Scratch<T> weights_;
};

template <class D, class T = hn::TFromD<D>>
void run_direct(const ConvView& view, const DirectChannels& channels, T* out, const T* in, const T* w,
                const ConvFinish<T>& finish) {
  Direct<D> direct(view, channels);
  direct.pack_weights(w);
  direct.run(out, in, finish);
}

// In whichever form loses the fewest lanes.
template <class T>
void run(const ConvView& view, const DirectChannels& channels, T* out, const T* in, const T* w,
         const ConvFinish<T>& finish) {
  // A narrow vector costs half of a wide one where the processor has them in halves, and never more; but there is a
  // number to be loaded for each.
  using Whole = hn::ScalableTag<T>;
  using Narrow = hn::CappedTag<T, std::max<size_t>(16 / sizeof(T), hn::MaxLanes(Whole()) / 2)>;
  constexpr double kNarrow = 0.85, kInPlace = 1.5;  // measured (Zen 4), as is thin_pays
  constexpr int64_t kWhole = hn::MaxLanes(Whole()), kHalf = hn::MaxLanes(Narrow());
  const int64_t count = channels.count, rest = count % kWhole;
  const bool narrow = count <= kHalf;
  const int64_t lanes = narrow ? kHalf : (count + kWhole - 1) / kWhole * kWhole;
  const double used = static_cast<double>(count) / static_cast<double>(lanes) * (narrow ? kNarrow : 1.0);
  if (thin_pays(view, kWhole, in_place<T>(view) ? kInPlace * used : used))
    return conv_thin(view, channels, out, in, w, finish);
  if (narrow) return run_direct<Narrow>(view, channels, out, in, w, finish);
  if (rest == 0 || rest > kHalf) return run_direct<Whole>(view, channels, out, in, w, finish);
  // What is left over goes into half a vector, in a convolution of its own.
  DirectChannels most = channels, few = channels;
  most.count = count - rest, few.count = rest;
  run_direct<Whole>(view, most, out, in, w, finish);
  const int64_t step = view.out.channel * most.count;
  run_direct<Narrow>(view, few, out + step, in, w + most.count * channels.out_step,
                     {finish.bias == nullptr ? nullptr : finish.bias + most.count,
                      finish.residual == nullptr ? nullptr : finish.residual + step, finish.relu});
}

}  // namespace

void conv_direct(const ConvView& view, const DirectChannels& channels, float* out, const float* in,
                 const float* w, const ConvFinish<float>& finish) {
  run(view, channels, out, in, w, finish);
}
void conv_direct(const ConvView& view, const DirectChannels& channels, double* out, const double* in,
                 const double* w, const ConvFinish<double>& finish) {
  run(view, channels, out, in, w, finish);
}

}  // namespace tenon::cpu
