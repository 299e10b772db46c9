// Batch and group normalisation. As on the host (core/cpu/norm.cpp), two passes over memory do the work: sums of
// each column, that is of one channel of one sample, and a linear combination whose coefficients belong to the
// column. Between them small kernels turn sums into statistics and coefficients, so that nothing returns to the
// host.
//
// Columns are summed in one of two ways. Where inner > 1 the numbers of a column are neighbours, and a team of
// lanes or a block takes a column; where inner = 1 (channels last) the channels are, and a warp reads 32 of them
// side by side. Few columns of many numbers are cut into parts, a block each. Sums are held in float64, of the
// distances from the first number of the set (forward) or from the mean (backward); every cut depends on the
// sizes alone, so the bits are the same at every run.
//
// Bound: memory. A float32 element costs 4 bytes in the forward's sums and 8 in its combination, 8 and 12 in the
// backward's. With a relu behind it, the forward's combination finishes it (a residual costs 4 bytes more), and the
// backward's sums cost 16, since they read y and write down the gradient that passed: 40 bytes forward and backward,
// where norm and relu one after the other move 60 and more. The sums do 3 operations in float64 on it, which bounds them instead on cards that have few such
// units (1/64 of the float32 rate).
#include <algorithm>

#include "core/functors.h"
#include "core/math.h"
#include "core/ops/contract.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/loop_kernel.h"
#include "cuda/kernels/norm.h"
#include "cuda/kernels/team.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr int64_t kPart = 4096;         // numbers, at least, before a column is cut into parts
constexpr int64_t kBlocksWanted = 512;  // about four for each multiprocessor of a large card

struct Sums {
  double a = 0, ab = 0;
};

// What is summed beside b = x - centre: b, g, or g where y > 0, which is written down on the way.
enum class Summed { x, gradient, gradient_behind_relu };

template <class T>
struct Operands {
  const T *x, *g, *y;
  T* passed;  // g where y > 0
};

// Neighbours from `at` on, read together.
template <Summed kSummed, int kCount, class T>
__device__ void add(Sums& sums, const Operands<T>& of, int64_t at, double centre) {
  using Several = Neighbours<T, kCount>;
  const auto several = [&](const T* from) { return *reinterpret_cast<const Several*>(from + at); };
  const Several x = several(of.x);
  Several a = x;
  if constexpr (kSummed != Summed::x) a = several(of.g);
  if constexpr (kSummed == Summed::gradient_behind_relu) {
    const Several y = several(of.y);
    for (int i = 0; i < kCount; ++i) a.v[i] = functor::relu_backward_::apply(a.v[i], y.v[i]);
    *reinterpret_cast<Several*>(of.passed + at) = a;
  }
  for (int i = 0; i < kCount; ++i) {
    const double b = static_cast<double>(x.v[i]) - centre;
    const double first = kSummed == Summed::x ? b : static_cast<double>(a.v[i]);
    sums.a += first;
    sums.ab += first * b;
  }
}

// The mean of the column's set, or (mean = null) the set's first number.
template <class T>
__device__ double centre_of(const NormBlock& block, int64_t column, const double* mean, const T* x) {
  if (mean) return mean[column / block.per_set];
  const int64_t s = column / block.channels, first = column % block.channels / block.per_set * block.per_set;
  return static_cast<double>(x[(s * block.outer * block.channels + first) * block.inner]);
}

// How a column falls into parts: `down` pieces of `runs` runs (along outer), each of `across` pieces of `length`
// numbers (along inner).
struct Parts {
  int64_t down = 1, across = 1, runs, length;
  Parts(const NormBlock& block, int64_t blocks) : runs(block.outer), length(block.inner) {
    const int64_t most = block.outer * block.inner / kPart, wanted = (kBlocksWanted + blocks - 1) / blocks;
    const int64_t parts = std::min(most, wanted);
    if (parts <= 1) return;
    runs = std::max<int64_t>(1, block.outer / parts);
    down = (block.outer + runs - 1) / runs;
    if (down >= parts) return;
    length = std::max<int64_t>(4, block.inner * down / parts / 4 * 4);  // whole words of 16 bytes
    across = (block.inner + length - 1) / length;
  }
  int64_t count() const { return down * across; }
};

