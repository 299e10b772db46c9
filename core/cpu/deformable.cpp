// The columns of deformable convolution on the host. A task finds the samples of a line of positions once, and goes
// through the channels with them. Bound: gathers, four a column element. The gradient of x scatters; a task owns the
// planes that it adds to, and takes taps and positions in their order.
#include "core/cpu/deformable.h"

#include <algorithm>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kChannels = 8;  // of a task of the input's gradient

// The samples of tap t at positions from .. from + n - 1 of image i, and their masks.
template <class T>
void find_samples(const DeformablePlan& p, int64_t i, int64_t t, int64_t from, int64_t n, const T* offset,
                  const T* mask, DeformableSample<T>* samples, T* masks) {
  const T* const down = offset + (i * p.taps() + t) * 2 * p.positions();
  const T* const right = down + p.positions();
  for (int64_t k = 0; k < n; ++k) {
    samples[k] = deformable_sample(p, t, from + k, down[from + k], right[from + k]);
    masks[k] = mask == nullptr ? T(1) : mask[(i * p.taps() + t) * p.positions() + from + k];
  }
}

// Lines (image, tap, row of positions): f(i, t, from).
template <class F>
void for_each_line(const DeformablePlan& p, F&& f) {
  const int64_t lines = p.images * p.taps() * p.out[0];
  parallel_for(lines, grain_for_flops(8 * p.channels * p.out[1]), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line)
      f(line / p.out[0] / p.taps(), line / p.out[0] % p.taps(), line % p.out[0] * p.out[1]);
  });
}

template <class T>
T value_of(const DeformableSample<T>& s, const T* x) {
  T sum = 0;
  for (int corner = 0; corner < 4; ++corner)
    if (s.counts(corner)) sum += s.weight(corner) * x[s.place(corner)];
  return sum;
}

}  // namespace

void deformable_columns(const DeformablePlan& p, DType dtype, void* columns, const void* x,
                        const void* offset, const void* mask) {
  visit_floating("deformable_columns", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_line(p, [&](int64_t i, int64_t t, int64_t from) {
      const int64_t n = p.out[1];
      const Scratch<DeformableSample<T>> samples(n);
      const Scratch<T> masks(n);
      find_samples(p, i, t, from, n, static_cast<const T*>(offset), static_cast<const T*>(mask),
                   samples.data(), masks.data());
      for (int64_t c = 0; c < p.channels; ++c) {
        const T* const plane = static_cast<const T*>(x) + (i * p.channels + c) * p.plane();
        T* const to = static_cast<T*>(columns) + ((i * p.channels + c) * p.taps() + t) * p.positions() + from;
        for (int64_t k = 0; k < n; ++k) to[k] = masks.data()[k] * value_of(samples.data()[k], plane);
      }
    });
  });
}

void deformable_columns_backward_input(const DeformablePlan& p, DType dtype, void* dx, const void* g,
                                       const void* offset, const void* mask) {
  visit_floating("deformable_columns_backward_input", dtype, [&](auto tag) {
    using T = decltype(tag);
    const int64_t blocks = (p.channels + kChannels - 1) / kChannels;
    const int64_t work = kChannels * (8 * p.samples() + p.plane());
    parallel_for(p.images * blocks, grain_for_flops(work), [&](int64_t begin, int64_t end) {
      const Scratch<DeformableSample<T>> samples(p.positions());
      const Scratch<T> masks(p.positions());
      for (int64_t task = begin; task < end; ++task) {
        const int64_t i = task / blocks, first = task % blocks * kChannels;
        const int64_t last = std::min(p.channels, first + kChannels);
        T* const planes = static_cast<T*>(dx) + i * p.channels * p.plane();
        std::fill(planes + first * p.plane(), planes + last * p.plane(), T{0});
        for (int64_t t = 0; t < p.taps(); ++t) {
          find_samples(p, i, t, 0, p.positions(), static_cast<const T*>(offset), static_cast<const T*>(mask),
                       samples.data(), masks.data());
          for (int64_t c = first; c < last; ++c) {
            const T* const from =
                static_cast<const T*>(g) + ((i * p.channels + c) * p.taps() + t) * p.positions();
            for (int64_t k = 0; k < p.positions(); ++k) {
              const DeformableSample<T>& s = samples.data()[k];
              const T share = masks.data()[k] * from[k];
              for (int corner = 0; corner < 4; ++corner)
                if (s.counts(corner)) planes[c * p.plane() + s.place(corner)] += s.weight(corner) * share;
            }
          }
        }
      }
    });
  });
}

void deformable_columns_backward_offset(const DeformablePlan& p, DType dtype, void* doffset, void* dmask,
                                        const void* g, const void* x, const void* offset, const void* mask) {
  visit_floating("deformable_columns_backward_offset", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_line(p, [&](int64_t i, int64_t t, int64_t from) {
      const int64_t n = p.out[1];
      const Scratch<DeformableSample<T>> samples(n);
      const Scratch<T> masks(n), sums(3 * n);
      find_samples(p, i, t, from, n, static_cast<const T*>(offset), static_cast<const T*>(mask),
                   samples.data(), masks.data());
      T *const down = sums.data(), *const right = down + n, *const value = right + n;
      std::fill(down, down + 3 * n, T{0});
      for (int64_t c = 0; c < p.channels; ++c) {
        const T* const plane = static_cast<const T*>(x) + (i * p.channels + c) * p.plane();
        const T* const gradient =
            static_cast<const T*>(g) + ((i * p.channels + c) * p.taps() + t) * p.positions() + from;
        for (int64_t k = 0; k < n; ++k) {
          const DeformableSample<T>& s = samples.data()[k];
          for (int corner = 0; corner < 4; ++corner) {
            if (!s.counts(corner)) continue;
            const T product = gradient[k] * plane[s.place(corner)];
            down[k] += s.slope_down(corner) * product;
            right[k] += s.slope_right(corner) * product;
            value[k] += s.weight(corner) * product;
          }
        }
      }
      const int64_t at = (i * p.taps() + t) * p.positions() + from;
      T* const to = static_cast<T*>(doffset) + 2 * (at - from) + from;
      for (int64_t k = 0; k < n; ++k) {
        to[k] = masks.data()[k] * down[k];
        to[p.positions() + k] = masks.data()[k] * right[k];
        if (dmask != nullptr) static_cast<T*>(dmask)[at + k] = value[k];
      }
    });
  });
}

}  // namespace tenon::cpu
