// Pooling. The innermost loop runs over lanes that lie side by side, for one tap of the window at a time:
// over the outputs of a line where the image is row-major, over channels where it is channels-last.
#include "core/cpu/pool.h"

#include <hwy/highway.h>

#include <limits>
#include <type_traits>

#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Lanes of one line: outputs [0, lanes) along the last axis of one channel, or some channels at one output.
struct Line {
  int64_t x, y;  // offsets of lane 0 (in x: of the channel's first element)
  int64_t out[3];
  int64_t lanes;
};

// How a plan falls into planes (which share no input) and planes into lines.
class Lines {
 public:
  explicit Lines(const PoolPlan& plan) : plan_(plan) {
    along_ = plan.x.position == 1 && !plan.axis[2].adaptive;
    block_ = plan.x.position == 1 ? 1 : std::min(kBlock, plan.channels);
    blocks_ = (plan.channels + block_ - 1) / block_;
    per_plane_ = plan.out_positions() / (along_ ? plan.axis[2].out : 1);
  }
  int64_t planes() const { return plan_.images * blocks_; }
  int64_t per_plane() const { return per_plane_; }
  /// Are the lanes outputs of a line (else channels)?
  bool along_outputs() const { return along_; }
  int64_t first_channel(int64_t plane) const { return plane % blocks_ * block_; }
  int64_t channels_of(int64_t plane) const { return std::min(block_, plan_.channels - first_channel(plane)); }
  int64_t x_of(int64_t plane) const {
    return plane / blocks_ * plan_.x.image + first_channel(plane) * plan_.x.channel;
  }
  int64_t y_of(int64_t plane) const {
    return plane / blocks_ * plan_.y.image + first_channel(plane) * plan_.y.channel;
  }
  Line line(int64_t plane, int64_t i) const {
    const int64_t position = along_ ? i * plan_.axis[2].out : i;
    Line line{x_of(plane), y_of(plane) + position * plan_.y.position, {}, 0};
    line.out[2] = position % plan_.axis[2].out;
    line.out[1] = position / plan_.axis[2].out % plan_.axis[1].out;
    line.out[0] = position / plan_.axis[2].out / plan_.axis[1].out;
    line.lanes = along_ ? plan_.axis[2].out : channels_of(plane);
    return line;
  }

 private:
  static constexpr int64_t kBlock = 64;
  const PoolPlan& plan_;
  bool along_;
  int64_t block_, blocks_, per_plane_;
};

// Some lanes of a line at one tap: lane l sees the input at `x + l * step`, whose position is `position + l *
// move`.
struct Tap {
  int64_t from, to;
  int64_t x, step;
  int64_t position, move;
};

// Calls `f(tap)` for every tap of a line that meets the input, in row-major order.
template <class F>
void for_each_tap(const PoolPlan& plan, const Lines& lines, const Line& line, F&& f) {
  const PoolAxis &d = plan.axis[0], &h = plan.axis[1], &w = plan.axis[2];
  const bool along = lines.along_outputs();
  for (int64_t td = 0; td < d.taps(line.out[0]); ++td) {
    const int64_t id = d.start(line.out[0]) + td * d.dilation;
    if (id < 0 || id >= d.in) continue;
    for (int64_t th = 0; th < h.taps(line.out[1]); ++th) {
      const int64_t ih = h.start(line.out[1]) + th * h.dilation;
      if (ih < 0 || ih >= h.in) continue;
      for (int64_t tw = 0; tw < w.taps(line.out[2]); ++tw) {
        const int64_t iw = w.start(line.out[2]) + tw * w.dilation;
        Tap tap{0, line.lanes, 0, 1, 0, 0};
        if (along) {
          auto reaches = [&](int64_t bound) {  // first lane whose input is at `bound` or beyond
            if (bound <= iw) return int64_t{0};
            if (bound > iw + (line.lanes - 1) * w.stride) return line.lanes;  // most often: spares a division
            return (bound - iw + w.stride - 1) / w.stride;
          };
          tap.from = reaches(0), tap.to = reaches(w.in);
          tap.step = tap.move = w.stride;
        } else if (iw < 0 || iw >= w.in) {
          continue;
        }
        tap.position = (id * h.in + ih) * w.in + iw;
        tap.x = line.x + tap.position * plan.x.position;
        f(tap);
      }
    }
  }
}