// inner > 1: a team a column, blockIdx.y the part; kCount neighbours at a time.
template <Summed kSummed, int kCount, class T>
__global__ void __launch_bounds__(kTeamThreads)
    run_sums_kernel(NormBlock block, Parts parts, int side, Sums* sums, Operands<T> of, const double* mean) {
  const int64_t columns = block.samples * block.channels;
  const int64_t column = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  Sums mine;
  if (column < columns) {
    const double centre = centre_of(block, column, mean, of.x);
    const int64_t step = block.channels * block.inner;
    const int64_t base = column / block.channels * block.outer * step + column % block.channels * block.inner;
    // `side` threads of the team take neighbours; the others take other runs.
    const int64_t first_run = blockIdx.y / parts.across * parts.runs;
    const int64_t last_run = first_run + parts.runs < block.outer ? first_run + parts.runs : block.outer;
    const int64_t first = blockIdx.y % parts.across * parts.length;
    const int64_t last = first + parts.length < block.inner ? first + parts.length : block.inner;
    for (int64_t k = first_run + threadIdx.x / side; k < last_run; k += blockDim.x / side)
      for (int64_t i = first + threadIdx.x % side * kCount; i < last; i += side * kCount)
        add<kSummed, kCount>(mine, of, base + k * step + i, centre);
  }
  mine.a = across_team(mine.a, Plus());
  mine.ab = across_team(mine.ab, Plus());
  if (column < columns && threadIdx.x == 0) sums[blockIdx.y * columns + column] = mine;
}

// inner = 1: threadIdx.x numbers channels side by side, threadIdx.y the threads that share a column; blockIdx.x is
// the sample and the strip of channels, blockIdx.y the part.
template <Summed kSummed, class T>
__global__ void __launch_bounds__(kTeamThreads)
    row_sums_kernel(NormBlock block, Parts parts, int64_t strips, Sums* sums, Operands<T> of,
                    const double* mean) {
  TENON_SHARED(double, part_a, kTeamThreads);
  TENON_SHARED(double, part_ab, kTeamThreads);
  const int64_t s = blockIdx.x / strips, c = blockIdx.x % strips * blockDim.x + threadIdx.x;
  const int64_t column = s * block.channels + c;
  Sums mine;
  if (c < block.channels) {
    const double centre = centre_of(block, column, mean, of.x);
    const int64_t base = s * block.outer * block.channels + c, first = blockIdx.y * parts.runs;
    const int64_t last = first + parts.runs < block.outer ? first + parts.runs : block.outer;
    for (int64_t k = first + threadIdx.y; k < last; k += blockDim.y)
      add<kSummed, 1>(mine, of, base + k * block.channels, centre);
  }
  const unsigned slot = threadIdx.y * blockDim.x + threadIdx.x;
  part_a[slot] = mine.a;
  part_ab[slot] = mine.ab;
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y >= half) continue;
    part_a[slot] += part_a[slot + half * blockDim.x];
    part_ab[slot] += part_ab[slot + half * blockDim.x];
  }
  if (threadIdx.y == 0 && c < block.channels)
    sums[blockIdx.y * block.samples * block.channels + column] = {part_a[slot], part_ab[slot]};
}

// A team's sum of f(0) .. f(n - 1); no item where the team has no row.
template <class F>
__device__ Sums team_sums(int64_t n, F&& f) {
  Sums sums;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    const Sums item = f(i);
    sums.a += item.a;
    sums.ab += item.ab;
  }
  return {across_team(sums.a, Plus()), across_team(sums.ab, Plus())};
}

__device__ int64_t team_row() { return int64_t{blockIdx.x} * blockDim.y + threadIdx.y; }

__global__ void join_parts_kernel(int64_t columns, int64_t parts, Sums* sums, const Sums* partial) {
  const int64_t column = team_row();
  const Sums all =
      team_sums(column < columns ? parts : 0, [&](int64_t part) { return partial[part * columns + column]; });
  if (column < columns && threadIdx.x == 0) sums[column] = all;
}

