// RoIAlign on the host, an axis at a time: the rows of x that a line of cells samples are summed by their weights
// into one row, from which each cell takes its columns. A line of cells then costs two multiply-adds a sample
// and element of the region's width, in vectors, where sampling cell by cell costs four a sample and cell, one by
// one. The gradient goes the same way back; a task owns the planes that it adds to, and takes the regions in their
// order.
#include "core/cpu/roi_align.h"

#include <algorithm>
#include <span>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kChannels = 8;  // of a task, which share the taps of a region

template <class T>
using Tap = ResampleTap<T>;

// The taps of an axis, cell by cell, and the elements that they touch.
template <class T>
struct Taps {
  Taps(const RoiAlignPlan& plan, int axis, const T* box)
      : line(plan, axis, box), taps(line.cells * line.samples) {
    line.elements(first, last);
    for (int64_t cell = 0; cell < line.cells; ++cell)
      for (int s = 0; s < line.samples; ++s) taps.data()[cell * line.samples + s] = line.tap(cell, s);
  }
  std::span<const Tap<T>> of(int64_t cell) const {
    return {taps.data() + cell * line.samples, static_cast<size_t>(line.samples)};
  }

  RoiAxis<T> line;
  Scratch<Tap<T>> taps;
  int64_t first, last;
};

template <class T>
struct Region {
  Region(const RoiAlignPlan& plan, const T* box) : rows(plan, 0, box), columns(plan, 1, box) {}
  bool is_outside() const { return rows.last < rows.first || columns.last < columns.first; }
  Taps<T> rows, columns;
};

// to[first .. last] += w from[first .. last]
template <class T>
void add_row(T* to, T w, const T* from, int64_t first, int64_t last) {
  for (int64_t i = first; i <= last; ++i) to[i] += w * from[i];
}

// One channel of a region; `row` holds in[1] elements.
template <class T>
void pool_plane(const RoiAlignPlan& p, const Region<T>& region, T* y, const T* x, T* row) {
  const int64_t width = p.in[1], first = region.columns.first, last = region.columns.last;
  for (int64_t i = 0; i < p.cells[0]; ++i) {
    std::fill(row + first, row + last + 1, T{0});
    for (const Tap<T>& t : region.rows.of(i)) {
      if (t.w0 != 0) add_row(row, t.w0, x + t.i0 * width, first, last);
      if (t.w1 != 0) add_row(row, t.w1, x + (t.i0 + 1) * width, first, last);
    }
    for (int64_t j = 0; j < p.cells[1]; ++j) {
      T sum = 0;
      for (const Tap<T>& t : region.columns.of(j)) {
        if (t.w0 != 0) sum += t.w0 * row[t.i0];
        if (t.w1 != 0) sum += t.w1 * row[t.i0 + 1];
      }
      y[i * p.cells[1] + j] = sum;
    }
  }
}

template <class T>
void spread_plane(const RoiAlignPlan& p, const Region<T>& region, T* dx, const T* g, T* row) {
  const int64_t width = p.in[1], first = region.columns.first, last = region.columns.last;
  for (int64_t i = 0; i < p.cells[0]; ++i) {
    std::fill(row + first, row + last + 1, T{0});
    for (int64_t j = 0; j < p.cells[1]; ++j)
      for (const Tap<T>& t : region.columns.of(j)) {
        if (t.w0 != 0) row[t.i0] += t.w0 * g[i * p.cells[1] + j];
        if (t.w1 != 0) row[t.i0 + 1] += t.w1 * g[i * p.cells[1] + j];
      }
    for (const Tap<T>& t : region.rows.of(i)) {
      if (t.w0 != 0) add_row(dx + t.i0 * width, t.w0, row, first, last);
      if (t.w1 != 0) add_row(dx + (t.i0 + 1) * width, t.w1, row, first, last);
    }
  }
}

// Tasks are (region or image, block of channels).
template <class F>
void for_each_block(int64_t items, const RoiAlignPlan& p, int64_t flops, F&& f) {
  const int64_t blocks = (p.channels + kChannels - 1) / kChannels;
  parallel_for(items * blocks, grain_for_flops(flops * kChannels), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t from = task % blocks * kChannels;
      f(task / blocks, from, std::min(p.channels, from + kChannels));
    }
  });
}

}  // namespace

void roi_align(const RoiAlignPlan& p, DType dtype, void* y, const void* x, const void* boxes,
               const int64_t* image) {
  visit_floating("roi_align", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_block(p.regions, p, 32 * p.grid(), [&](int64_t r, int64_t from, int64_t to) {
      const Region<T> region(p, static_cast<const T*>(boxes) + 4 * r);
      T* const out = static_cast<T*>(y) + r * p.channels * p.grid();
      if (region.is_outside()) return std::fill(out + from * p.grid(), out + to * p.grid(), T{0});
      const Scratch<T> row(p.in[1]);
      for (int64_t c = from; c < to; ++c)
        pool_plane(p, region, out + c * p.grid(),
                   static_cast<const T*>(x) + (image[r] * p.channels + c) * p.plane(), row.data());
    });
  });
}

void roi_align_backward(const RoiAlignPlan& p, DType dtype, void* dx, const void* g, const void* boxes,
                        const int64_t* image) {
  visit_floating("roi_align_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    const int64_t flops = p.plane() + 32 * p.grid() * p.regions / p.images;
    for_each_block(p.images, p, flops, [&](int64_t n, int64_t from, int64_t to) {
      T* const out = static_cast<T*>(dx) + n * p.channels * p.plane();
      std::fill(out + from * p.plane(), out + to * p.plane(), T{0});
      const Scratch<T> row(p.in[1]);
      for (int64_t r = 0; r < p.regions; ++r) {
        if (image[r] != n) continue;
        const Region<T> region(p, static_cast<const T*>(boxes) + 4 * r);
        if (region.is_outside()) continue;
        for (int64_t c = from; c < to; ++c)
          spread_plane(p, region, out + c * p.plane(),
                       static_cast<const T*>(g) + (r * p.channels + c) * p.grid(), row.data());
      }
    });
  });
}

}  // namespace tenon::cpu
