#include "core/cpu/upsample.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"

namespace tenon::cpu {
namespace {

// An output is w0 x[i0] + w1 x[i1]; there is no second element where w1 is 0.
template <class T>
struct Tap {
  int64_t i0, i1;
  T w0, w1;
};

template <class T>
std::vector<Tap<T>> taps_of(Resample mode, int64_t n_in, int64_t n_out) {
  std::vector<Tap<T>> taps;
  for (int64_t j = 0; j < n_out; ++j) {
    if (mode == Resample::nearest) {
      taps.push_back({j * n_in / n_out, 0, T(1), T(0)});
      continue;
    }
    const double in = static_cast<double>(n_in), out = static_cast<double>(n_out),
                 at = static_cast<double>(j);
    double position = mode == Resample::linear ? std::max(0.0, (at + 0.5) * in / out - 0.5)
                                               : (n_out > 1 ? at * (in - 1) / (out - 1) : 0.0);
    int64_t i0 = std::min(static_cast<int64_t>(position), n_in - 1);
    double w1 = i0 + 1 < n_in ? position - static_cast<double>(i0) : 0.0;
    taps.push_back({i0, i0 + 1, static_cast<T>(1 - w1), static_cast<T>(w1)});
  }
  return taps;
}

// One output row of n neighbours.
template <class T>
inline void mix(const Tap<T>& tap, const T* a, const T* b, int64_t n, T* to) {
  if (n == 1) {
    *to = tap.w1 == 0 ? *a : tap.w0 * *a + tap.w1 * *b;
  } else if (tap.w1 == 0) {
    std::copy(a, a + n, to);
  } else {
#pragma GCC ivdep
    for (int64_t l = 0; l < n; ++l) to[l] = tap.w0 * a[l] + tap.w1 * b[l];
  }
}

template <class T>
void resample_typed(Resample mode, const ResampleBlock& block, T* y, const T* x) {
  const std::vector<Tap<T>> taps = taps_of<T>(mode, block.n_in, block.n_out);
  const int64_t inner = block.inner;
  const int64_t grain = grain_for_bytes(3 * inner * int64_t{sizeof(T)});
  parallel_for(block.outer * block.n_out, grain, [&](int64_t begin, int64_t end) {
    int64_t o = begin / block.n_out, j = begin % block.n_out;
    for (int64_t row = begin; row < end; ++row) {
      const Tap<T>& tap = taps[static_cast<size_t>(j)];
      const T* from = x + o * block.n_in * inner;
      mix(tap, from + tap.i0 * inner, from + tap.i1 * inner, inner, y + row * inner);
      if (++j == block.n_out) j = 0, ++o;
    }
  });
}

// Every strip of inner, of every item of outer, is one job: no two jobs write one element, and the outputs of
// a job are added in order.
template <class T>
void transposed_typed(Resample mode, const ResampleBlock& block, T* dx, const T* g) {
  constexpr int64_t kStrip = 256;
  const std::vector<Tap<T>> taps = taps_of<T>(mode, block.n_in, block.n_out);
  const int64_t inner = block.inner, strips = (inner + kStrip - 1) / kStrip;
  const int64_t bytes = (block.n_in + 2 * block.n_out) * std::min(inner, kStrip) * int64_t{sizeof(T)};
  parallel_for(block.outer * strips, grain_for_bytes(bytes), [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t column = job % strips * kStrip, width = std::min(kStrip, inner - column);
      T* to = dx + job / strips * block.n_in * inner + column;
      const T* from = g + job / strips * block.n_out * inner + column;
      for (int64_t i = 0; i < block.n_in; ++i) std::fill(to + i * inner, to + i * inner + width, T(0));
      for (int64_t j = 0; j < block.n_out; ++j) {
        const Tap<T>& tap = taps[static_cast<size_t>(j)];
        T *a = to + tap.i0 * inner, *b = to + tap.i1 * inner;
        const T* p = from + j * inner;
        for (int64_t l = 0; l < width; ++l) a[l] += tap.w0 * p[l];
        if (tap.w1 == 0) continue;
        for (int64_t l = 0; l < width; ++l) b[l] += tap.w1 * p[l];
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
