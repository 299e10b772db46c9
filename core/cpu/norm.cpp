// Two passes over memory do all the work. `channel_sums` reads x (and g) and finds two sums for each channel
// of each sample; a few numbers a channel later, `combine` reads them again and writes a linear combination
// whose coefficients belong to the channel. Each pass has two forms: where inner > 1 the numbers of a channel
// are neighbours (runs), where inner = 1 the channels are (rows), as in channels-last tensors.
#include "core/cpu/norm.h"

#include <cmath>

#include "core/cpu/walk.h"
#include "core/functors.h"
#include "core/math.h"
#include "core/parallel.h"
#include "core/pool.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kLanes = 32;
// Numbers behind one partial sum: enough to pay for joining the lanes, few enough that the pieces of all
// channels follow one another through memory (or through the cache).
constexpr int64_t kPiece = 1 << 12;

struct Sums {
  double a = 0, ab = 0;
};

struct LaneSums {
  double a[kLanes] = {}, ab[kLanes] = {};
};

// What is summed, with b = x - centre: b and b^2, which give mean and variance; or g and g b, which the backward
// needs; or the same of g where y > 0, which is written down on the way.
enum class Summed { x, gradient, gradient_behind_relu };

template <class T>
struct Operands {
  const T *x, *g, *y;
  T* passed;  // g where y > 0
};

// One step of `width` lanes, from `at` on. The centres step by kStep (0: one for all).
template <Summed kSummed, int kStep, class T>
inline void add_lanes(const Operands<T>& of, int64_t at, const double* centre, int64_t width,
                      LaneSums& sums) {
#pragma GCC ivdep
  for (int64_t l = 0; l < width; ++l) {
    const double b = static_cast<double>(of.x[at + l]) - centre[kStep * l];
    double a = b;
    if constexpr (kSummed == Summed::gradient) a = static_cast<double>(of.g[at + l]);
    if constexpr (kSummed == Summed::gradient_behind_relu) {
      const T passed = functor::relu_backward_::apply(of.g[at + l], of.y[at + l]);
      of.passed[at + l] = passed;
      a = static_cast<double>(passed);
    }
    sums.a[l] += a;
    sums.ab[l] += a * b;
  }
}

// Sums of one piece of a channel: `runs` runs of n neighbours, `step` apart.
template <Summed kSummed, class T>
Sums run_sums(const Operands<T>& of, int64_t at, int64_t runs, int64_t step, int64_t n, double centre) {
  LaneSums sums;
  for (int64_t k = 0; k < runs; ++k) {
    int64_t i = at + k * step;
    const int64_t end = i + n;
    for (; i + kLanes <= end; i += kLanes) add_lanes<kSummed, 0>(of, i, &centre, kLanes, sums);
    add_lanes<kSummed, 0>(of, i, &centre, end - i, sums);
  }
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) {
      sums.a[l] += sums.a[l + width];
      sums.ab[l] += sums.ab[l + width];
    }
  return {sums.a[0], sums.ab[0]};
}

// Partial sums to be joined in order: [part][sample * channels + channel].
struct Partials {
  Partials(int64_t p, int64_t c) : parts(p), columns(c), sums(static_cast<size_t>(p * c)) {}
  Sums& at(int64_t part, int64_t column) { return sums[static_cast<size_t>(part * columns + column)]; }
  PoolVector<Sums> joined() {
    for (int64_t p = 1; p < parts; ++p)
      for (int64_t c = 0; c < columns; ++c) {
        at(0, c).a += at(p, c).a;
        at(0, c).ab += at(p, c).ab;
      }
    sums.resize(static_cast<size_t>(columns));
    return std::move(sums);
  }
  int64_t parts, columns;
  PoolVector<Sums> sums;
};

