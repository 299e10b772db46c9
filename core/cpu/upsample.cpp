// Where the numbers beside one of the axis are neighbours in memory (inner > 1), rows of them are mixed. Along the last
// axis (inner = 1) a line is mapped as a whole: each number of the result sums a few of the line, by lists that are made
// once, and neighbours are summed side by side.
#include "core/cpu/upsample.h"

#include <algorithm>
#include <limits>

#include "core/parallel.h"
#include "core/pool.h"

namespace tenon::cpu {
namespace {

template <class T>
PoolVector<ResampleTap<T>> taps_of(Resample mode, int64_t n_in, int64_t n_out) {
  PoolVector<ResampleTap<T>> taps;
  for (int64_t j = 0; j < n_out; ++j) taps.push_back(resample_tap<T>(mode, n_in, n_out, j));
  return taps;
}

// A sparse map of lines: to[i] = sum over t of weight[t][i] from[index[t][i]], in the order of t. A weight of 0 is no
// term at all, whatever `from` holds there.
template <class T>
class LineMap {
 public:
  explicit LineMap(int64_t width) : width_(width), count_(static_cast<size_t>(width)) {}

  /// Adds a term to result `i`; those of one result in their order.
  void add(int64_t i, int64_t from, T weight) {
    const int64_t t = count_[static_cast<size_t>(i)]++;
    const auto slots = static_cast<size_t>((t + 1) * width_);
    if (index_.size() < slots) index_.resize(slots, 0), weight_.resize(slots, T(0));
    index_[static_cast<size_t>(t * width_ + i)] = static_cast<int32_t>(from);
    weight_[static_cast<size_t>(t * width_ + i)] = weight;
  }

  void operator()(T* __restrict to, const T* __restrict from) const {
    const int64_t slots = static_cast<int64_t>(index_.size());
    if (slots == 0) return void(std::fill_n(to, width_, T(0)));
    terms(0, from, [to](int64_t i, T term) { to[i] = term; });
    for (int64_t first = width_; first < slots; first += width_)
      terms(first, from, [to](int64_t i, T term) { to[i] += term; });
  }

 private:
  // Calls f(i, term) for one term of every result.
  template <class F>
  void terms(int64_t first, const T* __restrict from, F&& f) const {
    const int32_t* __restrict const index = index_.data() + first;
    const T* __restrict const weight = weight_.data() + first;
#pragma GCC ivdep
    for (int64_t i = 0; i < width_; ++i) {
      const T term = from[index[i]] * weight[i];
      f(i, weight[i] == 0 ? T(0) : term);
    }
  }

