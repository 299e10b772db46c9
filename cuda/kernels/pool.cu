// Pooling over up to three axes. A thread computes one element of the result, and neighbouring threads
// neighbouring elements in memory: outputs of a line, or channels where these are innermost.
//
// Forward, a thread walks the window of its output. Backward, it gathers: the average's thread walks the outputs
// whose windows cover its input; that of the maximum knows no windows, only which input each output named, so
// a first kernel chains the outputs of every input into a list, and a second one adds along it. Lists are built
// in any order and added in the order of the outputs, so there are no float atomics, and every run has the same
// bits (the host's). A list is short: it holds at most the windows that cover an input. Adding takes time
// quadratic in its length, which an index that no max_pool made can make long.
//
// Bound: memory. With i inputs and o outputs a float32 max_pool moves 4 i + 8 o bytes, its backward 12 i + 24 o
// (of which the list 8 i + 12 o), avg_pool and its backward 4 i + 4 o. Overlapping windows read inputs several
// times, from the first-level cache. Taking an element's number apart costs some five divisions, in 32 bits
// wherever that suffices.
#include "core/ops/contract.h"
#include "cuda/kernels/elementwise.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/pool.h"
#include "cuda/runtime/error_flag.h"

namespace tenon::cuda {
namespace {

// Where an element stands. Of results, which are packed, in row-major order or with the channels last.
template <class Index>
struct Element {
  Index n, c, p;
  __device__ Element(Index i, bool channels_last, int64_t channel_count, int64_t position_count) {
    const Index channels = static_cast<Index>(channel_count), positions = static_cast<Index>(position_count);
    if (channels_last) {
      c = i % channels;
      p = i / channels % positions;
    } else {
      p = i % positions;
      c = i / positions % channels;
    }
    n = i / channels / positions;
  }
};

// The same along the spatial axes.
template <class Index>
__device__ void split_position(Index p, int64_t height, int64_t width, int64_t (&at)[3]) {
  at[2] = p % static_cast<Index>(width);
  p /= static_cast<Index>(width);
  at[1] = p % static_cast<Index>(height);
  at[0] = p / static_cast<Index>(height);
}

// Calls f(x offset, position) for the elements of the window of output `e`, in row-major order.
template <class Index, class F>
__device__ void for_each_in_window(const PoolPlan& plan, const Element<Index>& e, F&& f) {
  const PoolAxis &d = plan.axis[0], &h = plan.axis[1], &w = plan.axis[2];
  int64_t out[3];
  split_position(e.p, h.out, w.out, out);
  const int64_t base = plan.x.offset(e.n, e.c, 0);
  const int64_t d0 = d.start(out[0]), h0 = h.start(out[1]), w0 = w.start(out[2]);
  const int64_t d_taps = d.taps(out[0]), h_taps = h.taps(out[1]), w_taps = w.taps(out[2]);
  for (int64_t td = 0; td < d_taps; ++td) {
    const int64_t id = d0 + td * d.dilation;
    if (id < 0 || id >= d.in) continue;
    for (int64_t th = 0; th < h_taps; ++th) {
      const int64_t ih = h0 + th * h.dilation;
      if (ih < 0 || ih >= h.in) continue;
      for (int64_t tw = 0; tw < w_taps; ++tw) {
        const int64_t iw = w0 + tw * w.dilation;
        if (iw < 0 || iw >= w.in) continue;
        const int64_t position = (id * h.in + ih) * w.in + iw;
        f(base + position * plan.x.position, position);
      }
    }
  }
}

template <class Index, class T>
__global__ void max_pool_kernel(PoolPlan plan, int64_t count, T* y, int32_t* index, const T* __restrict__ x) {
  const int64_t i = linear_index();
  if (i >= count) return;
  const Element<Index> e(static_cast<Index>(i), plan.y.position != 1, plan.channels, plan.out_positions());
  T best = T(0);
  int64_t at = -1;
  for_each_in_window(plan, e, [&](int64_t from, int64_t position) {
    const T v = x[from];
    if (at < 0 || v > best || (v != v && best == best)) best = v, at = position;
  });
  y[i] = best;
  index[i] = static_cast<int32_t>(at);
}

// Puts output i at the head of its input's list: `head` holds the position of an output in its image and
// channel, `next` that of the one behind it, -1 ends the list.
template <class Index>
__global__ void link_kernel(PoolPlan plan, int64_t count, int32_t* head, int32_t* next, const int32_t* index,
                            Reporter outside) {
  const int64_t i = linear_index();
  if (i >= count) return;
  const Element<Index> e(static_cast<Index>(i), plan.y.position != 1, plan.channels, plan.out_positions());
  const int64_t at = index[i];
  if (at < 0 || at >= plan.in_positions()) return outside.report(i);
  next[i] = atomicExch(head + plan.x.offset(e.n, e.c, at), static_cast<int32_t>(e.p));
}

template <class Index, class T>
__global__ void add_along_lists_kernel(PoolPlan plan, int64_t count, T* gx, const T* __restrict__ g,
                                       const int32_t* __restrict__ head, const int32_t* __restrict__ next) {
  const int64_t i = linear_index();
  if (i >= count) return;
  const Element<Index> e(static_cast<Index>(i), plan.x.position != 1, plan.channels, plan.in_positions());
  const int64_t base = plan.y.offset(e.n, e.c, 0), step = plan.y.position;
  T sum = T(0);
  for (int32_t last = -1;;) {
    int32_t least = -1;  // of the outputs after `last`
    for (int32_t p = head[i]; p >= 0; p = next[base + p * step])
      if (p > last && (least < 0 || p < least)) least = p;
    if (least < 0) break;
    sum += g[base + least * step];
    last = least;
  }
  gx[i] = sum;
}

template <class Index, class T>
__global__ void max_pool_gather_kernel(PoolPlan plan, int64_t count, T* y, const T* __restrict__ x,
                                       const int32_t* __restrict__ index, Reporter outside) {
  const int64_t i = linear_index();
  if (i >= count) return;
  const Element<Index> e(static_cast<Index>(i), plan.y.position != 1, plan.channels, plan.out_positions());
  const int64_t at = index[i];
  if (at < 0 || at >= plan.in_positions()) return outside.report(i);
  y[i] = x[plan.x.offset(e.n, e.c, at)];
}

// 1 / (elements that the mean of an output divides by)
template <class T>
__device__ T factor_of(const PoolPlan& plan, int64_t d, int64_t h, int64_t w) {
  const bool padding = plan.count_padding;
  return T(1) / static_cast<T>(plan.axis[0].count(d, padding) * plan.axis[1].count(h, padding) *
                               plan.axis[2].count(w, padding));
}

template <class Index, class T>
__global__ void avg_pool_kernel(PoolPlan plan, int64_t count, T* y, const T* __restrict__ x) {
  const int64_t i = linear_index();
  if (i >= count) return;
  const Element<Index> e(static_cast<Index>(i), plan.y.position != 1, plan.channels, plan.out_positions());
  T sum = T(0);
  for_each_in_window(plan, e, [&](int64_t from, int64_t) { sum += x[from]; });
  int64_t out[3];
  split_position(e.p, plan.axis[1].out, plan.axis[2].out, out);
  y[i] = sum * factor_of<T>(plan, out[0], out[1], out[2]);
}

// The outputs [first, last] whose windows cover input i; without dilation.
struct Covering {
  int64_t first, last;
  __device__ Covering(const PoolAxis& axis, int64_t i) {
    if (axis.adaptive) {
      first = i * axis.out / axis.in;
      last = ((i + 1) * axis.out + axis.in - 1) / axis.in - 1;
    } else {
      const int64_t beyond = i + axis.padding - axis.kernel;  // where the last window that misses i may start
      first = beyond < 0 ? 0 : beyond / axis.stride + 1;
      last = (i + axis.padding) / axis.stride;
    }
    if (last >= axis.out) last = axis.out - 1;
  }
};

template <class Index, class T>
__global__ void avg_pool_backward_kernel(PoolPlan plan, int64_t count, T* gx, const T* __restrict__ g) {
  const int64_t i = linear_index();
  if (i >= count) return;
  const PoolAxis &d = plan.axis[0], &h = plan.axis[1], &w = plan.axis[2];
  const Element<Index> e(static_cast<Index>(i), plan.x.position != 1, plan.channels, plan.in_positions());
  int64_t in[3];
  split_position(e.p, h.in, w.in, in);
  const Covering od(d, in[0]), oh(h, in[1]), ow(w, in[2]);
  T sum = T(0);
  for (int64_t a = od.first; a <= od.last; ++a)
    for (int64_t b = oh.first; b <= oh.last; ++b)
      for (int64_t c = ow.first; c <= ow.last; ++c)
        sum += g[plan.y.offset(e.n, e.c, (a * h.out + b) * w.out + c)] * factor_of<T>(plan, a, b, c);
  gx[i] = sum;
}

int64_t inputs(const PoolPlan& plan) { return plan.images * plan.channels * plan.in_positions(); }
int64_t outputs(const PoolPlan& plan) { return plan.images * plan.channels * plan.out_positions(); }

// Launches a kernel of n threads.
template <class... Params>
void run(const char* name, void (*kernel)(PoolPlan, int64_t, Params...), const PoolPlan& plan, int64_t n,
         std::type_identity_t<Params>... args) {
  launch(name, kernel, {linear_blocks(name, n)}, {kLinearThreads}, 0, plan, n, args...);
}

void check_index(const PoolPlan& plan, const int32_t* index, const ErrorFlag& outside) {
  const int64_t at = outside.lowest();
  if (at >= 0) fail_index(value_at(index + at), plan.in_positions());
}

}  // namespace

void max_pool(const PoolPlan& plan, DType dtype, void* y, int32_t* index, const void* x) {
  visit_floating("max_pool", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(outputs(plan), [&](auto i) {
      run("max_pool", max_pool_kernel<decltype(i), T>, plan, outputs(plan), static_cast<T*>(y), index,
          static_cast<const T*>(x));
    });
  });
}