// Of each set, from the sums of its columns in parts.
template <class T>
__global__ void statistics_kernel(NormBlock block, double* mean, double* variance, int64_t parts,
                                  const Sums* partial, const T* x) {
  const int64_t set = team_row(), columns = block.samples * block.channels, sets = columns / block.per_set;
  const Sums sums = team_sums(set < sets ? block.per_set * parts : 0, [&](int64_t i) {
    return partial[i / block.per_set * columns + set * block.per_set + i % block.per_set];
  });
  if (set >= sets || threadIdx.x != 0) return;
  const double count = static_cast<double>(block.per_set * block.outer * block.inner);
  const double shift = sums.a / count;  // mean - centre
  mean[set] = centre_of<T>(block, set * block.per_set, nullptr, x) + shift;
  variance[set] = variance_about(sums.ab / count, shift);
}

template <class T>
__device__ double weight_of(const T* weight, int64_t c) {
  return weight ? static_cast<double>(weight[c]) : 1.0;
}

__device__ double rsqrt_of(double variance, double eps) { return 1 / std::sqrt(variance + eps); }

// Sums of p = weight g, and of p (x - mean), for each set.
template <class T>
__global__ void set_sums_kernel(NormBlock block, Sums* of_set, const Sums* of_column, const T* weight) {
  const int64_t set = team_row(), sets = block.samples * block.channels / block.per_set;
  const Sums sums = team_sums(set < sets ? block.per_set : 0, [&](int64_t i) {
    const int64_t column = set * block.per_set + i;
    const double w = weight_of(weight, column % block.channels);
    return Sums{w * of_column[column].a, w * of_column[column].ab};
  });
  if (set < sets && threadIdx.x == 0) of_set[set] = sums;
}

template <class T>
__global__ void parameter_gradients_kernel(NormBlock block, double eps, T* dweight, T* dbias,
                                           const Sums* of_column, const double* variance) {
  const int64_t c = team_row();
  const Sums sums = team_sums(c < block.channels ? block.samples : 0, [&](int64_t s) {
    const int64_t column = s * block.channels + c;
    const Sums of = of_column[column];
    return Sums{of.a, of.ab * rsqrt_of(variance[column / block.per_set], eps)};
  });
  if (c >= block.channels || threadIdx.x != 0) return;
  dweight[c] = static_cast<T>(sums.ab);
  dbias[c] = static_cast<T>(sums.a);
}

// out = of_x (x - m) + of_1 + of_g g. `m` is the mean in the dtype of x: the difference is then nearly exact, and
// what the mean lost in rounding is part of of_1.
template <class T>
struct alignas(4 * sizeof(T)) Coefficients {
  T m, of_x, of_1, of_g;
  __device__ Coefficients(double mean, double x, double one, double g)
      : m(static_cast<T>(mean)),
        of_x(static_cast<T>(x)),
        of_1(static_cast<T>(one - x * (mean - static_cast<double>(m)))),
        of_g(static_cast<T>(g)) {}
};

// y = w r (x - mean) + bias
template <class T>
__global__ void forward_coefficients_kernel(NormBlock block, double eps, Coefficients<T>* out,
                                            const double* mean, const double* variance, const T* weight,
                                            const T* bias) {
  const int64_t column = linear_index(), c = column % block.channels, set = column / block.per_set;
  if (column >= block.samples * block.channels) return;
  out[column] = Coefficients<T>(mean[set], weight_of(weight, c) * rsqrt_of(variance[set], eps),
                                bias ? static_cast<double>(bias[c]) : 0.0, 0);
}

// dx = r w g - r^3 M[p (x - mean)] (x - mean) - r M[p]
template <class T>
__global__ void backward_coefficients_kernel(NormBlock block, double eps, Coefficients<T>* out,
                                             const double* mean, const double* variance, const Sums* of_set,
                                             const T* weight) {
  const int64_t column = linear_index(), c = column % block.channels, set = column / block.per_set;
  if (column >= block.samples * block.channels) return;
  const double count = static_cast<double>(block.per_set * block.outer * block.inner);
  const double r = rsqrt_of(variance[set], eps);
  out[column] = Coefficients<T>(mean[set], -r * r * r * of_set[set].ab / count, -r * of_set[set].a / count,
                                r * weight_of(weight, c));
}