// Calls `f(lines, line)` for all lines, in parallel.
template <class F>
void for_each_line(const PoolPlan& plan, int64_t bytes_per_output, F&& f) {
  const Lines lines(plan);
  const int64_t count = lines.planes() * lines.per_plane();
  const int64_t outputs = plan.images * plan.channels * plan.out_positions();
  parallel_for(count, grain_for_bytes(bytes_per_output * outputs / count), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(lines, lines.line(i / lines.per_plane(), i % lines.per_plane()));
  });
}

int64_t taps_of_plan(const PoolPlan& plan) {
  int64_t taps = 1;
  for (const PoolAxis& axis : plan.axis) taps *= axis.taps(0);
  return taps;
}

// Calls `f(lines, plane)` for all planes, in parallel: nobody else touches the inputs of a plane.
template <class F>
void for_each_plane(const PoolPlan& plan, int64_t bytes_per_output, F&& f) {
  const Lines lines(plan);
  const int64_t outputs = plan.images * plan.channels * plan.out_positions();
  parallel_for(lines.planes(), grain_for_bytes(bytes_per_output * outputs / lines.planes()),
               [&](int64_t begin, int64_t end) {
                 for (int64_t plane = begin; plane < end; ++plane) f(lines, plane);
               });
}

template <class T>
void clear_plane(const PoolPlan& plan, const Lines& lines, int64_t plane, T* gx) {
  T* at = gx + lines.x_of(plane);
  const int64_t channels = lines.channels_of(plane);
  if (plan.x.position == 1) return void(std::fill_n(at, plan.in_positions(), T{0}));
  for (int64_t p = 0; p < plan.in_positions(); ++p) std::fill_n(at + p * plan.x.position, channels, T{0});
}

// Elements `step` apart; reads nothing between the last of them and the end of the memory.
template <class D, class T = hn::TFromD<D>>
inline hn::Vec<D> load_apart(D d, const T* from, int64_t step) {
  constexpr int64_t n = hn::MaxLanes(D());
  if (step == 1) return hn::LoadU(d, from);
  if constexpr (n > 1) {
    if (step == 2) {
      const auto low = hn::LoadU(d, from),
                 high = hn::LoadU(d, from + n - 1);  // the lanes 0, 2, .. and 1, 3, ..
      return hn::ConcatUpperLower(d, hn::ConcatOdd(d, high, high), hn::ConcatEven(d, low, low));
    }
  }
  HWY_ALIGN T lanes[n];
  for (int64_t l = 0; l < n; ++l) lanes[l] = from[l * step];
  return hn::Load(d, lanes);
}