template <Summed kSummed, class T>
PoolVector<Sums> sums_of_runs(const NormBlock& block, const Operands<T>& of, const double* centre) {
  const int64_t runs = std::max<int64_t>(1, kPiece / 2 / block.inner);  // of one piece
  const int64_t length = std::min(block.inner, kPiece);
  const int64_t down = (block.outer + runs - 1) / runs, across = (block.inner + length - 1) / length;
  const int64_t step = block.channels * block.inner;
  Partials partials(down * across, block.samples * block.channels);
  const int64_t bytes = std::min(runs, block.outer) * length * int64_t{sizeof(T)};
  parallel_for(partials.parts * partials.columns, grain_for_bytes(bytes), [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {  // [sample, down, channel, across], the order of memory
      const int64_t i = job % across, c = job / across % block.channels;
      const int64_t k = job / across / block.channels % down, s = job / across / block.channels / down;
      const int64_t first = k * runs, from = i * length;
      const int64_t at = (s * block.outer + first) * step + c * block.inner + from;
      const int64_t column = s * block.channels + c;
      partials.at(k * across + i, column) =
          run_sums<kSummed>(of, at, std::min(runs, block.outer - first), step,
                            std::min(length, block.inner - from), centre[column]);
    }
  });
  return partials.joined();
}

template <Summed kSummed, class T>
PoolVector<Sums> sums_of_rows(const NormBlock& block, const Operands<T>& of, const double* centre) {
  const int64_t rows = kPiece / kLanes;  // of one piece
  const int64_t down = (block.outer + rows - 1) / rows, strips = (block.channels + kLanes - 1) / kLanes;
  Partials partials(down, block.samples * block.channels);
  const int64_t bytes = std::min(rows, block.outer) * std::min(block.channels, kLanes) * int64_t{sizeof(T)};
  parallel_for(block.samples * down * strips, grain_for_bytes(bytes), [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t column = job % strips * kLanes, k = job / strips % down, s = job / strips / down;
      const int64_t width = std::min(kLanes, block.channels - column);
      const double* centres = centre + s * block.channels + column;
      LaneSums sums;
      for (int64_t r = k * rows; r < std::min(block.outer, (k + 1) * rows); ++r) {
        const int64_t at = (s * block.outer + r) * block.channels + column;
        add_lanes<kSummed, 1>(of, at, centres, width, sums);
      }
      for (int64_t l = 0; l < width; ++l)
        partials.at(k, s * block.channels + column + l) = {sums.a[l], sums.ab[l]};
    }
  });
  return partials.joined();
}

// Sums for each [sample, channel]; `centre` likewise.
template <Summed kSummed, class T>
PoolVector<Sums> channel_sums(const NormBlock& block, const Operands<T>& of,
                              const PoolVector<double>& centre) {
  return block.inner == 1 ? sums_of_rows<kSummed>(block, of, centre.data())
                          : sums_of_runs<kSummed>(block, of, centre.data());
}

// out = of_x (x - m) + of_1 + of_g g; coefficients for each [sample, channel]. `m` is the mean in the dtype
// of x: the difference is then nearly exact, and what the mean lost in rounding is part of of_1.
template <class T>
struct Coefficients {
  explicit Coefficients(const NormBlock& block)
      : m(static_cast<size_t>(block.samples * block.channels)), of_x(m), of_1(m), of_g(m) {}
  PoolVector<T> m, of_x, of_1, of_g;
  void set(size_t at, double mean, double x, double one, double g) {
    m[at] = static_cast<T>(mean);
    of_x[at] = static_cast<T>(x);
    of_1[at] = static_cast<T>(one - x * (mean - static_cast<double>(m[at])));
    of_g[at] = static_cast<T>(g);
  }
};

// What becomes of that combination v of x: v itself; v + of_g g; max(v, 0); max(v + g, 0), where g is a residual.
enum class Finish { none, gradient, relu, residual_relu };

template <Finish kFinish, int kStep, class T>
inline void combine_run(T* out, const T* x, const T* g, int64_t n, const Coefficients<T>& k, int64_t at) {
  const T *m = &k.m[static_cast<size_t>(at)], *of_x = &k.of_x[static_cast<size_t>(at)];
  const T *of_1 = &k.of_1[static_cast<size_t>(at)], *of_g = &k.of_g[static_cast<size_t>(at)];
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    T v = math::fma(x[i] - m[kStep * i], of_x[kStep * i], of_1[kStep * i]);
    if constexpr (kFinish == Finish::gradient) v = math::fma(g[i], of_g[kStep * i], v);
    if constexpr (kFinish == Finish::residual_relu) v += g[i];
    if constexpr (kFinish == Finish::relu || kFinish == Finish::residual_relu) v = math::maximum(v, T{0});
    out[i] = v;
  }
}