// Batch norm, where column, set and channel are one: the three kernels above and the joining of parts in one.
template <class T>
__global__ void batch_backward_kernel(NormBlock block, double eps, Coefficients<T>* out, T* dweight, T* dbias,
                                      int64_t parts, const Sums* partial, const double* mean,
                                      const double* variance, const T* weight) {
  const int64_t c = team_row();
  const Sums sums = team_sums(c < block.channels ? parts : 0,
                              [&](int64_t part) { return partial[part * block.channels + c]; });
  if (c >= block.channels || threadIdx.x != 0) return;
  const double count = static_cast<double>(block.outer * block.inner);
  const double r = rsqrt_of(variance[c], eps), w = weight_of(weight, c);
  dweight[c] = static_cast<T>(sums.ab * r);
  dbias[c] = static_cast<T>(sums.a);
  out[c] = Coefficients<T>(mean[c], -r * r * r * (w * sums.ab) / count, -r * (w * sums.a) / count, r * w);
}

// What becomes of that combination v of x: v itself; v + of_g g; max(v, 0); max(v + g, 0), where g is a residual.
enum class Finish { none, gradient, relu, residual_relu };

// kCount neighbours a thread: of one column, or with kRows (inner = 1) of kCount columns. `out` may be g.
template <Finish kFinish, bool kRows, class Vector, class Index, class T>
__global__ void combine_kernel(NormBlock block, int64_t count, T* out, const T* __restrict__ x, const T* g,
                               const Coefficients<T>* __restrict__ coefficients) {
  constexpr bool kTwo = kFinish == Finish::gradient || kFinish == Finish::residual_relu;
  constexpr int kCount = sizeof(Vector) / sizeof(T);
  if (linear_index() >= count) return;
  const Index at = static_cast<Index>(linear_index()) * kCount;
  const Index channels = static_cast<Index>(block.channels), outer = static_cast<Index>(block.outer);
  const Index run = kRows ? at : at / static_cast<Index>(block.inner);
  Index column = run % channels;
  if (block.samples > 1) column += run / channels / outer * channels;
  Vector in = *reinterpret_cast<const Vector*>(x + at), gradient = in, result;
  if constexpr (kTwo) gradient = *reinterpret_cast<const Vector*>(g + at);
  const T* const px = reinterpret_cast<const T*>(&in);
  const T* const pg = reinterpret_cast<const T*>(&gradient);
  T* const to = reinterpret_cast<T*>(&result);
  for (int i = 0; i < kCount; ++i) {
    const Coefficients<T> k = coefficients[kRows ? column + i : column];
    T v = math::fma(px[i] - k.m, k.of_x, k.of_1);
    if constexpr (kFinish == Finish::gradient) v = math::fma(pg[i], k.of_g, v);
    if constexpr (kFinish == Finish::residual_relu) v += pg[i];
    if constexpr (kFinish == Finish::relu || kFinish == Finish::residual_relu) v = math::maximum(v, T{0});
    to[i] = v;
  }
  *reinterpret_cast<Vector*>(out + at) = result;
}

template <Finish kFinish, class T>
void combine(const char* name, const NormBlock& block, T* out, const T* x, const T* g,
             const Coefficients<T>* coefficients) {
  const int64_t numel = block.samples * block.outer * block.channels * block.inner;
  auto go = [&](auto vector, auto rows) {
    using Vector = decltype(vector);
    const int64_t count = numel / static_cast<int64_t>(sizeof(Vector) / sizeof(T));
    visit_index(numel, [&](auto index) {
      launch(name, combine_kernel<kFinish, decltype(rows)::value, Vector, decltype(index), T>,
             {linear_blocks(name, count)}, {kLinearThreads}, 0, block, count, out, x, g, coefficients);
    });
  };
  const bool rows = block.inner == 1;
  const bool packed = (rows ? block.channels : block.inner) % Pack<T>::kCount == 0 && is_aligned(out) &&
                      is_aligned(x) && is_aligned(g);
  if (rows && packed) return go(Pack<T>(), std::true_type());
  if (rows) return go(T(), std::true_type());
  if (packed) return go(Pack<T>(), std::false_type());
  go(T(), std::false_type());
}