// Lanes [first, first + kLanes) of a line, kept in registers over all taps. A lane takes an element that is
// its first, larger than what it has, or the first NaN.
template <int kLanes, class T>
void max_pool_lanes(const PoolPlan& plan, const Lines& lines, const Line& line, int64_t first, T* y,
                    int32_t* index, const T* x) {
  const hn::CappedTag<T, kLanes> d;
  const hn::RebindToSigned<decltype(d)> d_position;  // positions are as wide as the elements while compared
  using I = hn::TFromD<decltype(d_position)>;
  constexpr int64_t n = hn::MaxLanes(d);
  const auto lane = hn::Iota(d_position, I{0});
  auto best = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto at = hn::Set(d_position, I{-1});
  for_each_tap(plan, lines, line, [&](const Tap& tap) {
    const int64_t from = tap.from - first, to = tap.to - first;
    if (from >= n || to <= 0) return;
    const T* source = x + tap.x + first * tap.step;
    const auto position = hn::Add(hn::Set(d_position, static_cast<I>(tap.position + first * tap.move)),
                                  hn::Mul(lane, hn::Set(d_position, static_cast<I>(tap.move))));
    auto take = [&](auto v, auto seen) {
      const auto none_yet = hn::RebindMask(d, hn::Lt(at, hn::Zero(d_position)));
      const auto first_nan = hn::AndNot(hn::IsNaN(best), hn::IsNaN(v));
      const auto better = hn::And(seen, hn::Or(hn::Gt(v, best), hn::Or(none_yet, first_nan)));
      best = hn::IfThenElse(better, v, best);
      at = hn::IfThenElse(hn::RebindMask(d_position, better), position, at);
    };
    if (from <= 0 && to >= n) return take(load_apart(d, source, tap.step), hn::FirstN(d, n));
    HWY_ALIGN T elements[n] = {};
    HWY_ALIGN T seen[n] = {};
    for (int64_t l = std::max<int64_t>(0, from); l < std::min(n, to); ++l) {
      elements[l] = source[l * tap.step];
      seen[l] = 1;
    }
    take(hn::Load(d, elements), hn::Gt(hn::Load(d, seen), hn::Zero(d)));
  });
  hn::StoreU(best, d, y + line.y + first);
  HWY_ALIGN I positions[n];
  hn::Store(at, d_position, positions);
  for (int64_t l = 0; l < n; ++l) index[line.y + first + l] = static_cast<int32_t>(positions[l]);
}

template <class T>
void max_pool_typed(const PoolPlan& plan, T* y, int32_t* index, const T* x) {
  const int64_t bytes = taps_of_plan(plan) * static_cast<int64_t>(sizeof(T)) + 8;
  for_each_line(plan, bytes, [&](const Lines& lines, const Line& line) {
    auto run = [&]<int kLanes>(std::integral_constant<int, kLanes>) {
      constexpr int64_t n = hn::MaxLanes(hn::CappedTag<T, kLanes>());
      for (int64_t l = 0; l < line.lanes; l += n)  // the last lanes overlap those before them
        max_pool_lanes<kLanes>(plan, lines, line, std::min(l, line.lanes - n), y, index, x);
    };
    if (line.lanes >= 8) return run(std::integral_constant<int, 8>());
    if (line.lanes >= 4) return run(std::integral_constant<int, 4>());
    run(std::integral_constant<int, 1>());
  });
}

// Calls `f(x offset, y offset)` for every output of a plane and the input that its index names.
template <class F>
void for_each_index(const PoolPlan& plan, const Lines& lines, int64_t plane, const int32_t* index, F&& f) {
  const int64_t x = lines.x_of(plane), y = lines.y_of(plane), channels = lines.channels_of(plane);
  const int64_t limit = plan.in_positions();
  for (int64_t p = 0; p < plan.out_positions(); ++p)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t to = y + p * plan.y.position + c * plan.y.channel;
      const int64_t from = index[to];
      if (from < 0 || from >= limit) fail_index(from, limit);
      f(x + from * plan.x.position + c * plan.x.channel, to);
    }
}

template <class T>
void max_pool_backward_typed(const PoolPlan& plan, T* gx, const T* g, const int32_t* index) {
  for_each_plane(plan, 4 * int64_t{sizeof(T)}, [&](const Lines& lines, int64_t plane) {
    clear_plane(plan, lines, plane, gx);
    for_each_index(plan, lines, plane, index, [&](int64_t from, int64_t to) { gx[from] += g[to]; });
  });
}

template <class T>
void max_pool_gather_typed(const PoolPlan& plan, T* y, const T* x, const int32_t* index) {
  for_each_plane(plan, 4 * int64_t{sizeof(T)}, [&](const Lines& lines, int64_t plane) {
    for_each_index(plan, lines, plane, index, [&](int64_t from, int64_t to) { y[to] = x[from]; });
  });
}

