// The columns of deformable convolution, and their gradients. A thread takes a sample, that is a tap of a position, and
// finds its four corners and weights once, in registers; then it goes through channels. Threads of a warp have
// neighbouring positions, so they write neighbours, and read neighbours as far as the offsets vary slowly.
//
//   columns          16 channels a thread:  4 reads of x, mostly cached, for 8 flops and one write an element
//   backward_offset  all channels a thread, or a part of them where samples alone would not fill a card: 4 reads of x
//                    and one of g for 24 flops; parts are joined in order
//   backward_input   turned round, so that there are no atomics: the corners of all samples are sorted by the element that
//                    they touch, once for all channels; then a thread takes an element of x in 8 channels and sums what its
//                    corners bring: a read of g a corner and channel
//
// Counted for float32, 256 channels of 100 x 168, 3 x 3 taps, one image: the columns are 155 MB, written once and read
// once on each way back, 46 us each at 3.35 TB/s; x is 17 MB. The sort moves 604800 corners of 12 bytes through 2 radix passes,
// 0.07 GB in all: less than half of the columns. Bound: memory, forward; loads from the caches, the ways back, 4 a column element.
// On an H200 141 us forward, 155 for the offsets, and 1.35 ms for the input: three, three and thirty times those 46.
#include "core/ops/contract.h"
#include "cuda/kernels/buckets.h"
#include "cuda/kernels/deformable.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/parts.h"
#include "cuda/kernels/tile.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr int kColumnChannels = 16, kInputChannels = 8;  // of a thread
constexpr int64_t kLeastChannels = 64;                   // of a part of backward_offset

// The sample that a thread takes: number (image, tap, position).
template <class Index, class T>
struct OwnSample {
  int64_t image, in_image;  // of the samples of the image
  DeformableSample<T> at;
  T mask;

  __device__ OwnSample(const DeformablePlan& p, int64_t number, const T* offset, const T* masks) {
    const Index n = static_cast<Index>(number), positions = static_cast<Index>(p.positions()),
                taps = static_cast<Index>(p.taps());
    const Index tap = n / positions % taps, position = n % positions;
    image = n / positions / taps;
    in_image = int64_t{tap} * p.positions() + position;
    const T* const move = offset + (image * p.samples() + int64_t{tap} * p.positions()) * 2 + position;
    at = deformable_sample(p, tap, position, move[0], move[p.positions()]);
    mask = masks == nullptr ? T(1) : masks[number];
  }
};

template <class Index, class T>
__global__ void __launch_bounds__(kLinearThreads)
    columns_kernel(DeformablePlan p, T* __restrict__ columns, const T* __restrict__ x,
                   const T* __restrict__ offset, const T* __restrict__ mask) {
  if (linear_index() >= p.images * p.samples()) return;
  const OwnSample<Index, T> own(p, linear_index(), offset, mask);
  T weight[4];
  int64_t place[4];
  TENON_UNROLL
  for (int corner = 0; corner < 4; ++corner) {
    const bool counts = own.at.counts(corner);
    weight[corner] = counts ? own.at.weight(corner) : T(0);
    place[corner] = counts ? own.at.place(corner) : 0;
  }
  const int64_t channel = int64_t{blockIdx.y} * kColumnChannels, end = channel + kColumnChannels;
  for (int64_t c = channel; c < end && c < p.channels; ++c) {
    const T* const plane = x + (own.image * p.channels + c) * p.plane();
    T sum = T(0);
    TENON_UNROLL
    for (int corner = 0; corner < 4; ++corner) sum += weight[corner] * plane[place[corner]];
    columns[(own.image * p.channels + c) * p.samples() + own.in_image] = own.mask * sum;
  }
}

// Part blockIdx.y of the channels. Results lie as [part, sample]; those of a single part are the gradients.
template <class Index, class T>
__global__ void __launch_bounds__(kLinearThreads)
    backward_offset_kernel(DeformablePlan p, int64_t channels_per_part, T* __restrict__ doffset,
                           T* __restrict__ dmask, const T* __restrict__ g, const T* __restrict__ x,
                           const T* __restrict__ offset, const T* __restrict__ mask) {
  const int64_t samples = p.images * p.samples();
  if (linear_index() >= samples) return;
  const OwnSample<Index, T> own(p, linear_index(), offset, mask);
  const int64_t first = blockIdx.y * channels_per_part, end = first + channels_per_part;
  T down = T(0), right = T(0), value = T(0);
  for (int64_t c = first; c < end && c < p.channels; ++c) {
    const int64_t plane = own.image * p.channels + c;
    const T gradient = g[plane * p.samples() + own.in_image];
    TENON_UNROLL
    for (int corner = 0; corner < 4; ++corner) {
      if (!own.at.counts(corner)) continue;
      const T product = gradient * x[plane * p.plane() + own.at.place(corner)];
      down += own.at.slope_down(corner) * product;
      right += own.at.slope_right(corner) * product;
      value += own.at.weight(corner) * product;
    }
  }
  const int64_t position = own.in_image % p.positions();
  T* const to =
      doffset + 2 * (blockIdx.y * samples + own.image * p.samples() + own.in_image - position) + position;
  to[0] = own.mask * down;
  to[p.positions()] = own.mask * right;
  if (dmask != nullptr) dmask[blockIdx.y * samples + linear_index()] = value;
}

