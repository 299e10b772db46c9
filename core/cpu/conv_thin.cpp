// Direct convolution with few channels out: neighbouring outputs in the lanes of vectors, some channels in registers.
//
//   out[k][p] += w[k][c][tap] * strip[c][offset(tap) + p]        for 8 channels k and 3 vectors of p (or 1 and 8)
//
// Each step loads 3 vectors of the input and 8 weights, for 24 multiply-adds, however few channels there are; what is
// lost is lanes at the ends of lines. Where lines of a packed strip follow each other evenly (stride 1), a plane of it is
// one long line, of which (width / packed width) is of use: 32 of 34 for a 3 x 3 kernel. conv_direct.cpp is the other
// half: it loses lanes where channels are no multiple of a vector. `thin_pays` compares the two.
#include "core/cpu/conv_thin.h"

#include <hwy/highway.h>

#include <array>
#include <utility>

#include "core/cpu/registers.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kSums = kVectorRegisters == 32 ? 28 : 12;  // vectors of sums in registers
constexpr int kMaxChannels = 8, kMaxVectors = 8;
constexpr int64_t kPositions = 512;  // outputs of a strip
constexpr int64_t kStrip = 16384;    // bytes of packed input at a time
constexpr int64_t kTasks = 8;        // below which groups of channels are tasks of their own

template <class T>
struct ThinCall {
  const T* x;
  const int64_t* offsets;  // of every channel and tap
  int64_t count;
  const T* w;  // [channel and tap][kK]
  T* sums;     // [kK] lines, `step` apart
  int64_t step;
  bool add;
};

template <class D, int kK, int kV, class T = hn::TFromD<D>>
void thin_tile(const ThinCall<T>& call) {
  const D d;
  constexpr int64_t lanes = hn::MaxLanes(d);
  hn::Vec<D> sum[kK][kV];
  for (int k = 0; k < kK; ++k)
    for (int v = 0; v < kV; ++v) sum[k][v] = hn::Zero(d);
  const T* w = call.w;
  for (int64_t i = 0; i < call.count; ++i, w += kK) {
    const T* const x = call.x + call.offsets[i];
    hn::Vec<D> in[kV];
    for (int v = 0; v < kV; ++v) in[v] = hn::LoadU(d, x + v * lanes);
    for (int k = 0; k < kK; ++k) {
      const auto weight = hn::Set(d, w[k]);
      for (int v = 0; v < kV; ++v) sum[k][v] = hn::MulAdd(weight, in[v], sum[k][v]);
    }
  }
  for (int k = 0; k < kK; ++k)
    for (int v = 0; v < kV; ++v) {
      T* const to = call.sums + k * call.step + v * lanes;
      hn::StoreU(call.add ? hn::Add(sum[k][v], hn::LoadU(d, to)) : sum[k][v], d, to);
    }
}

// Tiles of kK channels and every number of vectors that the registers allow.
template <class D, int kK>
struct ThinTiles {
  using T = hn::TFromD<D>;
  static constexpr int kMost = std::min(kMaxVectors, std::max(1, kSums / kK));
  template <int... kV>
  static constexpr auto table(std::integer_sequence<int, kV...>) {
    return std::array<void (*)(const ThinCall<T>&), sizeof...(kV)>{thin_tile<D, kK, kV + 1>...};
  }
  static void run(ThinCall<T> call, int64_t vectors) {
    static constexpr auto kTable = table(std::make_integer_sequence<int, kMost>());
    const int64_t parts = (vectors + kMost - 1) / kMost;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t n = (vectors + parts - part - 1) / (parts - part);  // even
      kTable[static_cast<size_t>(n - 1)](call);
      vectors -= n, call.x += n * hn::MaxLanes(D()), call.sums += n * hn::MaxLanes(D());
    }
  }
};

