// sort (with argsort and topk) and cumsum, along lines.
//
// sort. The order is total (core/cpu/index.h), so a sorting network gives what a stable sort would. A block
// sorts a tile in shared memory by a bitonic network, a thread a pair: a line of at most 2048 elements, padded
// to a power of two, or several short lines side by side. There are up to 66 steps of the network, each 2 reads and
// 2 writes of shared memory a pair; they bound a tile.
//
// Longer lines go by radix. Each number becomes an unsigned key of the same order (core/cpu/sort.h) beside its position,
// and a pass for each byte of the keys, from the lowest, moves them to 256 places and keeps the order among equals: blocks
// count the bytes of their chunk of a line; sums over chunks and places tell where each chunk's keys of a byte begin; and
// the blocks move their keys, 256 at a time, whose ranks among equals come of ballots. A pass reads the keys twice and
// writes keys and positions once: 20 bytes an element in float32, 0.1 GB for 2^20 of them in 4 passes and with the two
// kernels around, some 30 us of memory; the 18 launches take longer, and 2^24 take 0.5 ms. The result's numbers are read from x by
// their positions. topk sorts the whole line. An H200 takes 180 us for 2^20: 90 were predicted; merge passes took
// 466, PyTorch takes 108.
//
// cumsum. A block scans a tile of 2048 elements, a thread 8 neighbours. Lines of several tiles take three
// launches: the sums of the tiles, the running sums of these, and the scan of each tile from there. Bound:
// memory; a float32 element moves 8 bytes, 12 in long lines. Many lines that lie side by side, or very short
// ones, are summed by a thread a line, as on the host. Which way is taken depends on sizes and strides alone.
#include <algorithm>
#include <bit>
#include <type_traits>

#include "core/cpu/sort.h"
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

// ---- long lines, by radix: keys and positions lie dense, line after line -------------------------------

constexpr int kPlaces = 256;           // that a byte tells apart; also the threads of a block
constexpr int64_t kLeastChunk = 2048;  // of a line, for one block
constexpr int64_t kMostChunks = 512;   // of a line

template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T>
struct KeysBody {
  Lines<3> lines;
  bool descending;
  KeyOf<T>* key;
  uint32_t* position;
  const T* x;
  TENON_HD void operator()(const int64_t (&at)[1]) const {
    const int64_t i = at[0] % lines.count[2];
    int64_t offset[3];
    lines.starts.offsets_of(at[0] / lines.count[2], offset);
    key[at[0]] = cpu::order_key<KeyOf<T>>(x[offset[2] + i * lines.step[2]], descending);
    position[at[0]] = static_cast<uint32_t>(i);
  }
};

template <class T>
struct SortedBody {
  Lines<3> lines;
  T* values;
  int64_t* positions;
  const T* x;
  const uint32_t* position;
  TENON_HD void operator()(const int64_t (&at)[1]) const {
    const int64_t line = at[0] / lines.count[0], i = at[0] % lines.count[0];
    int64_t offset[3];
    lines.starts.offsets_of(line, offset);
    const int64_t from = position[line * lines.count[2] + i];
    values[offset[0] + i * lines.step[0]] = x[offset[2] + from * lines.step[2]];
    positions[offset[1] + i * lines.step[1]] = from;
  }
};

// How the lines are cut: block b takes chunk b % chunks of line b / chunks.
struct Chunks {
  int64_t count, length, chunks;
  __device__ int64_t begin() const { return blockIdx.x % chunks * length; }
  __device__ int64_t end() const { return begin() + length < count ? begin() + length : count; }
  __device__ int64_t line() const { return blockIdx.x / chunks; }
  // Where the number of a place's keys in this block's chunk stands: [line][place][chunk].
  __device__ int64_t slot(int place) const {
    return (line() * kPlaces + place) * chunks + blockIdx.x % chunks;
  }
};

// counts: how many keys of each chunk have each byte.
template <class Key>
__global__ void __launch_bounds__(kPlaces)
    radix_count_kernel(Chunks c, int shift, const Key* __restrict__ keys, int32_t* counts) {
  TENON_SHARED(int, found, kPlaces);
  const int thread = static_cast<int>(threadIdx.x);
  found[thread] = 0;
  __syncthreads();
  keys += c.line() * c.count;
  for (int64_t i = c.begin() + thread; i < c.end(); i += kPlaces)
    atomicAdd(&found[keys[i] >> shift & (kPlaces - 1)], 1);
  __syncthreads();
  counts[c.slot(thread)] = found[thread];
}

