// Pooling. The innermost loop runs over lanes that lie side by side, and holds them in registers over all taps of
// their window: outputs of a line where the image is row-major, channels where it is channels-last. Windows that
// lie wholly within the image share one list of taps; those that its border cuts get lists of their own.
#include "core/cpu/pool.h"

#include <hwy/highway.h>

#include <limits>
#include <type_traits>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Channels of one image that share no input with others: one if the image is row-major, else a block of neighbours.
class Planes {
 public:
  explicit Planes(const PoolPlan& plan)
      : plan_(plan),
        block_(plan.x.position == 1 ? 1 : std::min(kBlock, plan.channels)),
        blocks_((plan.channels + block_ - 1) / block_) {}
  int64_t count() const { return plan_.images * blocks_; }
  int64_t channels(int64_t plane) const { return std::min(block_, plan_.channels - first_channel(plane)); }
  int64_t x(int64_t plane) const { return plan_.x.offset(plane / blocks_, first_channel(plane), 0); }
  int64_t y(int64_t plane) const { return plan_.y.offset(plane / blocks_, first_channel(plane), 0); }

 private:
  static constexpr int64_t kBlock = 64;
  int64_t first_channel(int64_t plane) const { return plane % blocks_ * block_; }
  const PoolPlan& plan_;
  int64_t block_, blocks_;
};

// An input of a window, counted from the window's first place: its offset in memory, and its position.
struct Tap {
  int64_t x, position;
  bool first_of_row;  // the window's first along the last axis
};

// Windows alike: lane l of tap t is the input x + tap[t].x + l * step, at position + tap[t].position + l * move.
struct Windows {
  int64_t x, y, lanes;  // lane l of the result is y + l
  int64_t step, move, position;
  const Tap* tap;
  int64_t taps;
  double factor;  // 1 / what a mean divides by
};

// The windows of a plan, a line of outputs after the other.
class Lines {
 public:
  explicit Lines(const PoolPlan& plan)
      : plan_(plan), along_(plan.x.position == 1 && !plan.axis[2].adaptive), taps_(2 * most_taps(plan)) {
    for (int i = 0; i < 3; ++i) inside_[i] = inside_of(plan.axis[i]);
    whole_ = list_taps([](int, int64_t) { return true; }, {0, 0, 0}, taps_.data());
  }

  static int64_t most_taps(const PoolPlan& plan) {
    int64_t most = 1;
    for (const PoolAxis& axis : plan.axis) most *= axis.adaptive ? axis.in / axis.out + 2 : axis.kernel;
    return most;
  }

  /// Calls `f(windows)` for lines [from, to) of a plane; a line is one place of the first two axes.
  template <class F>
  void visit(const Planes& planes, int64_t plane, int64_t from, int64_t to, F&& f) {
    const int64_t x = planes.x(plane), y = planes.y(plane), channels = planes.channels(plane);
    const int64_t width = plan_.axis[2].out;
    for (int64_t line = from; line < to; ++line) {
      int64_t out[3] = {line / plan_.axis[1].out, line % plan_.axis[1].out, 0};
      const bool inside = inside_[0].holds(out[0]) && inside_[1].holds(out[1]);
      while (out[2] < width) {
        const bool whole = inside && inside_[2].holds(out[2]);
        const bool many = along_ && inside_[2].holds(out[2]);
        const int64_t outputs = many ? inside_[2].to - out[2] : 1;
        Windows w = windows_at(out, whole);
        w.x += x, w.y = y + (line * width + out[2]) * plan_.y.position;
        w.lanes = along_ ? outputs : channels;
        w.step = many ? plan_.axis[2].stride : 1;
        w.move = many ? plan_.axis[2].stride : 0;
        f(w);
        out[2] += outputs;
      }
    }
  }

 private:
  // Outputs whose windows lie within the image along one axis, all with the same taps.
  struct Range {
    int64_t from, to;
    bool holds(int64_t o) const { return o >= from && o < to; }
  };
  static Range inside_of(const PoolAxis& axis) {
    if (axis.adaptive) return {0, 0};
    const int64_t first = (axis.padding + axis.stride - 1) / axis.stride;
    const int64_t room = axis.in - 1 + axis.padding - (axis.kernel - 1) * axis.dilation;
    return {first, room < 0 ? 0 : std::min(axis.out, room / axis.stride + 1)};
  }

