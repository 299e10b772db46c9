// The kernels that walk a Loop. loop_kernel gives every item to a body: body(offset), with the operands' offsets.
// Neighbouring threads take neighbouring items, so dense operands load in full 128-byte lines. A Loop of rank 1
// needs no division; higher ranks pay one per axis and item, in 32 bits below 2^31 items.
//
// launch_map is for bodies of the form y = f(x...). Where all operands are dense, a thread takes four neighbours,
// which for 4-byte numbers is one load of 16 bytes an operand, one store, and one address for all of them: with
// 2048 threads on a multiprocessor 32 KB an operand are under way, where a memory of 4.4 TB/s that answers after
// 0.7 us needs 23. The last thread also takes what is left over. Numbers of 8 bytes go one to a thread: several
// float64 exponentials side by side do not fit the registers.
#pragma once

#include <algorithm>
#include <utility>

#include "core/loop.h"
#include "cuda/kernels/linear.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

constexpr int64_t kItemsPerThread = 4;  // of a loop

template <int N, class Body>
__device__ void for_each_item(const Loop<N>& loop, const Body& body) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = linear_index(); i < loop.numel; i += step) {
    int64_t offset[N];
    if (loop.rank == 1) {
      for (int k = 0; k < N; ++k) offset[k] = i * loop.stride[k][0];
    } else {
      loop.offsets_of(i, offset);
    }
    body(offset);
  }
}

template <int N, class Body>
__global__ void loop_kernel(Loop<N> loop, Body body) {
  for_each_item(loop, body);
}

/// The loop over 0 ... n - 1.
inline Loop<1> count_to(int64_t n) {
  Loop<1> loop;
  loop.rank = 1;
  loop.numel = loop.extent[0] = n;
  loop.stride[0][0] = 1;
  return loop;
}

inline unsigned loop_blocks(int64_t numel) {
  constexpr int64_t kPerBlock = kItemsPerThread * kLinearThreads;
  return static_cast<unsigned>(std::min<int64_t>((numel + kPerBlock - 1) / kPerBlock, 1 << 20));
}

template <int N, class Body>
void launch_loop(const char* name, const Loop<N>& loop, Body body) {
  if (loop.numel == 0) return;
  launch(name, loop_kernel<N, Body>, {loop_blocks(loop.numel)}, {kLinearThreads}, 0, loop, body);
}

template <size_t... k, int N, class F, class R, class... X>
__device__ void map_item(std::index_sequence<k...>, const int64_t (&offset)[N], const F& f, R* y,
                         const X*... x) {
  y[offset[0]] = f(x[offset[k + 1]]...);
}

template <int N, class F, class R, class... X>
__global__ void strided_map_kernel(Loop<N> loop, F f, R* y, const X*... x) {
  for_each_item(loop, [&](const int64_t(&offset)[N]) {
    map_item(std::index_sequence_for<X...>(), offset, f, y, x...);
  });
}

// Neighbours that a thread maps: four, or one where an operand has numbers of 8 bytes.
template <class... T>
constexpr int kMapped = ((sizeof(T) > 4) || ...) ? 1 : 4;

template <int n, class T>
__device__ Neighbours<T, n> neighbours_at(const T* x) {
  return *reinterpret_cast<const Neighbours<T, n>*>(x);
}

template <class R, int n, class F, class... X>
__device__ Neighbours<R, n> map_neighbours(const F& f, const Neighbours<X, n>&... x) {
  Neighbours<R, n> y;
  TENON_UNROLL for (int i = 0; i < n; ++i) y.v[i] = f(x.v[i]...);
  return y;
}

template <class F, class R, class... X>
__global__ void __launch_bounds__(kLinearThreads) dense_map_kernel(int64_t count, F f, R* y, const X*... x) {
  constexpr int n = kMapped<R, X...>;
  const int64_t at = linear_index() * n;
  if (at + n <= count) {
    *reinterpret_cast<Neighbours<R, n>*>(y + at) = map_neighbours<R, n>(f, neighbours_at<n>(x + at)...);
  } else {
    for (int64_t i = at; i < count; ++i) y[i] = f(x[i]...);
  }
}

/// y = f(x...) for each item of the loop, whose operand 0 is y; y may be one of the x.
template <class F, class R, class... X>
void launch_map(const char* name, const Loop<1 + sizeof...(X)>& loop, F f, R* y, const X*... x) {
  constexpr int N = 1 + sizeof...(X);
  if (loop.numel == 0) return;
  bool dense = loop.rank == 1 && is_aligned(y) && (is_aligned(x) && ...);
  for (int k = 0; k < N; ++k) dense = dense && loop.stride[k][0] == 1;
  if (!dense)
    return launch(name, strided_map_kernel<N, F, R, X...>, {loop_blocks(loop.numel)}, {kLinearThreads}, 0,
                  loop, f, y, x...);
  const int64_t threads = (loop.numel + kMapped<R, X...> - 1) / kMapped<R, X...>;
  launch(name, dense_map_kernel<F, R, X...>, {linear_blocks(name, threads)}, {kLinearThreads}, 0, loop.numel,
         f, y, x...);
}

}  // namespace tenon::cuda
