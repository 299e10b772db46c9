// sort (with argsort and topk) and cumsum, along lines.
//
// sort. The order is total (core/cpu/index.h), so a sorting network gives what a stable sort would. A block
// sorts a tile in shared memory by a bitonic network, a thread a pair: a line of at most 2048 elements, padded
// to a power of two, or several short lines side by side. Longer lines become sorted runs of 2048 first, and
// then log2(n / 2048) passes merge pairs of runs: a block makes 2048 elements of the result, a thread 8, after
// a search along its diagonal (merge path) for where its part begins in either run. For a line of n there are
// up to 66 steps of the network, each 2 reads and 2 writes of shared memory a pair; they bound a tile. A merge
// pass reads and writes every element and position once: 24 bytes an element in float32, or 0.13 ms for 2^24 of
// them at 3.0 TB/s, 13 passes in all. topk sorts the whole line.
//
// cumsum. A block scans a tile of 2048 elements, a thread 8 neighbours. Lines of several tiles take three
// launches: the sums of the tiles, the running sums of these, and the scan of each tile from there. Bound:
// memory; a float32 element moves 8 bytes, 12 in long lines. Many lines that lie side by side, or very short
// ones, are summed by a thread a line, as on the host. Which way is taken depends on sizes and strides alone.
#include <algorithm>

#include "core/ops/contract.h"
#include "core/reducers.h"
#include "cuda/kernels/block_scan.h"
#include "cuda/kernels/index.h"
#include "cuda/kernels/loop_kernel.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

