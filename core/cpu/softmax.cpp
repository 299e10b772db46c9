// Rows are handled in strips: `width` rows that lie side by side (columns of the block), or one row whose
// numbers lie side by side. Either way the inner loops run over neighbours in memory and become SIMD.
#include "core/cpu/softmax.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/math.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kWidth = 64;  // rows of a strip, and lanes of a sum

// Joins lanes pairwise, in a fixed order.
template <class A, class Join>
A join_lanes(A (&lane)[kWidth], Join join) {
  for (int64_t width = kWidth / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) lane[l] = join(lane[l], lane[l + width]);
  return lane[0];
}

// Rows side by side: `width` of them, their numbers `step` apart. m and s receive what each row's formulas
// need.
template <class T>
struct Strip {
  T m[kWidth];       // largest number
  double s[kWidth];  // sum of e^(x - m)
};

// NaN wins, so that it reaches every result of its row.
template <class T>
void strip_max(const T* x, int64_t n, int64_t step, int64_t width, T* m) {
  for (int64_t l = 0; l < width; ++l) m[l] = -std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t l = 0; l < width; ++l) m[l] = math::maximum(x[i * step + l], m[l]);
}

template <class T>
T row_max(const T* x, int64_t n) {
  const int64_t whole = n / kWidth * kWidth;
  T m = -std::numeric_limits<T>::infinity();
  if (whole > 0) {
    T lane[kWidth];
    strip_max(x, n / kWidth, kWidth, kWidth, lane);
    m = join_lanes(lane, [](T a, T b) { return math::maximum(a, b); });
  }
  for (int64_t i = whole; i < n; ++i) m = math::maximum(x[i], m);
  return m;
}

// e^(x - m) of k neighbours into e, where m is one number (step 0) or one each (step 1).
template <int kStep, class T>
void exps(const T* x, const T* m, int64_t k, T* e) {
#pragma GCC ivdep
  for (int64_t l = 0; l < k; ++l) e[l] = math::exp(x[l] - m[kStep * l]);
}

// Sums e^(x - m), storing the exponentials where `e` is given.
template <class T>
void strip_sums(const T* x, int64_t n, int64_t step, int64_t width, Strip<T>& strip, T* e) {
  T scratch[kWidth];
  for (int64_t l = 0; l < width; ++l) strip.s[l] = 0;
  for (int64_t i = 0; i < n; ++i) {
    T* to = e ? e + i * step : scratch;
    exps<1>(x + i * step, strip.m, width, to);
    for (int64_t l = 0; l < width; ++l) strip.s[l] += static_cast<double>(to[l]);
  }
}

template <class T>
double row_sum(const T* x, int64_t n, T m, T* e) {
  T scratch[kWidth];
  const int64_t whole = n / kWidth * kWidth;
  double s = 0;
  if (whole > 0) {
    double lane[kWidth] = {};
    for (int64_t i = 0; i < whole; i += kWidth) {
      T* to = e ? e + i : scratch;
      exps<0>(x + i, &m, kWidth, to);
      for (int64_t l = 0; l < kWidth; ++l) lane[l] += static_cast<double>(to[l]);
    }
    s = join_lanes(lane, [](double a, double b) { return a + b; });
  }
  T* to = e ? e + whole : scratch;
  exps<0>(x + whole, &m, n - whole, to);
  for (int64_t l = 0; l < n - whole; ++l) s += static_cast<double>(to[l]);
  return s;
}

// Calls f(first row, offset of its first number, width) for every strip, in parallel. `width` rows lie side
// by side, or width is 1 and the numbers of the row do. Chunks are cut by the block's size alone.
template <class F>
void for_each_strip(const SoftmaxBlock& block, F&& f) {
  const int64_t strips = (block.inner + kWidth - 1) / kWidth;
  const int64_t rows_of_strip = std::min(block.inner, kWidth);
  parallel_for(block.outer * strips, grain_for_flops(16 * block.n * rows_of_strip),
               [&](int64_t begin, int64_t end) {
                 for (int64_t job = begin; job < end; ++job) {
                   const int64_t o = job / strips, column = job % strips * kWidth;
                   f(o * block.inner + column, o * block.n * block.inner + column,
                     std::min(kWidth, block.inner - column));
                 }
               });
}

// Fills m and s of a strip; with `e`, stores the exponentials there (laid out as x).
template <class T>
void prepare(const SoftmaxBlock& block, const T* x, int64_t width, Strip<T>& strip, T* e) {
  if (block.inner == 1) {
    strip.m[0] = row_max(x, block.n);
    strip.s[0] = row_sum(x, block.n, strip.m[0], e);
  } else {
    strip_max(x, block.n, block.inner, width, strip.m);
    strip_sums(x, block.n, block.inner, width, strip, e);
  }
}

// log(sum e^x): infinite rows keep their infinity.
template <class T>
double log_sum(const Strip<T>& strip, int64_t l) {
  const double m = static_cast<double>(strip.m[l]);
  return std::isinf(m) ? m : m + std::log(strip.s[l]);
}

// y = f(l, y or x), over a strip: l is the row within it.
template <class T, class F>
void for_each_in_strip(const SoftmaxBlock& block, int64_t width, T* y, const T* x, F&& f) {
  if (block.inner == 1) {
#pragma GCC ivdep
    for (int64_t i = 0; i < block.n; ++i) y[i] = f(0, x[i]);
    return;
  }
  for (int64_t i = 0; i < block.n; ++i) {
    T* to = y + i * block.inner;
    const T* from = x + i * block.inner;
#pragma GCC ivdep
    for (int64_t l = 0; l < width; ++l) to[l] = f(l, from[l]);
  }
}

