// Reductions. Three layouts, chosen by shape and strides alone:
//   columns  results lie side by side in x (bias gradients): a strip of 64 results is summed down the rows
//   rows     many results: each is reduced alone, results in parallel
//   single   few results of many items: each is cut into chunks, whose partial results join in order
#include "core/cpu/reduce.h"

#include <algorithm>

#include "core/cpu/walk.h"
#include "core/pool.h"
#include "core/reducers.h"

namespace tenon::cpu {
namespace {

using namespace reducer;  // Sum, Max, ... and finish

// n items at a constant step. 32 lanes keep the adders busy and give the compiler its SIMD width; the lanes
// join in a fixed order.
template <class Op, class A, class T>
A reduce_run(A acc, const T* x, int64_t n, int64_t step) {
  constexpr int kLanes = 32;
  int64_t i = 0;
  if (step == 1 && n >= kLanes) {
    A lane[kLanes];
    for (A& a : lane) a = Op::template first<A, T>();
    for (; i + kLanes <= n; i += kLanes)
      for (int l = 0; l < kLanes; ++l) lane[l] = Op::template step<A, T>(lane[l], x[i + l]);
    for (int width = kLanes / 2; width > 0; width /= 2)
      for (int l = 0; l < width; ++l) lane[l] = Op::template join<A>(lane[l], lane[l + width]);
    acc = Op::template join<A>(acc, lane[0]);
  }
  for (; i < n; ++i) acc = Op::template step<A, T>(acc, x[i * step]);
  return acc;
}

// Items [begin, end) of the reduced loop, starting from x.
template <class Op, class A, class T>
A reduce_part(const Loop<1>& reduced, const T* x, int64_t begin, int64_t end) {
  const int inner = reduced.rank - 1;
  const int64_t extent = reduced.extent[inner];
  A acc = Op::template first<A, T>();
  while (begin < end) {
    int64_t offset[1];
    reduced.offsets_of(begin, offset);
    int64_t n = std::min(end - begin, extent - begin % extent);
    acc = reduce_run<Op, A, T>(acc, x + offset[0], n, reduced.stride[0][inner]);
    begin += n;
  }
  return acc;
}

template <class Op, class T>
void reduce_columns(const ReduceLoop& loop, T* y, const T* x, double scale) {
  using A = typename Op::template Acc<T>;
  constexpr int64_t kStrip = 64;
  const int inner = loop.kept.rank - 1;
  const int64_t width = loop.kept.extent[inner];
  const int64_t strips = (width + kStrip - 1) / kStrip;
  const int64_t rows = loop.kept.numel / width;
  const int64_t sy = loop.kept.stride[0][inner];
  parallel_for(rows * strips, grain_for_bytes(loop.reduced.numel * kStrip * int64_t{sizeof(T)}),
               [&](int64_t begin, int64_t end) {
                 for (int64_t job = begin; job < end; ++job) {
                   int64_t column = job % strips * kStrip;
                   int64_t n = std::min(kStrip, width - column);
                   int64_t offset[2];
                   loop.kept.offsets_of(job / strips * width + column, offset);
                   A acc[kStrip];
                   for (A& a : acc) a = Op::template first<A, T>();
                   for (int64_t r = 0; r < loop.reduced.numel; ++r) {
                     int64_t row[1];
                     loop.reduced.offsets_of(r, row);
                     const T* p = x + offset[1] + row[0];
                     for (int64_t l = 0; l < n; ++l) acc[l] = Op::template step<A, T>(acc[l], p[l]);
                   }
                   for (int64_t l = 0; l < n; ++l) y[offset[0] + l * sy] = finish<T>(acc[l], scale);
                 }
               });
}

template <class Op, class T>
void reduce_rows(const ReduceLoop& loop, T* y, const T* x, double scale) {
  using A = typename Op::template Acc<T>;
  const int64_t count = loop.reduced.numel;
  constexpr int64_t kChunk = 1 << 16;
  if (count > kChunk && loop.kept.numel < 64) {
    const int64_t chunks = (count + kChunk - 1) / kChunk;
    const Grain grain(kChunk, grain_for_bytes(sizeof(T)).alone);
    PoolVector<A> partial(static_cast<size_t>(chunks));
    for (int64_t i = 0; i < loop.kept.numel; ++i) {
      int64_t offset[2];
      loop.kept.offsets_of(i, offset);
      parallel_for(count, grain, [&](int64_t begin, int64_t end) {
        for (int64_t from = begin; from < end; from += kChunk)
          partial[static_cast<size_t>(from / kChunk)] =
              reduce_part<Op, A, T>(loop.reduced, x + offset[1], from, std::min(end, from + kChunk));
      });
      A acc = Op::template first<A, T>();
      for (A part : partial) acc = Op::template join<A>(acc, part);
      y[offset[0]] = finish<T>(acc, scale);
    }
    return;
  }
  parallel_for(loop.kept.numel, grain_for_bytes(std::max<int64_t>(count, 1) * int64_t{sizeof(T)}),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   int64_t offset[2];
                   loop.kept.offsets_of(i, offset);
                   y[offset[0]] =
                       finish<T>(reduce_part<Op, A, T>(loop.reduced, x + offset[1], 0, count), scale);
                 }
               });
}

template <class Op, class T>
void reduce_typed(const ReduceLoop& loop, T* y, const T* x, double scale) {
  const int kept = loop.kept.rank - 1;
  const int reduced = loop.reduced.rank - 1;
  bool columns = loop.kept.extent[kept] > 1 && loop.kept.stride[1][kept] == 1 && loop.reduced.numel > 1 &&
                 loop.reduced.stride[0][reduced] != 1;
  if (columns) {
    reduce_columns<Op, T>(loop, y, x, scale);
  } else {
    reduce_rows<Op, T>(loop, y, x, scale);
  }
}

template <class T>
void extreme_with_index(bool want_max, const ReduceLoop& loop, T* y, int64_t* indices, const T* x) {
  const int64_t count = loop.reduced.numel;
  const int64_t step = loop.reduced.stride[0][0];
  parallel_for(loop.kept.numel, grain_for_bytes(count * int64_t{sizeof(T)}), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t offset[2];
      loop.kept.offsets_of(i, offset);
      const T* p = x + offset[1];
      T best = p[0];
      int64_t at = 0;
      for (int64_t k = 1; k < count && best == best; ++k) {
        T v = p[k * step];
        if (v != v || (want_max ? v > best : v < best)) best = v, at = k;
      }
      y[offset[0]] = best;
      indices[offset[0]] = at;
    }
  });
}

}  // namespace

void reduce(Reduce op, const ReduceLoop& loop, DType dtype, void* y, const void* x, double scale) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T* py = static_cast<T*>(y);
    const T* px = static_cast<const T*>(x);
    switch (op) {
      case Reduce::sum:
        return reduce_typed<Sum, T>(loop, py, px, scale);
      case Reduce::sum_of_abs:
        return reduce_typed<SumOfAbs, T>(loop, py, px, scale);
      case Reduce::sum_of_squares:
        return reduce_typed<SumOfSquares, T>(loop, py, px, scale);
      case Reduce::max:
        return reduce_typed<Max, T>(loop, py, px, 1);
      case Reduce::min:
        return reduce_typed<Min, T>(loop, py, px, 1);
    }
  });
}

void reduce_with_index(Reduce op, const ReduceLoop& loop, DType dtype, void* y, int64_t* indices,
                       const void* x) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    extreme_with_index<T>(op == Reduce::max, loop, static_cast<T*>(y), indices, static_cast<const T*>(x));
  });
}

}  // namespace tenon::cpu