template <Finish kFinish, class T>
void combine(const NormBlock& block, T* out, const T* x, const T* g, const Coefficients<T>& k) {
  constexpr bool kTwo = kFinish == Finish::gradient || kFinish == Finish::residual_relu;
  constexpr int64_t kBytes = (kTwo ? 3 : 2) * sizeof(T);
  if (block.inner == 1) {
    parallel_for(block.samples * block.outer, grain_for_bytes(block.channels * kBytes),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     const int64_t at = row * block.channels;
                     combine_run<kFinish, 1>(out + at, x + at, g + at, block.channels, k,
                                             row / block.outer * block.channels);
                   }
                 });
    return;
  }
  const int64_t length = std::min(block.inner, kPiece), across = (block.inner + length - 1) / length;
  parallel_for(block.samples * block.outer * block.channels * across, grain_for_bytes(length * kBytes),
               [&](int64_t begin, int64_t end) {
                 for (int64_t job = begin; job < end; ++job) {
                   const int64_t run = job / across, from = job % across * length;
                   const int64_t c = run % block.channels, s = run / block.channels / block.outer;
                   const int64_t at = run * block.inner + from;
                   combine_run<kFinish, 0>(out + at, x + at, g + at, std::min(length, block.inner - from), k,
                                           s * block.channels + c);
                 }
               });
}

// Calls f(column, set, c) for each column = [sample, channel] in order.
template <class F>
void for_each_channel(const NormBlock& block, F&& f) {
  for (int64_t s = 0; s < block.samples; ++s)
    for (int64_t c = 0; c < block.channels; ++c) {
      const int64_t column = s * block.channels + c;
      f(static_cast<size_t>(column), static_cast<size_t>(column / block.per_set), static_cast<size_t>(c));
    }
}

double rsqrt_of(double variance, double eps) { return 1 / std::sqrt(variance + eps); }

template <class T>
void statistics_typed(const NormBlock& block, double* mean, double* variance, const T* x) {
  const int64_t sample = block.outer * block.channels * block.inner;
  PoolVector<double> centre(static_cast<size_t>(block.samples * block.channels));
  for_each_channel(block, [&](size_t column, size_t, size_t c) {
    const int64_t s = static_cast<int64_t>(column) / block.channels;
    const int64_t first = static_cast<int64_t>(c) / block.per_set * block.per_set;
    centre[column] = static_cast<double>(x[s * sample + first * block.inner]);
  });
  PoolVector<Sums> sums = channel_sums<Summed::x>(block, Operands<T>{x, x, x, nullptr}, centre);
  PoolVector<Sums> of_set(static_cast<size_t>(block.sets()));
  for_each_channel(block, [&](size_t column, size_t set, size_t) {
    of_set[set].a += sums[column].a;
    of_set[set].ab += sums[column].ab;
  });
  const double count = static_cast<double>(block.count());
  for_each_channel(block, [&](size_t column, size_t set, size_t) {
    const double shift = of_set[set].a / count;  // mean - centre
    mean[set] = centre[column] + shift;
    variance[set] = variance_about(of_set[set].ab / count, shift);
  });
}

template <class T>
void apply_typed(const NormBlock& block, double eps, T* y, const T* x, const double* mean,
                 const double* variance, const T* weight, const T* bias, const NormFinish& finish) {
  Coefficients<T> k(block);
  for_each_channel(block, [&](size_t column, size_t set, size_t c) {
    const double w = weight ? static_cast<double>(weight[c]) : 1.0;
    k.set(column, mean[set], w * rsqrt_of(variance[set], eps), bias ? static_cast<double>(bias[c]) : 0.0, 0);
  });
  const T* const residual = static_cast<const T*>(finish.residual);
  if (!finish.relu) return combine<Finish::none>(block, y, x, x, k);
  if (residual == nullptr) return combine<Finish::relu>(block, y, x, x, k);
  combine<Finish::residual_relu>(block, y, x, residual, k);
}