template <class T>
void softmax_typed(const SoftmaxBlock& block, T* y, const T* x) {
  for_each_strip(block, [&](int64_t, int64_t at, int64_t width) {
    Strip<T> strip;
    prepare(block, x + at, width, strip, y + at);
    T scale[kWidth];
    for (int64_t l = 0; l < width; ++l) scale[l] = static_cast<T>(1 / strip.s[l]);
    for_each_in_strip(block, width, y + at, y + at, [&](int64_t l, T e) { return e * scale[l]; });
  });
}

template <class T>
void log_softmax_typed(const SoftmaxBlock& block, T* y, const T* x) {
  for_each_strip(block, [&](int64_t, int64_t at, int64_t width) {
    Strip<T> strip;
    prepare<T>(block, x + at, width, strip, nullptr);
    T log_s[kWidth];
    for (int64_t l = 0; l < width; ++l) log_s[l] = static_cast<T>(std::log(strip.s[l]));
    for_each_in_strip(block, width, y + at, x + at,
                      [&](int64_t l, T v) { return (v - strip.m[l]) - log_s[l]; });
  });
}

template <class T>
void logsumexp_typed(const SoftmaxBlock& block, T* y, const T* x) {
  for_each_strip(block, [&](int64_t row, int64_t at, int64_t width) {
    Strip<T> strip;
    prepare<T>(block, x + at, width, strip, nullptr);
    for (int64_t l = 0; l < width; ++l) y[row + l] = static_cast<T>(log_sum(strip, l));
  });
}

template <class T>
void cross_entropy_typed(const SoftmaxBlock& block, T* loss, const T* x, const int64_t* labels,
                         double smoothing) {
  const int64_t rows = block.outer * block.inner;
  std::vector<double> losses(static_cast<size_t>(rows));
  for_each_strip(block, [&](int64_t row, int64_t at, int64_t width) {
    Strip<T> strip;
    prepare<T>(block, x + at, width, strip, nullptr);
    for (int64_t l = 0; l < width; ++l) {
      const T* p = x + at + l;
      const double m = static_cast<double>(strip.m[l]);
      double target = (1 - smoothing) * (static_cast<double>(p[labels[row + l] * block.inner]) - m);
      if (smoothing != 0) {
        double total = 0;
        for (int64_t i = 0; i < block.n; ++i) total += static_cast<double>(p[i * block.inner]) - m;
        target += smoothing / static_cast<double>(block.n) * total;
      }
      losses[static_cast<size_t>(row + l)] = std::log(strip.s[l]) - target;
    }
  });
  double total = 0;
  for (double l : losses) total += l;
  *loss = static_cast<T>(total / static_cast<double>(rows));
}

template <class T>
void cross_entropy_backward_typed(const SoftmaxBlock& block, T* dx, const T* g, const T* x,
                                  const int64_t* labels, double smoothing) {
  const double share = static_cast<double>(*g) / static_cast<double>(block.outer * block.inner);
  const T uniform = static_cast<T>(share * smoothing / static_cast<double>(block.n));
  const T chosen = static_cast<T>(share * (1 - smoothing));
  for_each_strip(block, [&](int64_t row, int64_t at, int64_t width) {
    Strip<T> strip;
    prepare(block, x + at, width, strip, dx + at);
    T scale[kWidth];
    for (int64_t l = 0; l < width; ++l) scale[l] = static_cast<T>(share / strip.s[l]);
    for_each_in_strip(block, width, dx + at, dx + at, [&](int64_t l, T e) { return e * scale[l] - uniform; });
    for (int64_t l = 0; l < width; ++l) dx[at + l + labels[row + l] * block.inner] -= chosen;
  });
}

}  // namespace

void softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("softmax", dtype, [&](auto tag) {
    using T = decltype(tag);
    softmax_typed(block, static_cast<T*>(y), static_cast<const T*>(x));
  });
}

void log_softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("log_softmax", dtype, [&](auto tag) {
    using T = decltype(tag);
    log_softmax_typed(block, static_cast<T*>(y), static_cast<const T*>(x));
  });
}

void logsumexp(const SoftmaxBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("logsumexp", dtype, [&](auto tag) {
    using T = decltype(tag);
    logsumexp_typed(block, static_cast<T*>(y), static_cast<const T*>(x));
  });
}

void softmax_cross_entropy(const SoftmaxBlock& block, DType dtype, void* loss, const void* x,
                           const int64_t* labels, double smoothing) {
  visit_floating("softmax_cross_entropy", dtype, [&](auto tag) {
    using T = decltype(tag);
    cross_entropy_typed(block, static_cast<T*>(loss), static_cast<const T*>(x), labels, smoothing);
  });
}

void softmax_cross_entropy_backward(const SoftmaxBlock& block, DType dtype, void* dx, const void* g,
                                    const void* x, const int64_t* labels, double smoothing) {
  visit_floating("softmax_cross_entropy_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    cross_entropy_backward_typed(block, static_cast<T*>(dx), static_cast<const T*>(g),
                                 static_cast<const T*>(x), labels, smoothing);
  });
}

}  // namespace tenon::cpu
