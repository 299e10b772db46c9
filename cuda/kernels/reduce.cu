// Reductions. A block of 256 threads works on a few neighbouring results (threadIdx.x) and cuts the items of
// each among its reducers (threadIdx.y): reducer r takes items r, r + R, r + 2R, ... in order, and the R
// partial results join in a tree in shared memory. Too few blocks to fill a card, and the items are cut into
// chunks first, a block each; a second kernel joins the chunks, a team a result. Every cut depends on sizes and
// strides alone, so a sum has the same bits at every run and on every card; it differs from the host's, which
// cuts otherwise, within the rounding of the accumulator.
//
// Bound: memory, 4 bytes read for each float32 item (1 double add): 22 us for 2^24 items at 3.0 TB/s. A
// memory of 4 TB/s answers after some 0.7 us, so about 3 MB must be under way at any time: each thread asks for
// eight float32 items before it adds the first, which makes 4 MB with four blocks on each of 132 multiprocessors. (Where
// reduced axes do not merge, divisions find each item's place.) Where results lie side by side
// in x, 32 or more of them share a block, so that a warp reads whole lines; where items do, a warp reads along
// the items, and chunks begin at lines.
#include <algorithm>

#include "core/ops/contract.h"
#include "core/reducers.h"
#include "cuda/kernels/reduce.h"
#include "cuda/kernels/team.h"
#include "cuda/runtime/kernel.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kItemsPerReducer = 8;  // at least, before another reducer is put to work
constexpr int64_t kItemsInChunk = 32;    // of a reducer, at least, before items are cut into chunks
constexpr int64_t kBlocksWanted = 528;   // four for each multiprocessor of a large card

// Items that a thread reads before it adds the first of them: 32 bytes, or four.
template <class T>
constexpr int kAhead = std::is_same_v<T, float> ? 8 : 4;

// Items that lie `stride` apart. The pointer moves on, so that no item costs a product of 64 bits.
template <class T>
struct Apart {
  const T* x;
  int64_t stride;
  __device__ T operator()(int k) const { return x[k * stride]; }
  __device__ void pass(int count) { x += count * stride; }
};

// Items that `place` finds by their number.
template <class T, class Place>
struct Placed {
  const T* x;
  Place place;
  int64_t at;
  __device__ T operator()(int k) const { return x[place(at + k)]; }
  __device__ void pass(int count) { at += count; }
};

// acc and then `count` items, in order.
template <class Op, class T, class A, class Items>
__device__ A add_items(A acc, Items items, int64_t count) {
  TENON_ROLLED for (; count >= kAhead<T>; count -= kAhead<T>, items.pass(kAhead<T>)) {
    T item[kAhead<T>];
    TENON_UNROLL for (int k = 0; k < kAhead<T>; ++k) item[k] = items(k);
    TENON_UNROLL for (int k = 0; k < kAhead<T>; ++k) acc = Op::template step<A, T>(acc, item[k]);
  }
  TENON_ROLLED for (; count > 0; --count, items.pass(1)) acc = Op::template step<A, T>(acc, items(0));
  return acc;
}

