// The softmax family: a row's largest number m, the sum s of e^(x - m), and then what the op makes of them. A
// row is worked on in one of three ways.
//
//   held      numbers side by side, at most 4096 float32: a team of lanes, a warp or a block holds the row
//             in registers, so x is read once
//   long      numbers side by side, more: a block walks the row twice; on the first walk each thread keeps a
//             running m, and scales its s anew where m grows
//   columns   rows side by side: neighbouring threads take neighbouring rows and walk them twice as above;
//             where rows are long, up to 8 threads share one
//
// Bound: memory. A held float32 row moves 8 bytes an element (4 where nothing is written back) for about 45
// instructions, two thirds of them in e^x; the other ways read x once more, mostly out of the second-level
// cache. Neighbouring threads read neighbouring addresses, so lines are used whole. Sums are cut by the sizes
// alone and joined in trees: the same bits at every run.
#include <cmath>
#include <limits>

#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/reduce.h"
#include "cuda/kernels/softmax.h"
#include "cuda/kernels/team.h"
#include "cuda/runtime/error_flag.h"

namespace tenon::cuda {
namespace {

// What is known of a row, or of a part of one.
template <class T>
struct RowSums {
  T m = -std::numeric_limits<T>::infinity();
  double s = 0;      // of e^(x - m)
  double total = 0;  // of x
};

// e^(x - m), and 1 where both are the same infinity. In float64 for factors that a sum meets again and again.
template <class T>
__device__ T exp_of_difference(T x, T m) {
  return x == m ? T(1) : math::exp(x - m);
}

template <class T>
__device__ void add_online(RowSums<T>& sums, T x) {
  if (x > sums.m || x != x) {
    sums.s = sums.s * exp_of_difference<double>(sums.m, x) + 1;
    sums.m = x;
  } else {
    sums.s += static_cast<double>(exp_of_difference(x, sums.m));
  }
  sums.total += static_cast<double>(x);
}

// A row with an infinite largest number has e^(x - m) = NaN in it.
template <class T>
__device__ void settle(RowSums<T>& sums) {
  if (std::isinf(sums.m)) sums.s = std::numeric_limits<double>::quiet_NaN();
}

// The ops. `row` turns sums into what all elements of the row need; `element` writes one, given e = e^(x - m) or
// x itself; `finish` is called once a row, and is all that those do that write no elements. kOfTotal: `finish`
// needs sums.total.

template <class T>
struct SoftmaxOutput {
  static constexpr bool kElements = true, kOfExponential = true, kOfTotal = false;
  T* y;
  using Row = T;
  __device__ Row row(const RowSums<T>& sums, int64_t) const { return static_cast<T>(1 / sums.s); }
  __device__ void element(const Row& scale, int64_t at, int64_t, T e) const { y[at] = e * scale; }
  __device__ void finish(const RowSums<T>&, int64_t, const T*, const SoftmaxBlock&) const {}
};

template <class T>
struct LogSoftmaxOutput {
  static constexpr bool kElements = true, kOfExponential = false, kOfTotal = false;
  T* y;
  struct Row {
    T m, log_s;
  };
  __device__ Row row(const RowSums<T>& sums, int64_t) const {
    return {sums.m, static_cast<T>(std::log(sums.s))};
  }
  __device__ void element(const Row& row, int64_t at, int64_t, T x) const { y[at] = (x - row.m) - row.log_s; }
  __device__ void finish(const RowSums<T>&, int64_t, const T*, const SoftmaxBlock&) const {}
};

// Of the ops without elements.
template <class T>
struct NoElements {
  static constexpr bool kElements = false, kOfExponential = false, kOfTotal = false;
  struct Row {};
  __device__ Row row(const RowSums<T>&, int64_t) const { return {}; }
  __device__ void element(const Row&, int64_t, int64_t, T) const {}
};

template <class T>
struct LogSumExpOutput : NoElements<T> {
  T* y;
  explicit LogSumExpOutput(T* to) : y(to) {}
  __device__ void finish(const RowSums<T>& sums, int64_t row, const T*, const SoftmaxBlock&) const {
    const double m = static_cast<double>(sums.m);
    y[row] = static_cast<T>(std::isinf(m) ? m : m + std::log(sums.s));
  }
};

// losses[row] = log s - (1 - smoothing) (x[label] - m) - smoothing mean(x - m)
template <class T>
struct CrossEntropyOutput : NoElements<T> {
  static constexpr bool kOfTotal = true;
  double* losses;
  const int64_t* labels;
  double smoothing;
  Reporter outside;
  CrossEntropyOutput(double* to, const int64_t* l, double s, Reporter bad)
      : losses(to), labels(l), smoothing(s), outside(bad) {}
  __device__ void finish(const RowSums<T>& sums, int64_t row, const T* first,
                         const SoftmaxBlock& block) const {
    const int64_t label = labels[row];
    if (label < 0 || label >= block.n) {
      losses[row] = 0;  // the sum reads it, though the call ends in an error
      return outside.report(row);
    }
    const double m = static_cast<double>(sums.m), n = static_cast<double>(block.n);
    double target = (1 - smoothing) * (static_cast<double>(first[label * block.inner]) - m);
    if (smoothing != 0) target += smoothing / n * (sums.total - n * m);
    losses[row] = std::log(sums.s) - target;
  }
};

// share = g / rows: dx = share e / s - share smoothing / n, and at the label share (1 - smoothing) less.
template <class T>
struct CrossEntropyGradient {
  static constexpr bool kElements = true, kOfExponential = true, kOfTotal = false;
  T* dx;
  const T* g;
  const int64_t* labels;
  int64_t rows, n;
  double smoothing;
  Reporter outside;
  struct Row {
    int64_t label;
    T scale, uniform, chosen;
  };
  __device__ Row row(const RowSums<T>& sums, int64_t row) const {
    const double share = static_cast<double>(*g) / static_cast<double>(rows);
    return {labels[row], static_cast<T>(share / sums.s),
            static_cast<T>(share * smoothing / static_cast<double>(n)),
            static_cast<T>(share * (1 - smoothing))};
  }
  __device__ void element(const Row& row, int64_t at, int64_t i, T e) const {
    dx[at] = (e * row.scale - row.uniform) - (i == row.label ? row.chosen : T(0));
  }
  __device__ void finish(const RowSums<T>&, int64_t row, const T*, const SoftmaxBlock& block) const {
    if (labels[row] < 0 || labels[row] >= block.n) outside.report(row);
  }
};

// inner = 1; at most kItems numbers for each thread of a team. Places beyond the end hold -infinity, whose
// exponential is 0.
template <int kItems, class T, class Output>
__global__ void __launch_bounds__(kTeamThreads, 2)
    held_rows_kernel(SoftmaxBlock block, const T* __restrict__ x, Output output) {
  const int64_t row = int64_t{blockIdx.x} * blockDim.y + threadIdx.y, base = row * block.n;
  const int lane = static_cast<int>(threadIdx.x), step = static_cast<int>(blockDim.x);
  const int n = row < block.outer ? static_cast<int>(block.n) : 0;
  T v[kItems];
  RowSums<T> sums;
  for (int k = 0; k < kItems; ++k) {
    const int i = lane + k * step;
    v[k] = i < n ? x[base + i] : -std::numeric_limits<T>::infinity();
    sums.m = math::maximum(v[k], sums.m);
  }
  sums.m = across_team(sums.m, Largest());
  for (int k = 0; k < kItems; ++k) {
    if constexpr (Output::kOfTotal) sums.total += lane + k * step < n ? static_cast<double>(v[k]) : 0.0;
    const T e = math::exp(v[k] - sums.m);
    sums.s += static_cast<double>(e);
    if constexpr (Output::kOfExponential) v[k] = e;
  }
  sums.s = across_team(sums.s, Plus());
  if constexpr (Output::kOfTotal) sums.total = across_team(sums.total, Plus());
  if (n == 0) return;
  if constexpr (Output::kElements) {
    const typename Output::Row of_row = output.row(sums, row);
    for (int k = 0; k < kItems; ++k) {
      const int i = lane + k * step;
      if (i < n) output.element(of_row, base + i, i, v[k]);
    }
  }
  if (lane == 0) output.finish(sums, row, x + base, block);
}

// The second walk: elements begin, begin + stride, .. of a row.
template <class T, class Output>
__device__ void write_elements(const Output& output, const RowSums<T>& sums, int64_t row, const T* x,
                               int64_t base, const SoftmaxBlock& block, int64_t begin, int64_t stride) {
  if constexpr (Output::kElements) {
    const typename Output::Row of_row = output.row(sums, row);
    for (int64_t i = begin; i < block.n; i += stride) {
      const int64_t at = base + i * block.inner;
      output.element(of_row, at, i, Output::kOfExponential ? math::exp(x[at] - sums.m) : x[at]);
    }
  }
}

// inner = 1; a block a row.
template <class T, class Output>
__global__ void __launch_bounds__(kTeamThreads, 2)
    long_rows_kernel(SoftmaxBlock block, const T* __restrict__ x, Output output) {
  const int64_t row = blockIdx.x, base = row * block.n;
  RowSums<T> part;
  for (int64_t i = threadIdx.x; i < block.n; i += blockDim.x) add_online(part, x[base + i]);
  RowSums<T> sums;
  sums.m = across_team(part.m, Largest());
  sums.s = across_team(part.s * exp_of_difference<double>(part.m, sums.m), Plus());
  if constexpr (Output::kOfTotal) sums.total = across_team(part.total, Plus());
  settle(sums);
  write_elements(output, sums, row, x, base, block, threadIdx.x, blockDim.x);
  if (threadIdx.x == 0) output.finish(sums, row, x + base, block);
}

// threadIdx.x numbers rows, threadIdx.y the threads that share one.
template <class T, class Output>
__global__ void __launch_bounds__(kTeamThreads, 2)
    columns_kernel(SoftmaxBlock block, const T* __restrict__ x, Output output) {
  TENON_SHARED(T, part_m, kTeamThreads);
  TENON_SHARED(double, part_s, kTeamThreads);
  TENON_SHARED(double, part_total, kTeamThreads);
  const int64_t row = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const bool exists = row < block.outer * block.inner;
  const int64_t base = row / block.inner * block.n * block.inner + row % block.inner;
  RowSums<T> part;
  if (exists)
    for (int64_t i = threadIdx.y; i < block.n; i += blockDim.y) add_online(part, x[base + i * block.inner]);
  const unsigned slot = threadIdx.y * blockDim.x + threadIdx.x;
  part_m[slot] = part.m;
  part_s[slot] = part.s;
  part_total[slot] = part.total;
  __syncthreads();
  if (!exists) return;
  RowSums<T> sums;
  for (unsigned k = threadIdx.x; k < kTeamThreads; k += blockDim.x) sums.m = math::maximum(part_m[k], sums.m);
  for (unsigned k = threadIdx.x; k < kTeamThreads; k += blockDim.x) {
    sums.s += part_s[k] * exp_of_difference<double>(part_m[k], sums.m);
    sums.total += part_total[k];
  }
  settle(sums);
  write_elements(output, sums, row, x, base, block, threadIdx.y, blockDim.y);
  if (threadIdx.y == 0) output.finish(sums, row, x + base, block);
}

template <int kItems, class T, class Output>
void run_held(const char* name, const SoftmaxBlock& block, const T* x, const Output& output) {
  const Dim3 shape = team_shape(block.n, kItems);
  launch(name, held_rows_kernel<kItems, T, Output>, {team_blocks(name, block.outer, shape)}, shape, 0, block,
         x, output);
}

template <class T, class Output>
void run(const char* name, const SoftmaxBlock& block, const T* x, const Output& output) {
  if (block.inner == 1) {
    constexpr int kFew = 4, kMany = 64 / sizeof(T);  // 16 registers of a thread
    if (block.n <= 32 * kFew) return run_held<kFew>(name, block, x, output);
    if (block.n <= 32 * kMany) return run_held<kMany>(name, block, x, output);
    if (block.n <= kTeamThreads * kFew) return run_held<kFew>(name, block, x, output);
    if (block.n <= kTeamThreads * kMany) return run_held<kMany>(name, block, x, output);
    const Dim3 shape{kTeamThreads, 1, 1};
    return launch(name, long_rows_kernel<T, Output>, {team_blocks(name, block.outer, shape)}, shape, 0, block,
                  x, output);
  }
  unsigned sharers = 1;
  while (sharers < 8 && sharers * 16 < block.n) sharers *= 2;
  const int64_t rows = block.outer * block.inner, per_block = kTeamThreads / sharers;
  const int64_t blocks = (rows + per_block - 1) / per_block;
  TENON_CHECK(blocks <= 0x7fffffff, name, ": ", rows, " rows are too many for one launch");
  launch(name, columns_kernel<T, Output>, {static_cast<unsigned>(blocks)}, {kTeamThreads / sharers, sharers},
         0, block, x, output);
}

void check_labels(const char* op, const SoftmaxBlock& block, const int64_t* labels,
                  const ErrorFlag& outside) {
  const int64_t row = outside.lowest();
  if (row >= 0) fail_label(op, block.n, value_at(labels + row));
}

// *y = scale * sum x, of n numbers side by side.
template <class T>
void scaled_sum(int64_t n, T* y, const double* x, double scale) {
  Scratch memory(sizeof(double));
  ReduceLoop loop;
  loop.kept.rank = loop.reduced.rank = 1;
  loop.kept.numel = loop.kept.extent[0] = 1;
  loop.reduced.numel = loop.reduced.extent[0] = n;
  loop.reduced.stride[0][0] = 1;
  reduce(Reduce::sum, loop, float64, memory.as<double>(), x, scale);
  copy(loop.kept, dtype_of<T>, y, float64, memory.as<double>());
}

}  // namespace

void softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("softmax", dtype, [&](auto tag) {
    using T = decltype(tag);
    run("softmax", block, static_cast<const T*>(x), SoftmaxOutput<T>{static_cast<T*>(y)});
  });
}

