// gather, scatter_add, index_add, nonzero. Every element of a result is summed by one thread in the order of
// the indices, so that there are no atomics and the bits never depend on the number of threads.
#include "core/cpu/index.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/cpu/walk.h"

namespace tenon::cpu {
namespace {

template <class T>
using Sum = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;

// Where the items of each row stand: those of row r are items[starts[r]] ... items[starts[r + 1]], ascending.
struct Buckets {
  std::vector<int64_t> starts, items;
};

Buckets counting_sort(const int64_t* index, int64_t count, int64_t extent) {
  Buckets b;
  b.starts.assign(static_cast<size_t>(extent) + 1, 0);
  b.items.resize(static_cast<size_t>(count));
  int64_t* starts = b.starts.data();
  for (int64_t i = 0; i < count; ++i) ++starts[index[i] + 1];
  for (int64_t r = 0; r < extent; ++r) starts[r + 1] += starts[r];
  std::vector<int64_t> next(b.starts.begin(), b.starts.end() - 1);
  for (int64_t i = 0; i < count; ++i) b.items[static_cast<size_t>(next[static_cast<size_t>(index[i])]++)] = i;
  return b;
}

// n neighbours of one row: y[l] = sum over the row's items of source[item * step + l]
template <class T>
void add_row(const int64_t* first, const int64_t* last, int64_t step, int64_t n, T* y, int64_t sy,
             const T* source, int64_t ss) {
  constexpr int64_t kStrip = 64;
  for (int64_t from = 0; from < n; from += kStrip) {
    const int64_t width = std::min(kStrip, n - from);
    Sum<T> acc[kStrip] = {};
    for (const int64_t* item = first; item != last; ++item) {
      const T* p = source + *item * step + from * ss;
      if (ss == 1) {
        for (int64_t l = 0; l < width; ++l) acc[l] += static_cast<Sum<T>>(p[l]);
      } else {
        for (int64_t l = 0; l < width; ++l) acc[l] += static_cast<Sum<T>>(p[l * ss]);
      }
    }
    for (int64_t l = 0; l < width; ++l) y[(from + l) * sy] = static_cast<T>(acc[l]);
  }
}

}  // namespace

int64_t first_outside(const Loop<1>& loop, int64_t extent, const int64_t* index) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> lowest = kNone;
  const int64_t step = loop.stride[0][loop.rank - 1];
  walk(loop, grain_for_bytes(sizeof(int64_t)), [&](const int64_t(&offset)[1], int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = offset[0] + i * step;
      if (index[at] >= 0 && index[at] < extent) continue;
      int64_t before = lowest;
      while (at < before && !lowest.compare_exchange_weak(before, at)) {
      }
    }
  });
  return lowest == kNone ? -1 : lowest.load();
}

void gather(const Loop<3>& loop, int64_t step, DType dtype, void* y, const int64_t* index, const void* x) {
  const int inner = loop.rank - 1;
  const int64_t sy = loop.stride[0][inner], si = loop.stride[1][inner], sx = loop.stride[2][inner];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    walk(loop, grain_for_bytes(2 * sizeof(T) + sizeof(int64_t)), [&](const int64_t(&offset)[3], int64_t n) {
      T* to = static_cast<T*>(y) + offset[0];
      const int64_t* at = index + offset[1];
      const T* from = static_cast<const T*>(x) + offset[2];
      if (si == 0 && sy == 1 && sx == 1) {  // whole rows, as in an embedding
        std::copy_n(from + *at * step, n, to);
      } else {
        for (int64_t i = 0; i < n; ++i) to[i * sy] = from[i * sx + at[i * si] * step];
      }
    });
  });
}

void scatter_add(const Lines<3>& lines, DType dtype, void* y, const int64_t* index, const void* source) {
  const int inner = lines.starts.rank - 1;
  const int64_t extent = lines.count[0], count = lines.count[1];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    const int64_t bytes = (extent + count) * int64_t{sizeof(T)} + count * int64_t{sizeof(int64_t)};
    walk(lines.starts, grain_for_bytes(bytes), [&](const int64_t(&offset)[3], int64_t n) {
      std::vector<Sum<T>> sums(static_cast<size_t>(extent));
      for (int64_t line = 0; line < n; ++line) {
        T* to = static_cast<T*>(y) + offset[0] + line * lines.starts.stride[0][inner];
        const int64_t* at = index + offset[1] + line * lines.starts.stride[1][inner];
        const T* from = static_cast<const T*>(source) + offset[2] + line * lines.starts.stride[2][inner];
        std::fill(sums.begin(), sums.end(), Sum<T>(0));
        for (int64_t i = 0; i < count; ++i)
          sums[static_cast<size_t>(at[i * lines.step[1]])] += static_cast<Sum<T>>(from[i * lines.step[2]]);
        for (int64_t r = 0; r < extent; ++r)
          to[r * lines.step[0]] = static_cast<T>(sums[static_cast<size_t>(r)]);
      }
    });
  });
}

void index_add(const Loop<3>& loop, int64_t step, const int64_t* index, int64_t count, int64_t extent,
               DType dtype, void* y, const int64_t* rows, const void* source) {
  if (loop.numel == 0) return;
  const Buckets buckets = counting_sort(index, count, extent);
  const int inner = loop.rank - 1;
  const int64_t sy = loop.stride[0][inner], sr = loop.stride[1][inner], ss = loop.stride[2][inner];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    const int64_t bytes = (1 + count / extent) * int64_t{sizeof(T)};
    walk(loop, grain_for_bytes(bytes), [&](const int64_t(&offset)[3], int64_t n) {
      T* to = static_cast<T*>(y) + offset[0];
      const int64_t* row = rows + offset[1];
      const T* from = static_cast<const T*>(source) + offset[2];
      const int64_t* items = buckets.items.data();
      const int64_t run = sr == 0 ? n : 1;  // neighbours of one row
      for (int64_t i = 0; i < n; i += run) {
        const int64_t* start = buckets.starts.data() + row[i * sr];
        add_row(items + start[0], items + start[1], step, run, to + i * sy, sy, from + i * ss, ss);
      }
    });
  });
}

namespace {

constexpr int64_t kChunksATime = 8;  // of kNonzeroChunk elements

// Calls run(chunk, first, last) for all chunks of n elements.
template <class Run>
void for_each_chunk(int64_t n, Run&& run) {
  const Grain grain(kChunksATime, grain_for_bytes(kNonzeroChunk * 16).alone);
  parallel_for((n + kNonzeroChunk - 1) / kNonzeroChunk, grain, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) run(c, c * kNonzeroChunk, std::min(n, (c + 1) * kNonzeroChunk));
  });
}

}  // namespace

int64_t nonzero_starts(int64_t n, DType dtype, const void* x, int64_t* starts) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* p = static_cast<const T*>(x);
    for_each_chunk(n, [&](int64_t chunk, int64_t first, int64_t last) {
      int64_t count = 0;
      for (int64_t i = first; i < last; ++i) count += p[i] != T(0);
      starts[chunk] = count;
    });
  });
  int64_t total = 0;
  for (int64_t c = 0; c * kNonzeroChunk < n; ++c) total += std::exchange(starts[c], total);
  return total;
}

void nonzero(int64_t n, DType dtype, const void* x, const int64_t* starts, int64_t* positions) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* p = static_cast<const T*>(x);
    for_each_chunk(n, [&](int64_t chunk, int64_t first, int64_t last) {
      int64_t* to = positions + starts[chunk];
      for (int64_t i = first; i < last; ++i)
        if (p[i] != T(0)) *to++ = i;
    });
  });
}

}  // namespace tenon::cpu