// One chunk of each result, chunk number blockIdx.y. Writes y if there is one chunk only, else `partial`.
// kMerged: the reduced axes merge into one.
template <class Op, bool kMerged, class T, class A>
__global__ void __launch_bounds__(kThreads)
    reduce_kernel(ReduceLoop loop, T* y, A* partial, const T* __restrict__ x, double scale, int64_t chunk) {
  TENON_SHARED(A, part, kThreads);
  const int64_t result = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const bool exists = result < loop.kept.numel;
  const int64_t begin = blockIdx.y * chunk;
  const int64_t end = begin + chunk < loop.reduced.numel ? begin + chunk : loop.reduced.numel;
  int64_t offset[2] = {0, 0};
  A acc = Op::template first<A, T>();
  if (exists) {
    loop.kept.offsets_of(result, offset);
    const int64_t mine = begin + threadIdx.y, step = blockDim.y, count = (end - mine + step - 1) / step;
    if constexpr (kMerged) {
      const int64_t stride = loop.reduced.stride[0][0];
      acc = add_items<Op, T>(acc, Apart<T>{x + offset[1] + mine * stride, step * stride}, count);
    } else {
      const auto place = [&](int64_t i) {
        int64_t item[1];
        loop.reduced.offsets_of(mine + i * step, item);
        return item[0];
      };
      acc = add_items<Op, T>(acc, Placed<T, decltype(place)>{x + offset[1], place, 0}, count);
    }
  }
  const unsigned slot = threadIdx.y * blockDim.x + threadIdx.x;
  part[slot] = acc;
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y < half) part[slot] = Op::template join<A>(part[slot], part[slot + half * blockDim.x]);
  }
  if (!exists || threadIdx.y != 0) return;
  if (gridDim.y == 1) {
    y[offset[0]] = reducer::finish<T>(part[slot], scale);
  } else {
    partial[result * gridDim.y + blockIdx.y] = part[slot];
  }
}

template <class Op, class T, class A>
__global__ void __launch_bounds__(kTeamThreads)
    join_kernel(Loop<2> kept, T* y, const A* partial, int64_t chunks, double scale) {
  const int64_t result = int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  A acc = Op::template first<A, T>();
  if (result < kept.numel)
    for (int64_t k = threadIdx.x; k < chunks; k += blockDim.x)
      acc = Op::template join<A>(acc, partial[result * chunks + k]);
  acc = across_team(acc, [](A a, A b) { return Op::template join<A>(a, b); });
  if (result >= kept.numel || threadIdx.x != 0) return;
  int64_t offset[2];
  kept.offsets_of(result, offset);
  y[offset[0]] = reducer::finish<T>(acc, scale);
}

// Results side by side (x) and reducers for each (y) in a block.
Dim3 block_shape(const ReduceLoop& loop) {
  const int kept = loop.kept.rank - 1;
  const bool columns = loop.kept.extent[kept] > 1 && loop.kept.stride[1][kept] == 1;
  const int64_t most = columns ? kThreads / 32 : kThreads;
  unsigned reducers = 1;
  while (reducers < most && reducers * kItemsPerReducer < loop.reduced.numel) reducers *= 2;
  return {kThreads / reducers, reducers, 1};
}

unsigned blocks_for(int64_t results, unsigned per_block) {
  const int64_t blocks = (results + per_block - 1) / per_block;
  TENON_CHECK(blocks <= 0x7fffffff, "reduce: ", results, " results are too many for one launch");
  return static_cast<unsigned>(blocks);
}

template <class Op, class T>
void run_reduce(const ReduceLoop& loop, T* y, const T* x, double scale) {
  using A = typename Op::template Acc<T>;
  const Dim3 block = block_shape(loop);
  const unsigned blocks = blocks_for(loop.kept.numel, block.x);
  const int64_t count = loop.reduced.numel;
  const int64_t most = std::max<int64_t>(count / (block.y * kItemsInChunk), 1);
  const int64_t chunks_wanted = std::clamp<int64_t>(kBlocksWanted / blocks, 1, most);
  const int64_t chunk = (count + chunks_wanted * 32 - 1) / (chunks_wanted * 32) * 32;
  const unsigned chunks = static_cast<unsigned>((count + chunk - 1) / chunk);
  const auto kernel = loop.reduced.rank == 1 ? reduce_kernel<Op, true, T, A> : reduce_kernel<Op, false, T, A>;
  if (chunks == 1) {
    launch("reduce", kernel, {blocks}, block, 0, loop, y, nullptr, x, scale, chunk);
    return;
  }
  const Scratch partial(static_cast<size_t>(loop.kept.numel) * chunks * sizeof(A));
  launch("reduce", kernel, {blocks, chunks}, block, 0, loop, y, partial.as<A>(), x, scale, chunk);
  const Dim3 teams = team_shape(chunks, 4);
  launch("reduce_join", join_kernel<Op, T, A>, {team_blocks("reduce", loop.kept.numel, teams)}, teams, 0,
         loop.kept, y, partial.as<A>(), chunks, scale);
}