// Launches a kernel that gives each of `rows` rows of n items a team.
template <class... Params>
void launch_teams(const char* name, void (*kernel)(Params...), int64_t rows, int64_t n,
                  std::type_identity_t<Params>... args) {
  const Dim3 shape = team_shape(n, 4);
  launch(name, kernel, {team_blocks(name, rows, shape)}, shape, 0, args...);
}

Scratch scratch_of_sums(int64_t count) { return Scratch(static_cast<size_t>(count) * sizeof(Sums)); }

// Sums of each column in parts, [parts, columns].
struct ColumnSums {
  int64_t parts;
  Scratch memory;
  const Sums* sums() const { return memory.as<const Sums>(); }
};

// Around the first number of its set or (mean given) around the mean.
template <Summed kSummed, class T>
ColumnSums column_sums(const char* name, const NormBlock& block, const Operands<T>& of, const double* mean) {
  const int64_t columns = block.samples * block.channels;
  const bool rows = block.inner == 1;
  Dim3 shape = team_shape(block.outer * block.inner, 32);
  int64_t blocks = 0, strips = 1;
  if (rows) {
    unsigned side = 1;
    while (side < 32 && side < block.channels) side *= 2;
    shape = {side, kTeamThreads / side, 1};
    strips = (block.channels + side - 1) / side;
    blocks = block.samples * strips;
    TENON_CHECK(blocks <= 0x7fffffff, name, ": ", block.samples, " samples are too many for one launch");
  } else {
    blocks = team_blocks(name, columns, shape);
  }
  const Parts parts(block, blocks);
  const Dim3 grid{static_cast<unsigned>(blocks), static_cast<unsigned>(parts.count()), 1};
  ColumnSums out{parts.count(), scratch_of_sums(parts.count() * columns)};
  Sums* const to = out.memory.as<Sums>();
  if (rows) {
    launch(name, row_sums_kernel<kSummed, T>, grid, shape, 0, block, parts, strips, to, of, mean);
    return out;
  }
  constexpr int kCount = Pack<T>::kCount;
  const bool packed = block.inner % kCount == 0 && is_aligned(of.x) && is_aligned(of.g) && is_aligned(of.y) &&
                      is_aligned(of.passed);
  int side = 1;  // of a team, along inner
  while (side < static_cast<int>(shape.x) && side * (packed ? kCount : 1) < parts.length) side *= 2;
  launch(name, packed ? run_sums_kernel<kSummed, kCount, T> : run_sums_kernel<kSummed, 1, T>, grid, shape, 0,
         block, parts, side, to, of, mean);
  return out;
}

template <class T>
void backward_coefficients(const NormBlock& block, double eps, Coefficients<T>* out, T* dweight, T* dbias,
                           const ColumnSums& parts, const double* mean, const double* variance,
                           const T* weight) {
  const int64_t columns = block.samples * block.channels;
  const Scratch joined = scratch_of_sums(columns), of_set = scratch_of_sums(block.sets());
  const Sums* of_column = parts.sums();
  if (parts.parts > 1) {
    launch_teams("norm_join", join_parts_kernel, columns, parts.parts, columns, parts.parts,
                 joined.as<Sums>(), of_column);
    of_column = joined.as<const Sums>();
  }
  launch_teams("norm_set_sums", set_sums_kernel<T>, block.sets(), block.per_set, block, of_set.as<Sums>(),
               of_column, weight);
  launch_teams("norm_parameter_gradients", parameter_gradients_kernel<T>, block.channels, block.samples,
               block, eps, dweight, dbias, of_column, variance);
  launch("norm_coefficients", backward_coefficients_kernel<T>, {linear_blocks("norm_coefficients", columns)},
         {kLinearThreads}, 0, block, eps, out, mean, variance, of_set.as<const Sums>(), weight);
}

template <class T>
struct MoveBody {
  T *running_mean, *running_variance;
  const double *mean, *variance;
  double momentum, scale;
  TENON_HD void operator()(const int64_t (&offset)[4]) const {
    T &m = running_mean[offset[0]], &v = running_variance[offset[1]];
    m = moved_statistic(m, mean[offset[2]], momentum, 1);
    v = moved_statistic(v, variance[offset[3]], momentum, scale);
  }
};

}  // namespace