// The corners of an image's samples, corner by corner: the element that each touches, one behind the last for those
// outside, and by how much.
template <class Index, class T>
__global__ void __launch_bounds__(kLinearThreads)
    corners_kernel(DeformablePlan p, int64_t* __restrict__ element, T* __restrict__ weight,
                   const T* __restrict__ offset, const T* __restrict__ mask) {
  if (linear_index() >= p.images * p.samples()) return;
  const OwnSample<Index, T> own(p, linear_index(), offset, mask);
  TENON_UNROLL
  for (int corner = 0; corner < 4; ++corner) {
    const int64_t to = (own.image * 4 + corner) * p.samples() + own.in_image;
    const bool counts = own.at.counts(corner);
    element[to] = counts ? own.at.place(corner) : p.plane();
    weight[to] = counts ? own.mask * own.at.weight(corner) : T(0);
  }
}

template <class Index, class T>
__global__ void __launch_bounds__(kLinearThreads)
    backward_input_kernel(DeformablePlan p, Buckets::View corners, T* __restrict__ dx,
                          const T* __restrict__ g, const T* __restrict__ weight) {
  if (linear_index() >= p.images * p.plane()) return;
  const Index plane = static_cast<Index>(p.plane()), item = static_cast<Index>(linear_index());
  const int64_t image = item / plane, element = item % plane;
  const int64_t channel = int64_t{blockIdx.y} * kInputChannels, left = p.channels - channel;
  const T* const from = g + (image * p.channels + channel) * p.samples();
  T sum[kInputChannels] = {};
  const int64_t* const end = corners.end(image, element);
  for (const int64_t* corner = corners.begin(image, element); corner != end; ++corner) {
    const T w = weight[image * 4 * p.samples() + *corner];
    const int64_t sample = static_cast<Index>(*corner) % static_cast<Index>(p.samples());
    TENON_UNROLL
    for (int c = 0; c < kInputChannels; ++c)
      if (c < left) sum[c] += w * from[c * p.samples() + sample];
  }
  T* const to = dx + (image * p.channels + channel) * p.plane() + element;
  TENON_UNROLL
  for (int c = 0; c < kInputChannels; ++c)
    if (c < left) to[c * p.plane()] = sum[c];
}

}  // namespace

void deformable_columns(const DeformablePlan& p, DType dtype, void* columns, const void* x,
                        const void* offset, const void* mask) {
  const int64_t samples = p.images * p.samples();
  visit_floating("deformable_columns", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_index(samples, [&](auto index) {
      launch("deformable_columns", columns_kernel<decltype(index), T>,
             linear_grid("deformable_columns", samples, p.channels, kColumnChannels), {kLinearThreads}, 0, p,
             static_cast<T*>(columns), static_cast<const T*>(x), static_cast<const T*>(offset),
             static_cast<const T*>(mask));
    });
  });
}

void deformable_columns_backward_offset(const DeformablePlan& p, DType dtype, void* doffset, void* dmask,
                                        const void* g, const void* x, const void* offset, const void* mask) {
  const int64_t samples = p.images * p.samples();
  const int64_t channels = divide_up(p.channels, parts_of(samples, 1, p.channels, kLeastChannels)),
                parts = divide_up(p.channels, channels);
  visit_floating("deformable_columns_backward_offset", dtype, [&](auto tag) {
    using T = decltype(tag);
    const auto run = [&](T* to_offset, T* to_mask) {
      visit_index(samples, [&](auto index) {
        launch("deformable_backward_offset", backward_offset_kernel<decltype(index), T>,
               linear_grid("deformable_backward_offset", samples, p.channels, channels), {kLinearThreads}, 0,
               p, channels, to_offset, to_mask, static_cast<const T*>(g), static_cast<const T*>(x),
               static_cast<const T*>(offset), static_cast<const T*>(mask));
      });
    };
    if (parts == 1) return run(static_cast<T*>(doffset), static_cast<T*>(dmask));
    const Scratch of_offset(static_cast<size_t>(2 * parts * samples) * sizeof(T)),
        of_mask(static_cast<size_t>(parts * samples) * sizeof(T));
    run(of_offset.as<T>(), dmask == nullptr ? nullptr : of_mask.as<T>());
    join_parts(static_cast<T*>(doffset), of_offset.as<const T>(), 2 * samples, parts);
    if (dmask != nullptr) join_parts(static_cast<T*>(dmask), of_mask.as<const T>(), samples, parts);
  });
}

void deformable_columns_backward_input(const DeformablePlan& p, DType dtype, void* dx, const void* g,
                                       const void* offset, const void* mask) {
  const int64_t samples = p.images * p.samples(), items = p.images * p.plane();
  TENON_CHECK(4 * p.samples() <= 0x7fffffff,
              "deformable_columns_backward_input: the CUDA kernel expects fewer ",
              "than 2^29 taps times positions in an image, got ", p.samples());
  Loop<1> images = count_to(p.images);
  images.stride[0][0] = 4 * p.samples();
  const Scratch elements(static_cast<size_t>(4 * samples) * sizeof(int64_t));
  visit_floating("deformable_columns_backward_input", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Scratch weights(static_cast<size_t>(4 * samples) * sizeof(T));
    visit_index(samples, [&](auto index) {
      launch("deformable_corners", corners_kernel<decltype(index), T>,
             {linear_blocks("deformable_corners", samples)}, {kLinearThreads}, 0, p, elements.as<int64_t>(),
             weights.as<T>(), static_cast<const T*>(offset), static_cast<const T*>(mask));
    });
    const Buckets corners(images, 0, 1, 4 * p.samples(), p.plane() + 1, elements.as<const int64_t>());
    visit_index(items, [&](auto index) {
      launch("deformable_backward_input", backward_input_kernel<decltype(index), T>,
             linear_grid("deformable_backward_input", items, p.channels, kInputChannels), {kLinearThreads}, 0,
             p, corners.view(), static_cast<T*>(dx), static_cast<const T*>(g), weights.as<const T>());
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(deformable_columns)
TENON_CUDA_ENTRY(deformable_columns_backward_input)
TENON_CUDA_ENTRY(deformable_columns_backward_offset)