void max_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g, const int32_t* index) {
  const int64_t in = inputs(plan), out = outputs(plan);
  const Scratch head(static_cast<size_t>(in) * sizeof(int32_t)),
      next(static_cast<size_t>(out) * sizeof(int32_t));
  const ErrorFlag outside;
  Loop<1> all;
  all.rank = 1;
  all.numel = all.extent[0] = in;
  all.stride[0][0] = 1;
  fill(all, int32, head.as<void>(), -1);
  visit_index(out, [&](auto i) {
    run("max_pool_link", link_kernel<decltype(i)>, plan, out, head.as<int32_t>(), next.as<int32_t>(), index,
        outside.reporter());
  });
  visit_floating("max_pool_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(in, [&](auto i) {
      run("max_pool_backward", add_along_lists_kernel<decltype(i), T>, plan, in, static_cast<T*>(gx),
          static_cast<const T*>(g), head.as<int32_t>(), next.as<int32_t>());
    });
  });
  check_index(plan, index, outside);
}

void max_pool_gather(const PoolPlan& plan, DType dtype, void* y, const void* x, const int32_t* index) {
  const ErrorFlag outside;
  visit_floating("max_pool_gather", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(outputs(plan), [&](auto i) {
      run("max_pool_gather", max_pool_gather_kernel<decltype(i), T>, plan, outputs(plan), static_cast<T*>(y),
          static_cast<const T*>(x), index, outside.reporter());
    });
  });
  check_index(plan, index, outside);
}

void avg_pool(const PoolPlan& plan, DType dtype, void* y, const void* x) {
  visit_floating("avg_pool", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(outputs(plan), [&](auto i) {
      run("avg_pool", avg_pool_kernel<decltype(i), T>, plan, outputs(plan), static_cast<T*>(y),
          static_cast<const T*>(x));
    });
  });
}

void avg_pool_backward(const PoolPlan& plan, DType dtype, void* gx, const void* g) {
  visit_floating("avg_pool_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(inputs(plan), [&](auto i) {
      run("avg_pool_backward", avg_pool_backward_kernel<decltype(i), T>, plan, inputs(plan),
          static_cast<T*>(gx), static_cast<const T*>(g));
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(max_pool)
TENON_CUDA_ENTRY(adaptive_max_pool)
TENON_CUDA_ENTRY(max_pool_backward)
TENON_CUDA_ENTRY(max_pool_gather)
TENON_CUDA_ENTRY(avg_pool)
TENON_CUDA_ENTRY(avg_pool_backward)
TENON_CUDA_ENTRY(adaptive_avg_pool)
TENON_CUDA_ENTRY(adaptive_avg_pool_backward)
