#include "core/cpu/upsample.h"

#include <algorithm>
#include <vector>

#include "core/parallel.h"

namespace tenon::cpu {
namespace {

template <class T>
std::vector<ResampleTap<T>> taps_of(Resample mode, int64_t n_in, int64_t n_out) {
  std::vector<ResampleTap<T>> taps;
  for (int64_t j = 0; j < n_out; ++j) taps.push_back(resample_tap<T>(mode, n_in, n_out, j));
  return taps;
}

// One output row of n neighbours.
template <class T>
inline void mix(const ResampleTap<T>& tap, const T* a, const T* b, int64_t n, T* to) {
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
  const std::vector<ResampleTap<T>> taps = taps_of<T>(mode, block.n_in, block.n_out);
  const int64_t inner = block.inner;
  const int64_t grain = grain_for_bytes(3 * inner * int64_t{sizeof(T)});
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

// Every strip of inner, of every item of outer, is one job: no two jobs write one element, and the outputs of
// a job are added in order.
template <class T>
void transposed_typed(Resample mode, const ResampleBlock& block, T* dx, const T* g) {
  constexpr int64_t kStrip = 256;
  const std::vector<ResampleTap<T>> taps = taps_of<T>(mode, block.n_in, block.n_out);
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
        T *a = to + tap.i0 * inner, *b = a + inner;
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