template <class D, class T = hn::TFromD<D>>
void run_tiles(int64_t channels, const ThinCall<T>& call, int64_t vectors) {
  static constexpr std::array<void (*)(ThinCall<T>, int64_t), kMaxChannels> kTable{
      ThinTiles<D, 1>::run, ThinTiles<D, 2>::run, ThinTiles<D, 3>::run, ThinTiles<D, 4>::run,
      ThinTiles<D, 5>::run, ThinTiles<D, 6>::run, ThinTiles<D, 7>::run, ThinTiles<D, 8>::run};
  kTable[static_cast<size_t>(channels - 1)](call, vectors);
}

template <class T>
class Thin {
 public:
  using D = hn::ScalableTag<T>;
  static constexpr int64_t kLanes = hn::MaxLanes(D());

  Thin(const ConvView& view, const DirectChannels& channels)
      : view_(view),
        channels_(channels),
        taps_(view.taps()),
        groups_((channels.count + kMaxChannels - 1) / kMaxChannels),
        strips_(view_, kPositions),
        layout_(view_, strips_.largest(), false),
        block_(std::clamp<int64_t>(kStrip / int64_t{sizeof(T)} / layout_.channel_step, 1, view.channels)),
        offsets_(block_ * taps_),
        last_offsets_(view.channels % block_ * taps_),
        weights_(channels.count * view.channels * taps_) {
    layout_.find_offsets(view, block_, offsets_.data());
    layout_.find_offsets(view, view.channels % block_, last_offsets_.data());
  }

  // [group][block][channel and tap][channels out]
  void pack_weights(const T* w) {
    T* to = weights_.data();
    for (int64_t group = 0; group < groups_; ++group)
      for (int64_t first = 0; first < view_.channels; first += block_)
        for_each_weight(view_, first, std::min(first + block_, view_.channels), [&](int64_t c, int64_t tap) {
          for (int64_t k = first_of(group); k < first_of(group + 1); ++k)
            *to++ = w[k * channels_.out_step + c * channels_.in_step + tap];
        });
  }

  void run(T* out, const T* in, const ConvFinish<T>& finish) const {
    const int64_t shares = std::clamp<int64_t>(kTasks / strips_.count(), 1, groups_);
    const int64_t per_share = (groups_ + shares - 1) / shares;
    const int64_t work =
        2 * strips_.largest().positions() * per_share * kMaxChannels * view_.channels * taps_;
    parallel_for(strips_.count() * shares, grain_for_flops(work), [&](int64_t begin, int64_t end) {
      // The last vector of a plane reads on behind it.
      const Scratch<T> strip(block_ * layout_.channel_step + kLanes);
      const Scratch<T> sums(per_share * kMaxChannels * strips_.largest().planes *
                            plane_of(strips_.largest()));
      for (int64_t task = begin; task < end; ++task) {
        const Strip at = strips_.strip(task / shares);
        const int64_t first = task % shares * per_share, last = std::min(first + per_share, groups_);
        for (int64_t c = 0; c < view_.channels; c += block_) {
          const int64_t count = std::min(block_, view_.channels - c);
          pack_strip(view_, layout_, at, c, c + count, in, strip.data());
          add_channels(at, first, last, c, count, strip.data(), sums.data());
        }
        store(at, first_of(first), first_of(last), out, sums.data(), finish);
      }
    });
  }

 private:
  int64_t first_of(int64_t group) const { return group * channels_.count / groups_; }
  // Is a plane of a packed strip one long line?
  bool one_line() const { return layout_.line_step == layout_.position; }
  static int64_t whole_vectors(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }
  // Where a line, and a plane, of sums ends and the next begins.
  int64_t line_of(const Strip& at) const { return one_line() ? layout_.position : whole_vectors(at.width); }
  int64_t plane_of(const Strip& at) const {
    return one_line() ? whole_vectors((at.lines - 1) * layout_.position + at.width) : at.lines * line_of(at);
  }