void norm_statistics(const NormBlock& block, DType dtype, double* mean, double* variance, const void* x) {
  visit_floating("norm_statistics", dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* const px = static_cast<const T*>(x);
    const ColumnSums of_column =
        column_sums<Summed::x>("norm_sums", block, Operands<T>{px, px, px, nullptr}, nullptr);
    launch_teams("norm_statistics", statistics_kernel<T>, block.sets(), block.per_set * of_column.parts,
                 block, mean, variance, of_column.parts, of_column.sums(), px);
  });
}

void norm_apply(const NormBlock& block, DType dtype, double eps, void* y, const void* x, const double* mean,
                const double* variance, const void* weight, const void* bias, const NormFinish& finish) {
  const int64_t columns = block.samples * block.channels;
  visit_floating("norm_apply", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Scratch coefficients(static_cast<size_t>(columns) * sizeof(Coefficients<T>));
    launch("norm_coefficients", forward_coefficients_kernel<T>, {linear_blocks("norm_coefficients", columns)},
           {kLinearThreads}, 0, block, eps, coefficients.as<Coefficients<T>>(), mean, variance,
           static_cast<const T*>(weight), static_cast<const T*>(bias));
    T* const to = static_cast<T*>(y);
    const T *const px = static_cast<const T*>(x), *const residual = static_cast<const T*>(finish.residual);
    const auto* const k = coefficients.as<Coefficients<T>>();
    if (!finish.relu) return combine<Finish::none>("norm_apply", block, to, px, px, k);
    if (residual == nullptr) return combine<Finish::relu>("norm_apply", block, to, px, px, k);
    combine<Finish::residual_relu>("norm_apply", block, to, px, residual, k);
  });
}

void norm_backward(const NormBlock& block, DType dtype, double eps, void* dx, void* dweight, void* dbias,
                   const void* g, const void* x, const double* mean, const double* variance,
                   const void* weight, const NormReluOutput& relu) {
  const int64_t columns = block.samples * block.channels;
  visit_floating("norm_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    const T *const px = static_cast<const T*>(x), *const pw = static_cast<const T*>(weight);
    T *const pdw = static_cast<T*>(dweight), *const pdb = static_cast<T*>(dbias);
    const bool behind_relu = relu.y != nullptr;
    const Operands<T> of{px, static_cast<const T*>(g), static_cast<const T*>(relu.y),
                         static_cast<T*>(relu.passed)};
    const ColumnSums parts =
        behind_relu ? column_sums<Summed::gradient_behind_relu>("norm_backward_sums", block, of, mean)
                    : column_sums<Summed::gradient>("norm_backward_sums", block, of, mean);
    const Scratch memory(static_cast<size_t>(columns) * sizeof(Coefficients<T>));
    auto* const coefficients = memory.as<Coefficients<T>>();
    if (block.samples == 1 && block.per_set == 1)
      launch_teams("norm_batch_backward", batch_backward_kernel<T>, block.channels, parts.parts, block, eps,
                   coefficients, pdw, pdb, parts.parts, parts.sums(), mean, variance, pw);
    else
      backward_coefficients(block, eps, coefficients, pdw, pdb, parts, mean, variance, pw);
    combine<Finish::gradient>("norm_backward", block, static_cast<T*>(dx), px, behind_relu ? of.passed : of.g,
                              coefficients);
  });
}

void move_statistics(const Loop<4>& loop, DType dtype, void* running_mean, void* running_variance,
                     const double* mean, const double* variance, double momentum, double scale) {
  visit_floating("update_running_statistics", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop("update_running_statistics", loop,
                MoveBody<T>{static_cast<T*>(running_mean), static_cast<T*>(running_variance), mean, variance,
                            momentum, scale});
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(batch_norm)
TENON_CUDA_ENTRY(batch_norm_backward)
TENON_CUDA_ENTRY(batch_norm_eval)
TENON_CUDA_ENTRY(batch_norm_relu)
TENON_CUDA_ENTRY(batch_norm_relu_backward)
TENON_CUDA_ENTRY(update_running_statistics)
TENON_CUDA_ENTRY(group_norm)
TENON_CUDA_ENTRY(group_norm_backward)
TENON_CUDA_ENTRY(layer_norm)