// Does item b (value, index) come before item a as the extreme? Index -1 is no item; NaN wins, then the
// smaller index.
template <bool want_max, class T>
__device__ bool supersedes(T b, int64_t b_index, T a, int64_t a_index) {
  if (b_index < 0 || a_index < 0) return a_index < 0;
  const bool a_nan = a != a, b_nan = b != b;
  if (a_nan || b_nan) return b_nan && (!a_nan || b_index < a_index);
  if (a == b) return b_index < a_index;
  return want_max ? b > a : b < a;
}

template <bool want_max, class T>
__global__ void __launch_bounds__(kThreads)
    extreme_kernel(ReduceLoop loop, T* y, int64_t* indices, const T* x) {
  TENON_SHARED(T, values, kThreads);
  TENON_SHARED(int64_t, places, kThreads);
  const int64_t result = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const bool exists = result < loop.kept.numel;
  int64_t offset[2] = {0, 0};
  T best = T(0);
  int64_t place = -1;
  if (exists) {
    loop.kept.offsets_of(result, offset);
    for (int64_t i = threadIdx.y; i < loop.reduced.numel; i += blockDim.y) {
      const T value = x[offset[1] + i * loop.reduced.stride[0][0]];
      if (supersedes<want_max>(value, i, best, place)) best = value, place = i;
    }
  }
  const unsigned slot = threadIdx.y * blockDim.x + threadIdx.x;
  values[slot] = best;
  places[slot] = place;
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    const unsigned other = slot + half * blockDim.x;
    if (threadIdx.y < half &&
        supersedes<want_max>(values[other], places[other], values[slot], places[slot])) {
      values[slot] = values[other];
      places[slot] = places[other];
    }
  }
  if (!exists || threadIdx.y != 0) return;
  y[offset[0]] = values[slot];
  indices[offset[0]] = places[slot];
}

}  // namespace

void reduce(Reduce op, const ReduceLoop& loop, DType dtype, void* y, const void* x, double scale) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    T* const py = static_cast<T*>(y);
    const T* const px = static_cast<const T*>(x);
    switch (op) {
      case Reduce::sum:
        return run_reduce<reducer::Sum>(loop, py, px, scale);
      case Reduce::sum_of_abs:
        return run_reduce<reducer::SumOfAbs>(loop, py, px, scale);
      case Reduce::sum_of_squares:
        return run_reduce<reducer::SumOfSquares>(loop, py, px, scale);
      case Reduce::max:
        return run_reduce<reducer::Max>(loop, py, px, 1);
      case Reduce::min:
        return run_reduce<reducer::Min>(loop, py, px, 1);
    }
  });
}

void reduce_with_index(Reduce op, const ReduceLoop& loop, DType dtype, void* y, int64_t* indices,
                       const void* x) {
  const Dim3 block = block_shape(loop);
  const unsigned blocks = blocks_for(loop.kept.numel, block.x);
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("reduce_with_index", op == Reduce::max ? extreme_kernel<true, T> : extreme_kernel<false, T>,
           {blocks}, block, 0, loop, static_cast<T*>(y), indices, static_cast<const T*>(x));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(sum)
TENON_CUDA_ENTRY(mean)
TENON_CUDA_ENTRY(amax)
TENON_CUDA_ENTRY(amin)
TENON_CUDA_ENTRY(max_with_index)
TENON_CUDA_ENTRY(min_with_index)
TENON_CUDA_ENTRY(variance)
TENON_CUDA_ENTRY(norm1)
TENON_CUDA_ENTRY(norm2)