  // sums[k][plane][line] += what `count` channels from c on give to groups [first, last).
  void add_channels(const Strip& at, int64_t first, int64_t last, int64_t c, int64_t count, const T* strip,
                    T* sums) const {
    const int64_t lines = one_line() ? 1 : at.lines;
    const int64_t length = one_line() ? plane_of(at) : line_of(at);
    const int64_t* const offsets = count == block_ ? offsets_.data() : last_offsets_.data();
    for (int64_t group = first; group < last; ++group) {
      const int64_t channels = first_of(group + 1) - first_of(group);
      const T* const w = weights_.data() + (first_of(group) * view_.channels + channels * c) * taps_;
      T* const to = sums + (first_of(group) - first_of(first)) * at.planes * plane_of(at);
      for (int64_t p = 0; p < at.planes; ++p)
        for (int64_t l = 0; l < lines; ++l)
          run_tiles<D>(channels,
                       {strip + p * layout_.plane_step + l * layout_.line_step, offsets, count * taps_, w,
                        to + p * plane_of(at) + l * length, at.planes * plane_of(at), c > 0},
                       length / kLanes);
    }
  }

  void store(const Strip& at, int64_t first, int64_t last, T* out, const T* sums,
             const ConvFinish<T>& finish) const {
    const ConvAxis& w = view_.axis[2];
    const int64_t move = w.place_step * view_.out.position;
    for (int64_t k = first; k < last; ++k) {
      const T shift = finish.bias == nullptr ? T{0} : finish.bias[k];
      for (int64_t p = 0; p < at.planes; ++p) {
        const T* from = sums + ((k - first) * at.planes + p) * plane_of(at);
        T* to = out + place_of(view_, channels_.out_extent, at.plane + p, at.line, at.from) +
                k * view_.out.channel;
        for (int64_t l = 0; l < at.lines;
             ++l, from += line_of(at), to += line_step_out(view_, channels_.out_extent)) {
          if (finish.relu_alone()) {
            for (int64_t i = 0; i < at.width; ++i) to[i * move] = math::maximum(from[i] + shift, T{0});
          } else if (move == 1) {
            for (int64_t i = 0; i < at.width; ++i) to[i] = from[i] + shift;
          } else {
            for (int64_t i = 0; i < at.width; ++i) to[i * move] = from[i] + shift;
          }
        }
      }
    }
    if (finish.residual != nullptr)
      add_residual(view_, channels_.out_extent, at, first, last - first, out, finish);
  }

  ConvView view_;
  DirectChannels channels_;
  int64_t taps_;
  int64_t groups_;  // of at most kMaxChannels channels, even
  Strips strips_;
  StripLayout layout_;
  int64_t block_;                            // channels packed at a time
  Scratch<int64_t> offsets_, last_offsets_;  // of a block, and of the last if it has fewer channels
  Scratch<T> weights_;
};

template <class T>
void run(const ConvView& view, const DirectChannels& channels, T* out, const T* in, const T* w,
         const ConvFinish<T>& finish) {
  Thin<T> thin(view, channels);
  thin.pack_weights(w);
  thin.run(out, in, finish);
}

}  // namespace

bool thin_pays(const ConvView& view, int64_t lanes, double direct) {
  if (view.in.position != 1) return false;
  const auto whole = [&](int64_t n) { return (n + lanes - 1) / lanes * lanes; };
  const ConvAxis &h = view.axis[1], &w = view.axis[2];
  const bool one_line = w.stride == 1 && (h.stride == 1 || h.taps == 1);
  const int64_t computed = one_line ? whole((h.out - 1) * (w.out + w.reach()) + w.out) : h.out * whole(w.out);
  // Vectors of neighbouring outputs cross the lines of the cache: they are loaded in two steps each.
  constexpr double kUnaligned = 0.7;
  return kUnaligned * static_cast<double>(h.out * w.out) / static_cast<double>(computed) > direct;
}

void conv_thin(const ConvView& view, const DirectChannels& channels, float* out, const float* in,
               const float* w, const ConvFinish<float>& finish) {
  run(view, channels, out, in, w, finish);
}
void conv_thin(const ConvView& view, const DirectChannels& channels, double* out, const double* in,
               const double* w, const ConvFinish<double>& finish) {
  run(view, channels, out, in, w, finish);
}

}  // namespace tenon::cpu