unsigned grid(const char* op, int64_t blocks) {
  TENON_CHECK(blocks <= 0x7fffffff, op, ": ", blocks, " blocks are too many for one launch");
  return static_cast<unsigned>(blocks);
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// ---- sort -------------------------------------------------------------------------------------------

constexpr int kTile = 2048;      // elements that a block sorts, at most
constexpr int kSmallTile = 512;  // for short lines: at least
constexpr int kMergeThreads = 256, kPerThread = kTile / kMergeThreads;

// A slot of a tile in shared memory; those behind the end of the line sort behind all others.
template <class T>
__device__ bool slot_before(const T* value, const int* at, int x, int y, int count, bool descending) {
  if (at[x] >= count || at[y] >= count) return at[x] < at[y];
  return sorts_before(Item<T>{value[x], at[x]}, Item<T>{value[y], at[y]}, descending);
}

// Sorts the runs of `width` (a power of two) slots of each line: operands values, positions, x. A block has
// 2 blockDim.x slots, which are one run, or several lines of one run each.
template <class T>
__global__ void __launch_bounds__(kTile / 2)
    sort_tile_kernel(Lines<3> lines, int width, bool descending, T* values, int64_t* positions, const T* x) {
  TENON_SHARED(T, value, kTile);
  TENON_SHARED(int, at, kTile);
  const int slots = 2 * static_cast<int>(blockDim.x);
  const int64_t count = lines.count[2], runs = (count + width - 1) / width;
  const int64_t first_run = int64_t{blockIdx.x} * (slots / width);  // counted over all lines

  // What the slot belongs to; false if there is no such line.
  const auto place = [&](int slot, int64_t(&offset)[3], int64_t& first, int& length) {
    const int64_t run = first_run + slot / width, line = run / runs;
    if (line >= lines.starts.numel) return false;
    lines.starts.offsets_of(line, offset);
    first = run % runs * width;
    length = static_cast<int>(count - first < width ? count - first : width);
    return true;
  };

  for (int slot = static_cast<int>(threadIdx.x); slot < slots; slot += static_cast<int>(blockDim.x)) {
    int64_t offset[3], first;
    int length = 0;
    const int in_run = slot % width;
    value[slot] = T(0);
    if (place(slot, offset, first, length) && in_run < length)
      value[slot] = x[offset[2] + (first + in_run) * lines.step[2]];
    at[slot] = in_run;
  }
  // A thread's pairs all lie in one run, of this many elements.
  const int thread = static_cast<int>(threadIdx.x);
  int64_t offset[3], first;
  int length = 0;
  place(2 * thread, offset, first, length);
  for (int size = 2; size <= width; size *= 2)
    for (int reach = size / 2; reach > 0; reach /= 2) {
      __syncthreads();
      const int low = 2 * thread - (thread & (reach - 1)), high = low + reach;
      const bool up = (low & size & (width - 1)) == 0;
      if (slot_before(value, at, up ? high : low, up ? low : high, length, descending)) {
        const T v = value[low];
        const int a = at[low];
        value[low] = value[high], at[low] = at[high];
        value[high] = v, at[high] = a;
      }
    }
  __syncthreads();
  for (int slot = static_cast<int>(threadIdx.x); slot < slots; slot += static_cast<int>(blockDim.x)) {
    const int in_run = slot % width;
    if (!place(slot, offset, first, length) || in_run >= length || first + in_run >= lines.count[0]) continue;
    values[offset[0] + (first + in_run) * lines.step[0]] = value[slot];
    positions[offset[1] + (first + in_run) * lines.step[1]] = first + at[slot];
  }
}

// Merges pairs of runs of `width` elements in each line: operands values, positions out, values, positions in.
template <class T>
__global__ void __launch_bounds__(kMergeThreads)
    merge_kernel(Lines<4> lines, int64_t width, bool descending, T* values, int64_t* positions, const T* from,
                 const int64_t* from_at) {
  const int64_t count = lines.count[2], tiles = (count + kTile - 1) / kTile;
  const int64_t line = blockIdx.x / tiles;
  int64_t offset[4];
  lines.starts.offsets_of(line, offset);
  from += offset[2], from_at += offset[3];
  const auto item = [&](int64_t i) { return Item<T>{from[i * lines.step[2]], from_at[i * lines.step[3]]}; };

  int64_t out = blockIdx.x % tiles * kTile + threadIdx.x * kPerThread;
  const int64_t end = out + kPerThread < lines.count[0] ? out + kPerThread : lines.count[0];
  if (out >= end) return;
  const int64_t a_first = out / (2 * width) * (2 * width);
  const int64_t b_first = a_first + width < count ? a_first + width : count;
  const int64_t b_end = b_first + width < count ? b_first + width : count;
  // Of the first `diagonal` elements of the merged pair, `a` come of the first run: the fewest such that
  // the next one of it does not stand before the last one taken of the second.
  const int64_t diagonal = out - a_first, a_count = b_first - a_first, b_count = b_end - b_first;
  int64_t a = diagonal > b_count ? diagonal - b_count : 0, a_most = diagonal < a_count ? diagonal : a_count;
  while (a < a_most) {
    const int64_t middle = (a + a_most) / 2;
    if (sorts_before(item(a_first + middle), item(b_first + diagonal - 1 - middle), descending)) {
      a = middle + 1;
    } else {
      a_most = middle;
    }
  }
  int64_t b = diagonal - a;
  for (; out < end; ++out) {
    const bool take_a =
        b >= b_count || (a < a_count && sorts_before(item(a_first + a), item(b_first + b), descending));
    const Item<T> next = take_a ? item(a_first + a++) : item(b_first + b++);
    values[offset[0] + out * lines.step[0]] = next.value;
    positions[offset[1] + out * lines.step[1]] = next.at;
  }
}

// Operands `to` and `from` of merge_kernel: those of the result or of the dense scratch, line after line.
Lines<4> merge_lines(const Lines<3>& lines, bool to_result) {
  const int64_t count = lines.count[2];
  Lines<4> merged;
  merged.starts.rank = lines.starts.rank;
  merged.starts.numel = lines.starts.numel;
  int64_t dense = count;
  for (int i = lines.starts.rank - 1; i >= 0; --i) {
    merged.starts.extent[i] = lines.starts.extent[i];
    for (int k = 0; k < 4; ++k)
      merged.starts.stride[k][i] = to_result && k < 2 ? lines.starts.stride[k][i] : dense;
    dense *= lines.starts.extent[i];
  }
  for (int k = 0; k < 4; ++k) {
    merged.count[k] = to_result && k < 2 ? lines.count[k] : count;
    merged.step[k] = to_result && k < 2 ? lines.step[k] : 1;
  }
  return merged;
}

template <class T>
void sort_short(const Lines<3>& lines, int width, bool descending, T* values, int64_t* positions,
                const T* x) {
  const int slots = std::max(width, kSmallTile);
  const int64_t runs = lines.starts.numel * ceil_div(lines.count[2], width);
  launch("sort_tile", sort_tile_kernel<T>, {grid("sort", ceil_div(runs, slots / width))},
         {static_cast<unsigned>(slots / 2)}, 0, lines, width, descending, values, positions, x);
}

template <class T>
void sort_long(const Lines<3>& lines, bool descending, T* values, int64_t* positions, const T* x) {
  const int64_t count = lines.count[2], total = lines.starts.numel * count;
  const Scratch values_a(static_cast<size_t>(total) * sizeof(T)),
      values_b(static_cast<size_t>(total) * sizeof(T));
  const Scratch at_a(static_cast<size_t>(total) * sizeof(int64_t)),
      at_b(static_cast<size_t>(total) * sizeof(int64_t));
  T *from = values_a.as<T>(), *to = values_b.as<T>();
  int64_t *from_at = at_a.as<int64_t>(), *to_at = at_b.as<int64_t>();

  const Lines<4> between = merge_lines(lines, false), last = merge_lines(lines, true);
  Lines<3> first = lines;
  for (int k = 0; k < 2; ++k) {
    std::copy_n(between.starts.stride[k], lines.starts.rank, first.starts.stride[k]);
    first.count[k] = count;
    first.step[k] = 1;
  }
  sort_short(first, kTile, descending, from, from_at, x);
  const unsigned blocks = grid("sort", lines.starts.numel * ceil_div(count, kTile));
  for (int64_t width = kTile; width < count; width *= 2) {
    const bool is_last = 2 * width >= count;
    launch("sort_merge", merge_kernel<T>, {blocks}, {kMergeThreads}, 0, is_last ? last : between, width,
           descending, is_last ? values : to, is_last ? positions : to_at, from, from_at);
    std::swap(from, to);
    std::swap(from_at, to_at);
  }
}

// ---- cumsum -----------------------------------------------------------------------------------------

constexpr int64_t kScanPerThread = 8, kScanTile = kScanThreads * kScanPerThread;
constexpr int64_t kManyLines = 4096;
constexpr int64_t kShortLine = 16;

template <class T>
using Sum = reducer::Sum::Acc<T>;

// The running sums of a line by one thread.
template <class T>
struct LineBody {
  int64_t count, step[2];
  bool reverse;
  T* y;
  const T* x;
  TENON_HD void operator()(const int64_t (&offset)[2]) const {
    Sum<T> sum = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t i = reverse ? count - 1 - k : k;
      sum += static_cast<Sum<T>>(x[offset[1] + i * step[1]]);
      y[offset[0] + i * step[0]] = static_cast<T>(sum);
    }
  }
};

