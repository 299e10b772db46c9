// RoIAlign. Forward: a thread takes a cell of a region in 8 channels, for which it finds the samples once. The threads of a
// warp have neighbouring cells, so what they read lies close together and is mostly in the first-level cache. Counted
// for float32 and s samples along each axis of a cell: a result costs 4 s^2 loads and as many multiply-adds; it
// writes 4 bytes. 128 regions of 14 x 14 cells in 1024 channels, s = 2: 411 million loads, 103 MB written; a
// multiprocessor loads 32 elements a cycle, so 132 of them at 1.7 GHz need 57 us for the loads, 31 us for the writes.
//
// Backward is turned round, so that there are no atomics: a thread takes an element of x in 8 channels, and sums what the
// regions of its image take from it, in their order. A first small kernel tells which elements each region touches; a thread
// passes over the others by five comparisons. The cells that touch an element are neighbours, about 2 x 2 of them where cells
// are as wide as elements. Bound: those loads, 4 a region that covers the element, and memory for the regions' gradient.
// On an H200 the case above takes 275 us, five times the count, and backward 2.4 ms; why was not looked at.
#include "core/ops/contract.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/roi_align.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr int kChannels = 8;  // of a thread

template <class Index, class T>
__global__ void __launch_bounds__(kLinearThreads)
    roi_align_kernel(RoiAlignPlan p, T* __restrict__ y, const T* __restrict__ x, const T* __restrict__ boxes,
                     const int64_t* __restrict__ image) {
  if (linear_index() >= p.regions * p.grid()) return;
  const Index item = static_cast<Index>(linear_index()), cells = static_cast<Index>(p.grid()),
              across = static_cast<Index>(p.cells[1]);
  const int64_t region = item / cells, cell = item % cells;
  const int64_t i = static_cast<Index>(cell) / across, j = static_cast<Index>(cell) % across;
  const RoiAxis<T> rows(p, 0, boxes + 4 * region), columns(p, 1, boxes + 4 * region);
  const int64_t channel = int64_t{blockIdx.y} * kChannels, left = p.channels - channel;
  const T* const from = x + (image[region] * p.channels + channel) * p.plane();
  T sum[kChannels] = {};
  for (int h = 0; h < rows.samples; ++h) {
    const ResampleTap<T> row = rows.tap(i, h);
    const int64_t top = row.i0 * p.in[1], bottom = row.w1 != T(0) ? top + p.in[1] : top;
    for (int w = 0; w < columns.samples; ++w) {
      const ResampleTap<T> column = columns.tap(j, w);
      const int64_t before = column.i0, behind = column.w1 != T(0) ? before + 1 : before;
      TENON_UNROLL
      for (int c = 0; c < kChannels; ++c) {
        if (c >= left) continue;
        const T* const plane = from + c * p.plane();
        const T above = column.w0 * plane[top + before] + column.w1 * plane[top + behind];
        const T below = column.w0 * plane[bottom + before] + column.w1 * plane[bottom + behind];
        sum[c] += row.w0 * above + row.w1 * below;
      }
    }
  }
  T* const to = y + (region * p.channels + channel) * p.grid() + cell;
  TENON_UNROLL
  for (int c = 0; c < kChannels; ++c)
    if (c < left) to[c * p.grid()] = sum[c];
}

// What a region touches: elements top .. bottom by left .. right of its image.
struct Reach {
  int64_t image, top, bottom, left, right;
};

template <class T>
__global__ void reach_kernel(RoiAlignPlan p, const T* boxes, const int64_t* image, Reach* reach) {
  const int64_t r = linear_index();
  if (r >= p.regions) return;
  Reach found{image[r], 0, 0, 0, 0};
  RoiAxis<T>(p, 0, boxes + 4 * r).elements(found.top, found.bottom);
  RoiAxis<T>(p, 1, boxes + 4 * r).elements(found.left, found.right);
  reach[r] = found;
}

template <class Index, class T>
__global__ void __launch_bounds__(kLinearThreads, 2)
    roi_align_backward_kernel(RoiAlignPlan p, T* __restrict__ dx, const T* __restrict__ g,
                              const T* __restrict__ boxes, const Reach* __restrict__ reach) {
  if (linear_index() >= p.images * p.plane()) return;
  const Index item = static_cast<Index>(linear_index()), width = static_cast<Index>(p.in[1]);
  const int64_t column = item % width, row = item / width % static_cast<Index>(p.in[0]),
                image = item / static_cast<Index>(p.plane());
  const int64_t channel = int64_t{blockIdx.y} * kChannels, left = p.channels - channel;
  T sum[kChannels] = {};
  for (int64_t r = 0; r < p.regions; ++r) {
    const Reach& touched = reach[r];
    if (touched.image != image || row < touched.top || row > touched.bottom || column < touched.left ||
        column > touched.right)
      continue;
    const RoiAxis<T> rows(p, 0, boxes + 4 * r), columns(p, 1, boxes + 4 * r);
    const T* const from = g + (r * p.channels + channel) * p.grid();
    int64_t i, i_end, first, last;
    rows.cells_at(row, i, i_end);
    columns.cells_at(column, first, last);
    for (; i < i_end; ++i) {
      const T row_weight = rows.weight(i, row);
      if (row_weight == T(0)) continue;
      for (int64_t j = first; j < last; ++j) {
        const T weight = row_weight * columns.weight(j, column);
        if (weight == T(0)) continue;
        TENON_UNROLL
        for (int c = 0; c < kChannels; ++c)
          if (c < left) sum[c] += weight * from[c * p.grid() + i * p.cells[1] + j];
      }
    }
  }
  T* const to = dx + (image * p.channels + channel) * p.plane() + row * p.in[1] + column;
  TENON_UNROLL
  for (int c = 0; c < kChannels; ++c)
    if (c < left) to[c * p.plane()] = sum[c];
}

}  // namespace

void roi_align(const RoiAlignPlan& p, DType dtype, void* y, const void* x, const void* boxes,
               const int64_t* image) {
  const int64_t items = p.regions * p.grid();
  visit_floating("roi_align", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(items, [&](auto index) {
      launch("roi_align", roi_align_kernel<decltype(index), T>,
             linear_grid("roi_align", items, p.channels, kChannels), {kLinearThreads}, 0, p,
             static_cast<T*>(y), static_cast<const T*>(x), static_cast<const T*>(boxes), image);
    });
  });
}

void roi_align_backward(const RoiAlignPlan& p, DType dtype, void* dx, const void* g, const void* boxes,
                        const int64_t* image) {
  const int64_t items = p.images * p.plane();
  const Scratch reach(static_cast<size_t>(std::max<int64_t>(p.regions, 1)) * sizeof(Reach));
  visit_floating("roi_align_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    const T* const box = static_cast<const T*>(boxes);
    if (p.regions > 0)
      launch("roi_align_reach", reach_kernel<T>, {linear_blocks("roi_align_reach", p.regions)},
             {kLinearThreads}, 0, p, box, image, reach.as<Reach>());
    visit_index(items, [&](auto index) {
      launch("roi_align_backward", roi_align_backward_kernel<decltype(index), T>,
             linear_grid("roi_align_backward", items, p.channels, kChannels), {kLinearThreads}, 0, p,
             static_cast<T*>(dx), static_cast<const T*>(g), box, reach.as<const Reach>());
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(roi_align)
TENON_CUDA_ENTRY(roi_align_backward)