  // Lists the taps (t0, t1, t2) of the window at `out` that `holds(axis, t)`, and returns how many.
  template <class F>
  int64_t list_taps(F&& holds, const int64_t (&out)[3], Tap* to) const {
    const PoolAxis &d = plan_.axis[0], &h = plan_.axis[1], &w = plan_.axis[2];
    int64_t count = 0;
    for (int64_t i = 0; i < d.taps(out[0]); ++i)
      for (int64_t j = 0; holds(0, i) && j < h.taps(out[1]); ++j)
        for (int64_t k = 0; holds(1, j) && k < w.taps(out[2]); ++k) {
          if (!holds(2, k)) continue;
          const int64_t position = (i * d.dilation * h.in + j * h.dilation) * w.in + k * w.dilation;
          to[count++] = {position * plan_.x.position, position, k == 0};
        }
    return count;
  }

  Windows windows_at(const int64_t (&out)[3], bool whole) {
    int64_t start[3];
    for (int i = 0; i < 3; ++i) start[i] = plan_.axis[i].start(out[i]);
    Windows w{};
    w.position = (start[0] * plan_.axis[1].in + start[1]) * plan_.axis[2].in + start[2];
    w.x = w.position * plan_.x.position;
    w.tap = taps_.data(), w.taps = whole_, w.factor = 1.0 / static_cast<double>(whole_);
    if (whole) return w;
    int64_t divisor = 1;
    for (int i = 0; i < 3; ++i) divisor *= plan_.axis[i].count(out[i], plan_.count_padding);
    w.factor = 1.0 / static_cast<double>(divisor);
    Tap* cut = taps_.data() + most_taps(plan_);
    auto holds = [&](int axis, int64_t t) {
      const int64_t at = start[axis] + t * plan_.axis[axis].dilation;
      return at >= 0 && at < plan_.axis[axis].in;
    };
    w.tap = cut, w.taps = list_taps(holds, out, cut);
    return w;
  }

  const PoolPlan& plan_;
  bool along_;
  Range inside_[3];
  Scratch<Tap> taps_;  // of windows within the image, then of the window that the border cuts
  int64_t whole_ = 0;
};

// Calls `f(windows)` for all windows, in parallel: f may write what they result in.
template <class F>
void for_each_windows(const PoolPlan& plan, int64_t bytes_per_output, F&& f) {
  const Planes planes(plan);
  const int64_t lines = plan.axis[0].out * plan.axis[1].out, count = planes.count() * lines;
  const int64_t outputs = plan.images * plan.channels * plan.out_positions();
  parallel_for(count, grain_for_bytes(bytes_per_output * outputs / count), [&](int64_t begin, int64_t end) {
    Lines of_plan(plan);
    for (int64_t plane = begin / lines; plane * lines < end; ++plane)
      of_plan.visit(planes, plane, std::max<int64_t>(0, begin - plane * lines),
                    std::min(lines, end - plane * lines), f);
  });
}

// Calls `f(planes, plane)` for all planes, in parallel: nobody else touches the inputs of a plane.
template <class F>
void for_each_plane(const PoolPlan& plan, int64_t bytes_per_output, F&& f) {
  const Planes planes(plan);
  const int64_t outputs = plan.images * plan.channels * plan.out_positions();
  parallel_for(planes.count(), grain_for_bytes(bytes_per_output * outputs / planes.count()),
               [&](int64_t begin, int64_t end) {
                 for (int64_t plane = begin; plane < end; ++plane) f(planes, plane);
               });
}

int64_t taps_of_plan(const PoolPlan& plan) {
  int64_t taps = 1;
  for (const PoolAxis& axis : plan.axis) taps *= axis.taps(0);
  return taps;
}

template <class T>
void clear_plane(const PoolPlan& plan, const Planes& planes, int64_t plane, T* gx) {
  T* at = gx + planes.x(plane);
  const int64_t channels = planes.channels(plane);
  if (plan.x.position == 1) return void(std::fill_n(at, plan.in_positions(), T{0}));
  for (int64_t p = 0; p < plan.in_positions(); ++p) std::fill_n(at + p * plan.x.position, channels, T{0});
}

// The elements `step` apart that a vector of lanes sees at a tap. Two apart, two vectors are read and every other
// element kept: nothing is read outside of the window's row, if that has two taps at least.
template <int kStep, class D, class T = hn::TFromD<D>>
inline hn::Vec<D> load_lanes(D d, const T* from, int64_t step, [[maybe_unused]] bool first_of_row) {
  constexpr int64_t n = hn::MaxLanes(D());
  if constexpr (kStep == 1 || n == 1) {
    return hn::LoadU(d, from);
  } else if constexpr (kStep == 2) {
    if (first_of_row) return hn::ConcatEven(d, hn::LoadU(d, from + n), hn::LoadU(d, from));
    return hn::ConcatOdd(d, hn::LoadU(d, from + n - 1), hn::LoadU(d, from - 1));
  } else {
    HWY_ALIGN T lanes[n];
    for (int64_t l = 0; l < n; ++l) lanes[l] = from[l * step];
    return hn::Load(d, lanes);
  }
}