  int64_t width_;
  PoolVector<int32_t> index_;
  PoolVector<T> weight_;
  PoolVector<int64_t> count_;  // terms of each result
};

// Applies a map to every line of a block, from lines of n_from to lines of n_to numbers.
template <class T>
void map_lines(const LineMap<T>& map, int64_t lines, int64_t n_to, int64_t n_from, T* to, const T* from) {
  parallel_for(lines, grain_for_bytes((n_from + 2 * n_to) * int64_t{sizeof(T)}),
               [&](int64_t begin, int64_t end) {
                 for (int64_t line = begin; line < end; ++line) map(to + line * n_to, from + line * n_from);
               });
}

// Lines whose places an int32 can count, which is what their maps hold.
bool maps_lines(const ResampleBlock& block) {
  return block.inner == 1 && std::max(block.n_in, block.n_out) <= std::numeric_limits<int32_t>::max();
}

// One output row of n neighbours.
template <class T>
inline void mix(const ResampleTap<T>& tap, const T* a, const T* b, int64_t n, T* to) {
  if (tap.w1 == 0) {
    std::copy(a, a + n, to);
  } else {
#pragma GCC ivdep
    for (int64_t l = 0; l < n; ++l) to[l] = tap.w0 * a[l] + tap.w1 * b[l];
  }
}

template <class T>
void resample_typed(Resample mode, const ResampleBlock& block, T* y, const T* x) {
  const PoolVector<ResampleTap<T>> taps = taps_of<T>(mode, block.n_in, block.n_out);
  if (maps_lines(block)) {
    LineMap<T> map(block.n_out);
    for (int64_t j = 0; j < block.n_out; ++j) {
      const ResampleTap<T>& tap = taps[static_cast<size_t>(j)];
      map.add(j, tap.i0, tap.w0);
      if (tap.w1 != 0) map.add(j, tap.i0 + 1, tap.w1);
    }
    return map_lines(map, block.outer, block.n_out, block.n_in, y, x);
  }
  const int64_t inner = block.inner;
  const Grain grain = grain_for_bytes(3 * inner * int64_t{sizeof(T)});
  parallel_for(block.outer * block.n_out, grain, [&](int64_t begin, int64_t end) {
    int64_t o = begin / block.n_out, j = begin % block.n_out;
    for (int64_t row = begin; row < end; ++row) {
      const ResampleTap<T>& tap = taps[static_cast<size_t>(j)];
      const T* from = x + o * block.n_in * inner;
      mix(tap, from + tap.i0 * inner, from + (tap.i0 + 1) * inner, inner, y + row * inner);
      if (++j == block.n_out) j = 0, ++o;
    }
  });
}

template <class T>
inline void add_row(T w, const T* __restrict from, int64_t n, T* __restrict to) {
  for (int64_t l = 0; l < n; ++l) to[l] += w * from[l];
}

// Every strip of inner, of every item of outer, is one job: no two jobs write one element, and the outputs of
// a job are added in order.
template <class T>
void transposed_typed(Resample mode, const ResampleBlock& block, T* dx, const T* g) {
  constexpr int64_t kStrip = 256;
  const PoolVector<ResampleTap<T>> taps = taps_of<T>(mode, block.n_in, block.n_out);
  if (maps_lines(block)) {
    LineMap<T> map(block.n_in);
    for (int64_t j = 0; j < block.n_out; ++j) {
      const ResampleTap<T>& tap = taps[static_cast<size_t>(j)];
      map.add(tap.i0, j, tap.w0);
      if (tap.w1 != 0) map.add(tap.i0 + 1, j, tap.w1);
    }
    return map_lines(map, block.outer, block.n_in, block.n_out, dx, g);
  }
  const int64_t inner = block.inner, strips = (inner + kStrip - 1) / kStrip;
  const int64_t bytes = (block.n_in + 2 * block.n_out) * std::min(inner, kStrip) * int64_t{sizeof(T)};
  parallel_for(block.outer * strips, grain_for_bytes(bytes), [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t column = job % strips * kStrip, width = std::min(kStrip, inner - column);
      T* to = dx + job / strips * block.n_in * inner + column;
      const T* from = g + job / strips * block.n_out * inner + column;
      for (int64_t i = 0; i < block.n_in; ++i) std::fill(to + i * inner, to + i * inner + width, T(0));
      for (int64_t j = 0; j < block.n_out; ++j) {
        const ResampleTap<T>& tap = taps[static_cast<size_t>(j)];
        T* const a = to + tap.i0 * inner;
        add_row(tap.w0, from + j * inner, width, a);
        if (tap.w1 != 0) add_row(tap.w1, from + j * inner, width, a + inner);
      }
    }
  });
}

}  // namespace

void resample(Resample mode, const ResampleBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("resample", dtype, [&](auto tag) {
    using T = decltype(tag);
    resample_typed(mode, block, static_cast<T*>(y), static_cast<const T*>(x));
  });
}

void resample_transposed(Resample mode, const ResampleBlock& block, DType dtype, void* dx, const void* g) {
  visit_floating("resample_transposed", dtype, [&](auto tag) {
    using T = decltype(tag);
    transposed_typed(mode, block, static_cast<T*>(dx), static_cast<const T*>(g));
  });
}

}  // namespace tenon::cpu