// Tile blockIdx.x % tiles of line blockIdx.x / tiles. With sums[line, tile] given in `before`, writes the
// running sums; else writes the sum of the tile to `tile_sums`, or, where a line has one tile, the running sums.
template <class T>
__global__ void __launch_bounds__(kScanThreads)
    scan_tile_kernel(Lines<2> lines, int64_t tiles, bool reverse, T* y, const T* x, Sum<T>* tile_sums,
                     const Sum<T>* before) {
  TENON_SHARED(Sum<T>, part, kScanThreads);
  const int64_t count = lines.count[0];
  int64_t offset[2];
  lines.starts.offsets_of(blockIdx.x / tiles, offset);
  const int64_t first = blockIdx.x % tiles * kScanTile + threadIdx.x * kScanPerThread;
  const auto index = [&](int64_t k) { return reverse ? count - 1 - k : k; };
  Sum<T> running[kScanPerThread], sum = 0;
  TENON_UNROLL
  for (int64_t k = 0; k < kScanPerThread; ++k) {
    if (first + k < count) sum += static_cast<Sum<T>>(x[offset[1] + index(first + k) * lines.step[1]]);
    running[k] = sum;
  }
  Sum<T> total;
  Sum<T> start = block_scan(sum, part, total);
  if (tile_sums != nullptr) {
    if (threadIdx.x == 0) tile_sums[blockIdx.x] = total;
    return;
  }
  if (before != nullptr) start += before[blockIdx.x];
  TENON_UNROLL
  for (int64_t k = 0; k < kScanPerThread; ++k)
    if (first + k < count)
      y[offset[0] + index(first + k) * lines.step[0]] = static_cast<T>(start + running[k]);
}

template <class T>
void run_cumsum(const Lines<2>& lines, bool reverse, T* y, const T* x) {
  const int64_t count = lines.count[0], number = lines.starts.numel;
  if (count <= kShortLine || (lines.step[1] != 1 && number >= kManyLines))
    return launch_loop("cumsum", lines.starts,
                       LineBody<T>{count, {lines.step[0], lines.step[1]}, reverse, y, x});
  const int64_t tiles = ceil_div(count, kScanTile);
  const unsigned blocks = grid("cumsum", number * tiles);
  const auto scan = [&](Sum<T>* tile_sums, const Sum<T>* before) {
    launch("cumsum_tile", scan_tile_kernel<T>, {blocks}, {kScanThreads}, 0, lines, tiles, reverse, y, x,
           tile_sums, before);
  };
  if (tiles == 1) return scan(nullptr, nullptr);
  const Scratch sums(static_cast<size_t>(number * tiles) * sizeof(Sum<T>));
  scan(sums.as<Sum<T>>(), nullptr);
  launch("cumsum_scan", scan_rows_kernel<Sum<T>>, {grid("cumsum", number)}, {kScanThreads}, 0,
         sums.as<Sum<T>>(), tiles, nullptr);
  scan(nullptr, sums.as<Sum<T>>());
}

}  // namespace

void sort(const Lines<3>& lines, bool descending, DType dtype, void* values, int64_t* indices,
          const void* x) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T* const to = static_cast<T*>(values);
    const T* const from = static_cast<const T*>(x);
    if (lines.count[2] > kTile) return sort_long(lines, descending, to, indices, from);
    int width = 1;
    while (width < lines.count[2]) width *= 2;
    sort_short(lines, width, descending, to, indices, from);
  });
}

void cumsum(const Lines<2>& lines, bool reverse, DType dtype, void* y, const void* x) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    run_cumsum(lines, reverse, static_cast<T*>(y), static_cast<const T*>(x));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(sort)
TENON_CUDA_ENTRY(argsort)
TENON_CUDA_ENTRY(topk)
TENON_CUDA_ENTRY(cumsum)