// Calls `f(tag, first lane)` with steps known to the compiler, for vectors of lanes that cover all lanes: the last
// vector overlaps those before it.
template <int kStep, int kLanes, class T, class F>
inline void for_each_vector(int64_t lanes, F&& f) {
  const hn::CappedTag<T, kLanes> d;
  constexpr int64_t n = hn::MaxLanes(d);
  if constexpr (kLanes > 1) {
    constexpr int kFewer = kLanes == 4 ? 1 : kLanes / 2;
    if (lanes < n) return for_each_vector<kStep, kFewer, T>(lanes, f);
  }
  for (int64_t l = 0; l < lanes; l += n) f(d, std::integral_constant<int, kStep>(), std::min(l, lanes - n));
}
template <class T, class F>
inline void for_each_vector(const PoolPlan& plan, const Windows& w, F&& f) {
  if (w.step == 1) return for_each_vector<1, 16, T>(w.lanes, f);
  if (w.step == 2 && plan.axis[2].kernel >= 2) return for_each_vector<2, 16, T>(w.lanes, f);
  for_each_vector<0, 16, T>(w.lanes, f);
}

// The largest of n lanes from `first` on, and where. A lane takes an element that is its first, larger than what it
// has, or the first NaN.
template <int kStep, class D, class T = hn::TFromD<D>>
inline void max_pool_vector(D d, const Windows& w, int64_t first, T* y, int32_t* index, const T* x) {
  const hn::RebindToSigned<D> d_position;  // positions are as wide as the elements while compared
  using I = hn::TFromD<decltype(d_position)>;
  auto load = [&](const Tap& tap) {
    return load_lanes<kStep>(d, x + w.x + tap.x + first * w.step, w.step, tap.first_of_row);
  };
  auto best = load(w.tap[0]);
  auto at = hn::Set(d_position, static_cast<I>(w.tap[0].position));
  for (int64_t t = 1; t < w.taps; ++t) {
    const auto v = load(w.tap[t]);
    const auto better = hn::AndNot(hn::IsNaN(best), hn::Not(hn::Le(v, best)));
    best = hn::IfThenElse(better, v, best);
    at = hn::IfThenElse(hn::RebindMask(d_position, better),
                        hn::Set(d_position, static_cast<I>(w.tap[t].position)), at);
  }
  const auto lane = hn::Mul(hn::Iota(d_position, 0), hn::Set(d_position, static_cast<I>(w.move)));
  at = hn::Add(at, hn::Add(lane, hn::Set(d_position, static_cast<I>(w.position + first * w.move))));
  hn::StoreU(best, d, y + w.y + first);
  if constexpr (sizeof(T) == sizeof(int32_t)) {
    hn::StoreU(at, d_position, index + w.y + first);
  } else {
    HWY_ALIGN I positions[hn::MaxLanes(d)];
    hn::Store(at, d_position, positions);
    for (size_t l = 0; l < hn::MaxLanes(d); ++l)
      index[w.y + first + static_cast<int64_t>(l)] = static_cast<int32_t>(positions[l]);
  }
}

template <class T>
void max_pool_typed(const PoolPlan& plan, T* y, int32_t* index, const T* x) {
  const int64_t bytes = taps_of_plan(plan) * static_cast<int64_t>(sizeof(T)) + 8;
  for_each_windows(plan, bytes, [&](const Windows& w) {
    for_each_vector<T>(plan, w, [&]<int kStep>(auto d, std::integral_constant<int, kStep>, int64_t first) {
      max_pool_vector<kStep>(d, w, first, y, index, x);
    });
  });
}

// Throws on the first index of a plane that names no input.
void check_indices(const PoolPlan& plan, const int32_t* index, int64_t channels) {
  const int64_t limit = plan.in_positions(), outputs = plan.out_positions(), step = plan.y.position;
  const auto bound = static_cast<uint32_t>(std::min<int64_t>(limit, std::numeric_limits<int32_t>::max()));
  const bool dense = step == channels;
  const int64_t runs = dense ? 1 : outputs, run = dense ? outputs * channels : channels;
  uint32_t outside = 0;
  for (int64_t r = 0; r < runs; ++r)
    for (int64_t i = 0; i < run; ++i)
      outside |= static_cast<uint32_t>(index[r * step + i]) >= bound ? 1u : 0u;
  for (int64_t r = 0; outside != 0 && r < runs; ++r)
    for (int64_t i = 0; i < run; ++i)
      if (const int64_t at = index[r * step + i]; at < 0 || at >= limit) fail_index(at, limit);
}

