// Depthwise convolution: neighbouring outputs in the lanes of a vector, one load of the input for each multiply-add.
//
//   out[p] = bias + sum_t w[t] * strip[offset(t) + p]
//
// There is nothing to reuse but the image, so memory bounds it: an image is read and written once, channel after channel
// as they lie, and between them stands a strip of one channel (a whole plane, if that is small) packed in the first
// cache (conv_strip.h), where taps meet neither borders nor strides. Group by group (conv_direct.cpp), planes of one
// channel would be read a whole image apart.
#include "core/cpu/conv_depthwise.h"

#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kPositions = 2048;  // outputs of a strip, 8 KiB of float32
constexpr int64_t kTasks = 16;        // below which channels are shared among tasks too

template <class T>
class Depthwise {
 public:
  using D = hn::ScalableTag<T>;
  static constexpr int64_t kLanes = hn::MaxLanes(D());

  Depthwise(const ConvView& view, int64_t per_channel, const int64_t* out_extent)
      : view_(view),
        per_channel_(per_channel),
        out_extent_(out_extent),
        taps_(view.taps()),
        strips_(view_, kPositions),
        layout_(view_, strips_.largest(), false),
        offsets_(taps_),
        weights_(view.channels * per_channel * taps_) {
    layout_.find_offsets(view, 1, offsets_.data());
  }

  // In the order of offsets, those of the view.
  void order_weights(const T* w, int64_t kernel_taps) const {
    int64_t place = 0;
    for (int64_t k = 0; k < view_.channels * per_channel_; ++k, w += kernel_taps)
      for_each_weight(view_, 0, 1, [&](int64_t, int64_t tap) { weights_.data()[place++] = w[tap]; });
  }

  void run(T* out, const T* in, const ConvFinish<T>& finish) const {
    const int64_t shares = std::clamp<int64_t>(kTasks / strips_.count(), 1, view_.channels);
    const int64_t per_share = (view_.channels + shares - 1) / shares, most = strips_.largest().positions();
    parallel_for(strips_.count() * shares, grain_for_flops(4 * most * per_share * per_channel_ * (taps_ + 2)),
                 [&](int64_t begin, int64_t end) {
                   // The last vector of a line reads on behind it.
                   const Scratch<T> strip(layout_.channel_step + kLanes), line(kLanes);
                   for (int64_t task = begin; task < end; ++task) {
                     const Strip at = strips_.strip(task / shares);
                     const int64_t first = task % shares * per_share;
                     for (int64_t c = first; c < std::min(first + per_share, view_.channels); ++c) {
                       pack_strip(view_, layout_, at, c, c + 1, in, strip.data());
                       for (int64_t k = c * per_channel_; k < (c + 1) * per_channel_; ++k)
                         run_channel(at, k, strip.data(), out, finish);
                     }
                   }
                 });
  }

 private:
  void run_channel(const Strip& at, int64_t k, const T* strip, T* out, const ConvFinish<T>& finish) const {
    const T bias = finish.bias == nullptr ? T{0} : finish.bias[k];
    for (int64_t p = 0; p < at.planes; ++p) {
      T* to = out + place_of(view_, out_extent_, at.plane + p, at.line, at.from) + k * view_.out.channel;
      const T* from = strip + p * layout_.plane_step;
      for (int64_t l = 0; l < at.lines;
           ++l, from += layout_.line_step, to += line_step_out(view_, out_extent_))
        run_line(from, weights_.data() + k * taps_, at.width, bias, finish.relu_alone(), to);
    }
    if (finish.residual != nullptr) add_residual(view_, out_extent_, at, k, 1, out, finish);
  }

  void run_line(const T* from, const T* w, int64_t width, T bias, bool relu, T* to) const {
    int64_t p = 0;
    for (; p + 4 * kLanes <= width; p += 4 * kLanes)
      run_vectors<4>(from + p, w, bias, relu, 4 * kLanes, to + p);
    for (; p + 2 * kLanes <= width; p += 2 * kLanes)
      run_vectors<2>(from + p, w, bias, relu, 2 * kLanes, to + p);
    for (; p < width; p += kLanes)
      run_vectors<1>(from + p, w, bias, relu, std::min(kLanes, width - p), to + p);
  }

  // n neighbouring outputs: kV vectors, or a part of one. A weight is loaded once for all.
  template <int kV>
  HWY_INLINE void run_vectors(const T* from, const T* w, T bias, bool relu, int64_t n, T* to) const {
    const D d;
    const int64_t* const offsets = offsets_.data();
    hn::Vec<D> sum[kV];
    for (int v = 0; v < kV; ++v) sum[v] = hn::Set(d, bias);
    for (int64_t t = 0; t < taps_; ++t) {
      const auto weight = hn::Set(d, w[t]);
      const T* const x = from + offsets[t];
      for (int v = 0; v < kV; ++v) sum[v] = hn::MulAdd(weight, hn::LoadU(d, x + v * kLanes), sum[v]);
    }
    if (relu)
      for (int v = 0; v < kV; ++v) sum[v] = hn::IfThenElse(hn::Lt(sum[v], hn::Zero(d)), hn::Zero(d), sum[v]);
    if (n == kV * kLanes)
      for (int v = 0; v < kV; ++v) hn::StoreU(sum[v], d, to + v * kLanes);
    else
      hn::BlendedStore(sum[0], hn::FirstN(d, static_cast<size_t>(n)), d, to);
  }

  ConvView view_;
  int64_t per_channel_;
  const int64_t* out_extent_;
  int64_t taps_;
  Strips strips_;
  StripLayout layout_;
  Scratch<int64_t> offsets_;
  Scratch<T> weights_;
};

template <class T>
void run(const ConvView& view, int64_t per_channel, int64_t kernel_taps, const int64_t* out_extent, T* out,
         const T* in, const T* w, const ConvFinish<T>& finish) {
  Depthwise<T> depthwise(view, per_channel, out_extent);
  depthwise.order_weights(w, kernel_taps);
  depthwise.run(out, in, finish);
}

}  // namespace

bool is_depthwise(const ConvView& view) {
  return view.in.position == 1 && view.out.position == 1 && view.axis[2].place_step == 1 && view.taps() > 0;
}

void conv_depthwise(const ConvView& view, int64_t per_channel, int64_t kernel_taps, const int64_t* out_extent,
                    float* out, const float* in, const float* w, const ConvFinish<float>& finish) {
  run(view, per_channel, kernel_taps, out_extent, out, in, w, finish);
}
void conv_depthwise(const ConvView& view, int64_t per_channel, int64_t kernel_taps, const int64_t* out_extent,
                    double* out, const double* in, const double* w, const ConvFinish<double>& finish) {
  run(view, per_channel, kernel_taps, out_extent, out, in, w, finish);
}

}  // namespace tenon::cpu