// The factor of each lane: 1 / count.
template <class F>
void for_each_factor(const PoolPlan& plan, const Lines& lines, const Line& line, F&& f) {
  const int64_t outer = plan.axis[0].count(line.out[0], plan.count_padding) *
                        plan.axis[1].count(line.out[1], plan.count_padding);
  for (int64_t l = 0; l < line.lanes; ++l) {
    const int64_t o = lines.along_outputs() ? l : line.out[2];
    f(l, 1.0 / static_cast<double>(outer * plan.axis[2].count(o, plan.count_padding)));
  }
}

template <class T>
void avg_pool_typed(const PoolPlan& plan, T* y, const T* x) {
  for_each_line(plan, (taps_of_plan(plan) + 1) * int64_t{sizeof(T)},
                [&](const Lines& lines, const Line& line) {
                  T* __restrict sum = y + line.y;
                  std::fill_n(sum, line.lanes, T{0});
                  for_each_tap(plan, lines, line, [&](const Tap& tap) {
                    const T* __restrict from = x + tap.x;
                    auto run = [&](int64_t step) {
                      for (int64_t l = tap.from; l < tap.to; ++l) sum[l] += from[l * step];
                    };
                    if (tap.step == 1) return run(1);
                    if (tap.step == 2) return run(2);
                    run(tap.step);
                  });
                  for_each_factor(plan, lines, line,
                                  [&](int64_t l, double factor) { sum[l] *= static_cast<T>(factor); });
                });
}

template <class T>
void avg_pool_backward_typed(const PoolPlan& plan, T* gx, const T* g) {
  constexpr int64_t kPart = 64;  // lanes whose share is held at once
  for_each_plane(plan, (taps_of_plan(plan) + 1) * int64_t{sizeof(T)}, [&](const Lines& lines, int64_t plane) {
    clear_plane(plan, lines, plane, gx);
    for (int64_t i = 0; i < lines.per_plane(); ++i) {
      const Line line = lines.line(plane, i);
      for (int64_t part = 0; part < line.lanes; part += kPart) {
        const int64_t stop = std::min(line.lanes, part + kPart);
        T share[kPart];
        for_each_factor(plan, lines, line, [&](int64_t l, double factor) {
          if (l >= part && l < stop) share[l - part] = g[line.y + l] * static_cast<T>(factor);
        });
        for_each_tap(plan, lines, line, [&](const Tap& tap) {
          const int64_t to = std::min(tap.to, stop);
          for (int64_t l = std::max(tap.from, part); l < to; ++l) gx[tap.x + l * tap.step] += share[l - part];
        });
      }
    }
  });
}

}  // namespace

void max_pool(const PoolPlan& plan, DType dtype, void* y, int32_t* index, const void* x) {
  visit_floating("max_pool", dtype, [&](auto tag) {
    using T = decltype(tag);
    max_pool_typed(plan, static_cast<T*>(y), index, static_cast<const T*>(x));
  });
}

void max_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g, const int32_t* index) {
  visit_floating("max_pool_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    max_pool_backward_typed(plan, static_cast<T*>(gx), static_cast<const T*>(g), index);
  });
}

void max_pool_gather(const PoolPlan& plan, DType dtype, void* y, const void* x, const int32_t* index) {
  visit_floating("max_pool_gather", dtype, [&](auto tag) {
    using T = decltype(tag);
    max_pool_gather_typed(plan, static_cast<T*>(y), static_cast<const T*>(x), index);
  });
}

void avg_pool(const PoolPlan& plan, DType dtype, void* y, const void* x) {
  visit_floating("avg_pool", dtype, [&](auto tag) {
    using T = decltype(tag);
    avg_pool_typed(plan, static_cast<T*>(y), static_cast<const T*>(x));
  });
}

void avg_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g) {
  visit_floating("avg_pool_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    avg_pool_backward_typed(plan, static_cast<T*>(gx), static_cast<const T*>(g));
  });
}

}  // namespace tenon::cpu