void log_softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("log_softmax", dtype, [&](auto tag) {
    using T = decltype(tag);
    run("log_softmax", block, static_cast<const T*>(x), LogSoftmaxOutput<T>{static_cast<T*>(y)});
  });
}

void logsumexp(const SoftmaxBlock& block, DType dtype, void* y, const void* x) {
  visit_floating("logsumexp", dtype, [&](auto tag) {
    using T = decltype(tag);
    run("logsumexp", block, static_cast<const T*>(x), LogSumExpOutput<T>(static_cast<T*>(y)));
  });
}

void softmax_cross_entropy(const SoftmaxBlock& block, DType dtype, void* loss, const void* x,
                           const int64_t* labels, double smoothing) {
  const int64_t rows = block.outer * block.inner;
  const ErrorFlag outside;
  const Scratch losses(static_cast<size_t>(rows) * sizeof(double));
  visit_floating("softmax_cross_entropy", dtype, [&](auto tag) {
    using T = decltype(tag);
    run("softmax_cross_entropy", block, static_cast<const T*>(x),
        CrossEntropyOutput<T>(losses.as<double>(), labels, smoothing, outside.reporter()));
    scaled_sum(rows, static_cast<T*>(loss), losses.as<double>(), 1.0 / static_cast<double>(rows));
  });
  check_labels("softmax_cross_entropy", block, labels, outside);
}

void softmax_cross_entropy_backward(const SoftmaxBlock& block, DType dtype, void* dx, const void* g,
                                    const void* x, const int64_t* labels, double smoothing) {
  const ErrorFlag outside;
  visit_floating("softmax_cross_entropy_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    run("softmax_cross_entropy_backward", block, static_cast<const T*>(x),
        CrossEntropyGradient<T>{static_cast<T*>(dx), static_cast<const T*>(g), labels,
                                block.outer * block.inner, block.n, smoothing, outside.reporter()});
  });
  check_labels("softmax_cross_entropy_backward", block, labels, outside);
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(softmax)
TENON_CUDA_ENTRY(log_softmax)
TENON_CUDA_ENTRY(logsumexp)
TENON_CUDA_ENTRY(softmax_cross_entropy)
TENON_CUDA_ENTRY(softmax_cross_entropy_backward)