template <class T>
void backward_typed(const NormBlock& block, double eps, T* dx, T* dweight, T* dbias, const T* g, const T* x,
                    const double* mean, const double* variance, const T* weight, const NormReluOutput& relu) {
  PoolVector<double> centre(static_cast<size_t>(block.samples * block.channels));
  for_each_channel(block, [&](size_t column, size_t set, size_t) { centre[column] = mean[set]; });
  const Operands<T> of{x, g, static_cast<const T*>(relu.y), static_cast<T*>(relu.passed)};
  PoolVector<Sums> sums = relu.y != nullptr ? channel_sums<Summed::gradient_behind_relu>(block, of, centre)
                                            : channel_sums<Summed::gradient>(block, of, centre);
  if (relu.y != nullptr) g = of.passed;
  // `sums` are those of g and g (x - mean).
  PoolVector<Sums> of_set(static_cast<size_t>(block.sets()));        // of p and p (x - mean)
  PoolVector<Sums> of_channel(static_cast<size_t>(block.channels));  // dbias and dweight
  for_each_channel(block, [&](size_t column, size_t set, size_t c) {
    const double w = weight ? static_cast<double>(weight[c]) : 1.0;
    of_set[set].a += w * sums[column].a;
    of_set[set].ab += w * sums[column].ab;
    of_channel[c].a += sums[column].a;
    of_channel[c].ab += sums[column].ab * rsqrt_of(variance[set], eps);
  });
  for (size_t c = 0; c < of_channel.size(); ++c) {
    dweight[c] = static_cast<T>(of_channel[c].ab);
    dbias[c] = static_cast<T>(of_channel[c].a);
  }
  // dx = r w g - r^2 M[p h] (x - mean) - r M[p]
  const double count = static_cast<double>(block.count());
  Coefficients<T> k(block);
  for_each_channel(block, [&](size_t column, size_t set, size_t c) {
    const double w = weight ? static_cast<double>(weight[c]) : 1.0;
    const double r = rsqrt_of(variance[set], eps);
    k.set(column, mean[set], -r * r * r * of_set[set].ab / count, -r * of_set[set].a / count, r * w);
  });
  combine<Finish::gradient>(block, dx, x, g, k);
}

}  // namespace

void norm_statistics(const NormBlock& block, DType dtype, double* mean, double* variance, const void* x) {
  visit_floating("norm_statistics", dtype, [&](auto tag) {
    using T = decltype(tag);
    statistics_typed(block, mean, variance, static_cast<const T*>(x));
  });
}

void norm_apply(const NormBlock& block, DType dtype, double eps, void* y, const void* x, const double* mean,
                const double* variance, const void* weight, const void* bias, const NormFinish& finish) {
  visit_floating("norm_apply", dtype, [&](auto tag) {
    using T = decltype(tag);
    apply_typed(block, eps, static_cast<T*>(y), static_cast<const T*>(x), mean, variance,
                static_cast<const T*>(weight), static_cast<const T*>(bias), finish);
  });
}

void norm_backward(const NormBlock& block, DType dtype, double eps, void* dx, void* dweight, void* dbias,
                   const void* g, const void* x, const double* mean, const double* variance,
                   const void* weight, const NormReluOutput& relu) {
  visit_floating("norm_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    backward_typed(block, eps, static_cast<T*>(dx), static_cast<T*>(dweight), static_cast<T*>(dbias),
                   static_cast<const T*>(g), static_cast<const T*>(x), mean, variance,
                   static_cast<const T*>(weight), relu);
  });
}

void move_statistics(const Loop<4>& loop, DType dtype, void* running_mean, void* running_variance,
                     const double* mean, const double* variance, double momentum, double scale) {
  visit_floating("update_running_statistics", dtype, [&](auto tag) {
    using T = decltype(tag);
    const int inner = loop.rank - 1;
    walk(loop, grain_for_bytes(4 * sizeof(T) + 16), [&](const int64_t(&offset)[4], int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        const auto at = [&](int k) { return offset[k] + i * loop.stride[k][inner]; };
        T &m = static_cast<T*>(running_mean)[at(0)], &v = static_cast<T*>(running_variance)[at(1)];
        m = moved_statistic(m, mean[at(2)], momentum, 1);
        v = moved_statistic(v, variance[at(3)], momentum, scale);
      }
    });
  });
}

}  // namespace tenon::cpu
