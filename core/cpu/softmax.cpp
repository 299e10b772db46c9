// Rows are handled in strips of neighbours, so that the inner loops run along memory and become SIMD:
//   columns     64 rows that lie side by side
//   long rows   one row, whose numbers lie side by side
//   short rows  64 rows one after another, turned into columns in a buffer: joining lanes would cost more
#include "core/cpu/softmax.h"

#include <cmath>
#include <limits>

#include "core/cpu/dot.h"
#include "core/math.h"
#include "core/parallel.h"
#include "core/pool.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kWidth = 64;  // rows of a strip
constexpr int64_t kLanes = 32;  // of a sum or maximum along one long row
constexpr int64_t kShort = 32;  // numbers of the longest short row

// `width` rows of n numbers, number i of row l at i * step + l. One long row has step and width 1.
template <class T>
struct Strip {
  int64_t first;  // which row is row 0
  int64_t n, step, width;
  const T* x;
  const T* next;     // the row that comes after a long one; x if there is none
  T* y;              // where the result goes, laid out as x; null if there is none
  T m[kWidth];       // largest number of each row
  double s[kWidth];  // sum of e^(x - m)
  bool is_row() const { return step == 1; }
};

// NaN wins, so that it reaches every result of its row.
template <class T>
void column_max(const T* x, int64_t n, int64_t step, int64_t width, T* m) {
  for (int64_t l = 0; l < width; ++l) m[l] = -std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t l = 0; l < width; ++l) m[l] = math::maximum(x[i * step + l], m[l]);
}

template <class T>
T row_max(const T* x, int64_t n) {
  T lane[kLanes];
  column_max(x, n / kLanes, kLanes, kLanes, lane);
  for (int64_t i = n / kLanes * kLanes; i < n; ++i) lane[i % kLanes] = math::maximum(x[i], lane[i % kLanes]);
  return join_lanes(lane, [](T a, T b) { return math::maximum(a, b); });
}

// e^(x - m) of k neighbours into e, where m is one number (step 0) or one each (step 1).
template <int kStep, class T>
void exps(const T* x, const T* m, int64_t k, T* e) {
#pragma GCC ivdep
  for (int64_t l = 0; l < k; ++l) e[l] = math::exp(x[l] - m[kStep * l]);
}

// m and s of a long row. The sum is in float64, where a conversion costs as much as half an exponential: four
// numbers are added before, which rounds twice. While the units compute, the memory fetches the next row.
template <bool kStore, class T>
void prepare_row(Strip<T>& strip) {
  constexpr int64_t kBlock = 4 * kLanes, kLine = 64 / int64_t{sizeof(T)};
  T scratch[kBlock];
  const T m = row_max(strip.x, strip.n);  // a local, which no store into y can change
  double lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kBlock <= strip.n; i += kBlock) {
    for (int64_t l = 0; l < kBlock; l += kLine) __builtin_prefetch(strip.next + i + l);
    T* e = kStore ? strip.y + i : scratch;
    exps<0>(strip.x + i, &m, kBlock, e);
    for (int64_t l = 0; l < kLanes; ++l)
      lane[l] += static_cast<double>((e[l] + e[l + kLanes]) + (e[l + 2 * kLanes] + e[l + 3 * kLanes]));
  }
  for (; i < strip.n; i += kLanes) {
    const int64_t k = std::min(kLanes, strip.n - i);
    T* e = kStore ? strip.y + i : scratch;
    exps<0>(strip.x + i, &m, k, e);
    for (int64_t l = 0; l < k; ++l) lane[l] += static_cast<double>(e[l]);
  }
  strip.m[0] = m;
  strip.s[0] = join_lanes(lane, [](double a, double b) { return a + b; });
}

// Finds m and s. With kStore the exponentials are left in y.
template <bool kStore, class T>
void prepare(Strip<T>& strip) {
  if (strip.is_row()) return prepare_row<kStore>(strip);
  T scratch[kWidth];
  column_max(strip.x, strip.n, strip.step, strip.width, strip.m);
  for (int64_t l = 0; l < strip.width; ++l) strip.s[l] = 0;
  for (int64_t i = 0; i < strip.n; ++i) {
    T* e = kStore ? strip.y + i * strip.step : scratch;
    exps<1>(strip.x + i * strip.step, strip.m, strip.width, e);
    for (int64_t l = 0; l < strip.width; ++l) strip.s[l] += static_cast<double>(e[l]);
  }
}

// log(sum e^x): infinite rows keep their infinity.
template <class T>
double log_sum(const Strip<T>& strip, int64_t l) {
  const double m = static_cast<double>(strip.m[l]);
  return std::isinf(m) ? m : m + std::log(strip.s[l]);
}

// y = f(l, from), over a strip: l is the row within it, `from` is x or y.
template <class T, class F>
void map(const Strip<T>& strip, const T* from, F&& f) {
  if (strip.is_row()) {
#pragma GCC ivdep
    for (int64_t i = 0; i < strip.n; ++i) strip.y[i] = f(0, from[i]);
    return;
  }
  for (int64_t i = 0; i < strip.n; ++i) {
    T* to = strip.y + i * strip.step;
    const T* p = from + i * strip.step;
#pragma GCC ivdep
    for (int64_t l = 0; l < strip.width; ++l) to[l] = f(l, p[l]);
  }
}