// Calls `f(x offset, y offset)` for every output of a plane and the input that its index names.
template <class F>
void for_each_index(const PoolPlan& plan, const Planes& planes, int64_t plane, const int32_t* index, F&& f) {
  const int64_t x = planes.x(plane), y = planes.y(plane), channels = planes.channels(plane);
  const int64_t outputs = plan.out_positions(), x_step = plan.x.position, y_step = plan.y.position;
  check_indices(plan, index + y, channels);
  if (x_step == 1) {
    for (int64_t to = y; to < y + outputs; ++to) f(x + index[to], to);
    return;
  }
  for (int64_t p = 0; p < outputs; ++p)
    for (int64_t to = y + p * y_step, c = 0; c < channels; ++c) f(x + index[to + c] * x_step + c, to + c);
}

template <class T>
void max_pool_backward_typed(const PoolPlan& plan, T* gx, const T* g, const int32_t* index) {
  for_each_plane(plan, 4 * int64_t{sizeof(T)}, [&](const Planes& planes, int64_t plane) {
    clear_plane(plan, planes, plane, gx);
    for_each_index(plan, planes, plane, index, [=](int64_t from, int64_t to) { gx[from] += g[to]; });
  });
}

template <class T>
void max_pool_gather_typed(const PoolPlan& plan, T* y, const T* x, const int32_t* index) {
  for_each_plane(plan, 4 * int64_t{sizeof(T)}, [&](const Planes& planes, int64_t plane) {
    for_each_index(plan, planes, plane, index, [=](int64_t from, int64_t to) { y[to] = x[from]; });
  });
}

template <class T>
void avg_pool_typed(const PoolPlan& plan, T* y, const T* x) {
  for_each_windows(plan, (taps_of_plan(plan) + 1) * int64_t{sizeof(T)}, [&](const Windows& w) {
    for_each_vector<T>(plan, w, [&]<int kStep>(auto d, std::integral_constant<int, kStep>, int64_t first) {
      auto sum = hn::Zero(d);
      for (int64_t t = 0; t < w.taps; ++t) {
        const Tap& tap = w.tap[t];
        const T* from = x + w.x + tap.x + first * w.step;
        sum = hn::Add(sum, load_lanes<kStep>(d, from, w.step, tap.first_of_row));
      }
      hn::StoreU(hn::Mul(sum, hn::Set(d, static_cast<T>(w.factor))), d, y + w.y + first);
    });
  });
}

template <class T>
inline void add_run(T* __restrict to, const T* __restrict from, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += from[i];
}

// Adds each lane's share to its window. Along a line, all rows of the windows get the same: it is made once, in `row`.
template <class T>
void spread_shares(const PoolPlan& plan, const Windows& w, T* gx, const T* g, T* __restrict row) {
  const T factor = static_cast<T>(w.factor);
  const T* __restrict share = g + w.y;
  const int64_t kernel = w.move > 0 ? plan.axis[2].kernel : 1;
  const int64_t length = (w.lanes - 1) * w.step + kernel;
  if (kernel == 1 && w.step == 1) {
    for (int64_t l = 0; l < w.lanes; ++l) row[l] = share[l] * factor;
  } else if (kernel == 2 && w.step == 2) {
    for (int64_t l = 0; l < w.lanes; ++l) row[2 * l] = row[2 * l + 1] = share[l] * factor;
  } else {
    std::fill_n(row, length, T{0});
    for (int64_t k = 0; k < kernel; ++k)
      for (int64_t l = 0; l < w.lanes; ++l) row[l * w.step + k] += share[l] * factor;
  }
  for (int64_t t = 0; t < w.taps; t += kernel) add_run(gx + w.x + w.tap[t].x, row, length);
}

template <class T>
void avg_pool_backward_typed(const PoolPlan& plan, T* gx, const T* g) {
  const int64_t lines = plan.axis[0].out * plan.axis[1].out;
  for_each_plane(plan, (taps_of_plan(plan) + 1) * int64_t{sizeof(T)},
                 [&](const Planes& planes, int64_t plane) {
                   Lines of_plan(plan);
                   Scratch<T> row(std::max(plan.axis[2].in, planes.channels(plane)));
                   clear_plane(plan, planes, plane, gx);
                   of_plan.visit(planes, plane, 0, lines,
                                 [&](const Windows& w) { spread_shares(plan, w, gx, g, row.data()); });
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