// Moves each key of a chunk behind those of a lower byte, and behind those of its own byte before it. `before` is
// `counts` summed up over the chunks of a place, `starts` [line][place] over the places.
template <class Key>
__global__ void __launch_bounds__(kPlaces)
    radix_move_kernel(Chunks c, int shift, const Key* __restrict__ keys,
                      const uint32_t* __restrict__ positions, Key* to_keys, uint32_t* to_positions,
                      const int32_t* before, const int32_t* starts) {
  constexpr int kWarps = kPlaces / 32;
  constexpr unsigned kAll = 0xffffffffu;
  TENON_SHARED(int, next, kPlaces);             // where the next key of a byte goes
  TENON_SHARED(int, of_warp, kWarps* kPlaces);  // keys of a byte among those that a warp holds
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  next[thread] = starts[c.line() * kPlaces + thread] + before[c.slot(thread)];
  const int64_t line = c.line() * c.count;
  for (int64_t first = c.begin(); first < c.end(); first += kPlaces) {
    for (int w = 0; w < kWarps; ++w) of_warp[w * kPlaces + thread] = 0;
    __syncthreads();
    const int64_t i = first + thread;
    const bool exists = i < c.end();
    const Key key = exists ? keys[line + i] : Key{0};
    const int place = static_cast<int>(key >> shift & (kPlaces - 1));
    unsigned alike = __ballot_sync(kAll, exists);  // the lanes that hold the same byte
    for (int bit = 1; bit < kPlaces; bit *= 2) {
      const unsigned set = __ballot_sync(kAll, (place & bit) != 0);
      alike &= (place & bit) != 0 ? set : ~set;
    }
    const int rank = std::popcount(alike & ((1u << lane) - 1));
    if (exists && rank == 0) of_warp[warp * kPlaces + place] = std::popcount(alike);
    __syncthreads();
    if (exists) {
      int to = next[place] + rank;
      for (int w = 0; w < warp; ++w) to += of_warp[w * kPlaces + place];
      to_keys[line + to] = key;
      to_positions[line + to] = positions[line + i];
    }
    __syncthreads();
    for (int w = 0; w < kWarps; ++w) next[thread] += of_warp[w * kPlaces + thread];
  }
}

template <class T>
void sort_short(const Lines<3>& lines, int width, bool descending, T* values, int64_t* positions,
                const T* x) {
  const int slots = std::max(width, kSmallTile);
  const int64_t runs = lines.starts.numel * ceil_div(lines.count[2], width);
  launch("sort_tile", sort_tile_kernel<T>, {grid("sort", ceil_div(runs, slots / width))},
         {static_cast<unsigned>(slots / 2)}, 0, lines, width, descending, values, positions, x);
}

// By the lowest `bytes` of the keys.
template <class T>
void sort_long(const Lines<3>& lines, bool descending, int bytes, T* values, int64_t* positions, const T* x) {
  using Key = KeyOf<T>;
  const int64_t count = lines.count[2], number = lines.starts.numel, total = number * count;
  TENON_CHECK(count <= 0x7fffffff, "sort: the CUDA kernel expects lines of less than 2^31, got ", count);
  Chunks c{count, 0, std::min(kMostChunks, ceil_div(count, kLeastChunk))};
  c.length = ceil_div(count, c.chunks * kPlaces) * kPlaces;
  c.chunks = ceil_div(count, c.length);
  const auto memory = [](int64_t n, size_t size) { return Scratch(static_cast<size_t>(n) * size); };
  const Scratch keys_a = memory(total, sizeof(Key)), keys_b = memory(total, sizeof(Key));
  const Scratch at_a = memory(total, 4), at_b = memory(total, 4);
  const Scratch counts = memory(number * kPlaces * c.chunks, 4), starts = memory(number * kPlaces, 4);
  Key *keys = keys_a.as<Key>(), *to_keys = keys_b.as<Key>();
  uint32_t *at = at_a.as<uint32_t>(), *to_at = at_b.as<uint32_t>();
  launch_loop("sort_keys", count_to(total), KeysBody<T>{lines, descending, keys, at, x});
  const unsigned blocks = grid("sort", number * c.chunks), rows = grid("sort", number * kPlaces);
  for (int shift = 0; shift < 8 * bytes; shift += 8) {
    launch("sort_count", radix_count_kernel<Key>, {blocks}, {kPlaces}, 0, c, shift, keys,
           counts.as<int32_t>());
    launch("sort_scan", scan_rows_kernel<int32_t>, {rows}, {kScanThreads}, 0, counts.as<int32_t>(), c.chunks,
           starts.as<int32_t>());
    launch("sort_scan", scan_rows_kernel<int32_t>, {grid("sort", number)}, {kScanThreads}, 0,
           starts.as<int32_t>(), int64_t{kPlaces}, nullptr);
    launch("sort_move", radix_move_kernel<Key>, {blocks}, {kPlaces}, 0, c, shift, keys, at, to_keys, to_at,
           counts.as<const int32_t>(), starts.as<const int32_t>());
    std::swap(keys, to_keys);
    std::swap(at, to_at);
  }
  launch_loop("sort_result", count_to(number * lines.count[0]),
              SortedBody<T>{lines, values, positions, x, at});
}

template <class T>
void run_sort(const Lines<3>& lines, bool descending, int bytes, T* values, int64_t* positions, const T* x) {
  if (lines.count[2] > kTile) return sort_long(lines, descending, bytes, values, positions, x);
  int width = 1;
  while (width < lines.count[2]) width *= 2;
  sort_short(lines, width, descending, values, positions, x);
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
    run_sort(lines, descending, static_cast<int>(sizeof(T)), static_cast<T*>(values), indices,
             static_cast<const T*>(x));
  });
}

void sort_indices(const Lines<3>& lines, int64_t extent, int64_t* sorted, int64_t* items,
                  const int64_t* index) {
  const int bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(extent)));
  run_sort(lines, false, (bits + 7) / 8, sorted, items, index);
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
