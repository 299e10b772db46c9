// Upsampling along one axis. A first small kernel writes the axis' table: the tap of each output, and for each
// input the first output whose tap begins there or later. Taps move on with the output, so the outputs that look
// at an input are neighbours, and the transposed map gathers: a thread computes one element of the result,
// adding the outputs of its input in their order. Neighbouring threads compute neighbours in memory.
//
// Bound: memory. With i inputs and o outputs along the axis, a float32 line moves 4 (i + o) bytes either way, for
// 3 flops an output; the table stays in the first-level cache.
#include "core/ops/contract.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/upsample.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

// taps [n_out]; first [n_in + 1], the outputs whose taps begin at input i are first[i] up to first[i + 1].
template <class T>
__global__ void table_kernel(Resample mode, int64_t n_in, int64_t n_out, ResampleTap<T>* taps,
                             int64_t* first) {
  const int64_t j = linear_index();
  if (j >= n_out) return;
  const ResampleTap<T> tap = resample_tap<T>(mode, n_in, n_out, j);
  taps[j] = tap;
  const int64_t before = j == 0 ? -1 : resample_tap<T>(mode, n_in, n_out, j - 1).i0;
  for (int64_t i = before + 1; i <= tap.i0; ++i) first[i] = j;
  if (j == n_out - 1)
    for (int64_t i = tap.i0 + 1; i <= n_in; ++i) first[i] = n_out;
}

// Takes the number of an element of [outer, n, inner] apart.
template <class Index>
struct LineElement {
  int64_t outer, at, inner;
  __device__ LineElement(int64_t number, int64_t n, int64_t inner_extent) {
    const Index i = static_cast<Index>(number), width = static_cast<Index>(inner_extent);
    inner = i % width;
    at = i / width % static_cast<Index>(n);
    outer = i / width / static_cast<Index>(n);
  }
};

template <class Index, class T>
__global__ void resample_kernel(ResampleBlock block, int64_t count, T* y, const T* __restrict__ x,
                                const ResampleTap<T>* __restrict__ taps) {
  if (linear_index() >= count) return;
  const LineElement<Index> e(linear_index(), block.n_out, block.inner);
  const ResampleTap<T> tap = taps[e.at];
  const T* const from = x + (e.outer * block.n_in + tap.i0) * block.inner + e.inner;
  y[linear_index()] = tap.w1 == 0 ? from[0] : tap.w0 * from[0] + tap.w1 * from[block.inner];
}

template <class Index, class T>
__global__ void resample_transposed_kernel(ResampleBlock block, int64_t count, T* dx, const T* __restrict__ g,
                                           const ResampleTap<T>* __restrict__ taps,
                                           const int64_t* __restrict__ first) {
  if (linear_index() >= count) return;
  const LineElement<Index> e(linear_index(), block.n_in, block.inner);
  const T* const from = g + e.outer * block.n_out * block.inner + e.inner;
  T sum = T(0);
  if (e.at > 0)
    for (int64_t j = first[e.at - 1]; j < first[e.at]; ++j)
      if (taps[j].w1 != 0) sum += taps[j].w1 * from[j * block.inner];
  for (int64_t j = first[e.at]; j < first[e.at + 1]; ++j) sum += taps[j].w0 * from[j * block.inner];
  dx[linear_index()] = sum;
}

template <class T>
struct Table {
  Table(Resample mode, const ResampleBlock& block)
      : taps_(static_cast<size_t>(block.n_out) * sizeof(ResampleTap<T>)),
        first_(static_cast<size_t>(block.n_in + 1) * sizeof(int64_t)) {
    launch("resample_table", table_kernel<T>, {linear_blocks("resample_table", block.n_out)},
           {kLinearThreads}, 0, mode, block.n_in, block.n_out, taps_.template as<ResampleTap<T>>(),
           first_.as<int64_t>());
  }
  const ResampleTap<T>* taps() const { return taps_.template as<ResampleTap<T>>(); }
  const int64_t* first() const { return first_.as<int64_t>(); }

 private:
  Scratch taps_, first_;
};

}  // namespace

void resample(Resample mode, const ResampleBlock& block, DType dtype, void* y, const void* x) {
  const int64_t count = block.outer * block.n_out * block.inner;
  visit_floating("resample", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Table<T> table(mode, block);
    visit_index(count, [&](auto i) {
      launch("resample", resample_kernel<decltype(i), T>, {linear_blocks("resample", count)},
             {kLinearThreads}, 0, block, count, static_cast<T*>(y), static_cast<const T*>(x), table.taps());
    });
  });
}

void resample_transposed(Resample mode, const ResampleBlock& block, DType dtype, void* dx, const void* g) {
  const int64_t count = block.outer * block.n_in * block.inner;
  visit_floating("resample_transposed", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Table<T> table(mode, block);
    visit_index(count, [&](auto i) {
      launch("resample_transposed", resample_transposed_kernel<decltype(i), T>,
             {linear_blocks("resample_transposed", count)}, {kLinearThreads}, 0, block, count,
             static_cast<T*>(dx), static_cast<const T*>(g), table.taps(), table.first());
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(upsample_nearest)
TENON_CUDA_ENTRY(upsample_nearest_backward)
TENON_CUDA_ENTRY(upsample_linear)
TENON_CUDA_ENTRY(upsample_linear_backward)