// `rows` short rows as columns, and back.
template <class T, class F>
void as_columns(int64_t first, int64_t rows, int64_t n, T* y, const T* x, F&& f) {
  T in[kShort * kWidth], out[kShort * kWidth];
  for (int64_t l = 0; l < rows; ++l)
    for (int64_t i = 0; i < n; ++i) in[i * kWidth + l] = x[l * n + i];
  Strip<T> strip{first, n, kWidth, rows, in, in, y ? out : nullptr, {}, {}};
  f(strip);
  if (y == nullptr) return;
  for (int64_t l = 0; l < rows; ++l)
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): f wrote the lines of all rows
    for (int64_t i = 0; i < n; ++i) y[l * n + i] = out[i * kWidth + l];
}

// Calls f(strip) for every strip, in parallel; y may be null. Chunks are cut by the block's size alone.
template <class T, class F>
void for_each_strip(const SoftmaxBlock& block, T* y, const T* x, F&& f) {
  const int64_t n = block.n, inner = block.inner;
  auto in_y = [y](int64_t at) { return y ? y + at : nullptr; };
  if (inner == 1 && n <= kShort) {
    const int64_t strips = (block.outer + kWidth - 1) / kWidth;
    parallel_for(strips, grain_for_flops(16 * n * kWidth), [&](int64_t begin, int64_t end) {
      for (int64_t first = begin * kWidth; first < std::min(end * kWidth, block.outer); first += kWidth)
        as_columns(first, std::min(kWidth, block.outer - first), n, in_y(first * n), x + first * n, f);
    });
    return;
  }
  const int64_t strips = (inner + kWidth - 1) / kWidth;
  const Grain grain = grain_for_flops(16 * n * std::min(inner, kWidth));
  parallel_for(block.outer * strips, grain, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t o = job / strips, column = job % strips * kWidth, at = o * n * inner + column;
      Strip<T> strip;
      strip.first = o * inner + column;
      strip.n = n, strip.step = inner, strip.width = std::min(kWidth, inner - column);
      strip.x = x + at, strip.y = in_y(at);
      strip.next = inner == 1 && job + 1 < block.outer ? strip.x + n : strip.x;
      f(strip);
    }
  });
}

template <class T>
void softmax_typed(const SoftmaxBlock& block, T* y, const T* x) {
  for_each_strip(block, y, x, [](Strip<T>& strip) {
    prepare<true>(strip);
    T scale[kWidth];
    for (int64_t l = 0; l < strip.width; ++l) scale[l] = static_cast<T>(1 / strip.s[l]);
    map(strip, strip.y, [&](int64_t l, T e) { return e * scale[l]; });
  });
}

template <class T>
void log_softmax_typed(const SoftmaxBlock& block, T* y, const T* x) {
  for_each_strip(block, y, x, [](Strip<T>& strip) {
    prepare<false>(strip);
    T log_s[kWidth];
    for (int64_t l = 0; l < strip.width; ++l) log_s[l] = static_cast<T>(std::log(strip.s[l]));
    map(strip, strip.x, [&](int64_t l, T v) { return (v - strip.m[l]) - log_s[l]; });
  });
}

template <class T>
void logsumexp_typed(const SoftmaxBlock& block, T* y, const T* x) {
  for_each_strip<T>(block, nullptr, x, [y](Strip<T>& strip) {
    prepare<false>(strip);
    for (int64_t l = 0; l < strip.width; ++l) y[strip.first + l] = static_cast<T>(log_sum(strip, l));
  });
}

void check_labels(const char* op, const SoftmaxBlock& block, const int64_t* labels) {
  for (int64_t i = 0; i < block.outer * block.inner; ++i)
    if (labels[i] < 0 || labels[i] >= block.n) fail_label(op, block.n, labels[i]);
}

template <class T>
void cross_entropy_typed(const SoftmaxBlock& block, T* loss, const T* x, const int64_t* labels,
                         double smoothing) {
  const int64_t rows = block.outer * block.inner;
  PoolVector<double> losses(static_cast<size_t>(rows));
  for_each_strip<T>(block, nullptr, x, [&](Strip<T>& strip) {
    prepare<false>(strip);
    for (int64_t l = 0; l < strip.width; ++l) {
      const T* p = strip.x + l;
      const int64_t row = strip.first + l;
      const double m = static_cast<double>(strip.m[l]);
      double target = (1 - smoothing) * (static_cast<double>(p[labels[row] * strip.step]) - m);
      if (smoothing != 0) {
        double total = 0;
        for (int64_t i = 0; i < strip.n; ++i) total += static_cast<double>(p[i * strip.step]) - m;
        target += smoothing / static_cast<double>(strip.n) * total;
      }
      losses[static_cast<size_t>(row)] = std::log(strip.s[l]) - target;
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
  for_each_strip(block, dx, x, [&](Strip<T>& strip) {
    prepare<true>(strip);
    T scale[kWidth];
    for (int64_t l = 0; l < strip.width; ++l) scale[l] = static_cast<T>(share / strip.s[l]);
    map(strip, strip.y, [&](int64_t l, T e) { return e * scale[l] - uniform; });
    for (int64_t l = 0; l < strip.width; ++l) strip.y[labels[strip.first + l] * strip.step + l] -= chosen;
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
  check_labels("softmax_cross_entropy", block, labels);
  visit_floating("softmax_cross_entropy", dtype, [&](auto tag) {
    using T = decltype(tag);
    cross_entropy_typed(block, static_cast<T*>(loss), static_cast<const T*>(x), labels, smoothing);
  });
}

void softmax_cross_entropy_backward(const SoftmaxBlock& block, DType dtype, void* dx, const void* g,
                                    const void* x, const int64_t* labels, double smoothing) {
  check_labels("softmax_cross_entropy_backward", block, labels);
  visit_floating("softmax_cross_entropy_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    cross_entropy_backward_typed(block, static_cast<T*>(dx), static_cast<const T*>(g),
                                 static_cast<const T*>(x), labels, smoothing);
  });
}

}  // namespace tenon::cpu
