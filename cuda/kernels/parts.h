// Sums that are cut into parts, a block each: the kernel that joins the parts, in a fixed order and in double.
#pragma once

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

constexpr int kPartSharers = 8, kJoinThreads = 256;

/// c[place(i)] = sum over parts of partial[part][i], for i < count. Of the blockDim.y threads that share an element, thread s
/// takes parts s, s + blockDim.y, ...; their sums join in their order. With one, the parts of few elements would be read one
/// after another by few threads.
template <class T, class Place>
__global__ void __launch_bounds__(kJoinThreads)
    join_parts_kernel(T* c, const T* partial, int64_t count, int parts, Place place) {
  TENON_SHARED(double, sums, kJoinThreads);
  const int sharer = static_cast<int>(threadIdx.y), sharers = static_cast<int>(blockDim.y);
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  double sum = 0;
  if (i < count)
    for (int part = sharer; part < parts; part += sharers)
      sum += static_cast<double>(partial[part * count + i]);
  if (sharers > 1) {
    sums[sharer * blockDim.x + threadIdx.x] = sum;
    __syncthreads();
    if (sharer > 0) return;
    for (int s = 1; s < sharers; ++s) sum += sums[s * blockDim.x + threadIdx.x];
  }
  if (i < count) c[place(i)] = static_cast<T>(sum);
}

/// The result lies as the parts do.
struct SamePlace {
  __device__ int64_t operator()(int64_t i) const { return i; }
};

template <class T, class Place = SamePlace>
void join_parts(T* c, const T* partial, int64_t count, int64_t parts, Place place = {}) {
  constexpr int64_t kEnough = 65536;  // threads: those of a quarter of a large card
  unsigned sharers = 1;
  while (sharers < kPartSharers && count * sharers < kEnough && parts >= 8 * sharers) sharers *= 2;
  const Dim3 block{kJoinThreads / sharers, sharers};
  launch("join_parts", join_parts_kernel<T, Place>, {static_cast<unsigned>((count + block.x - 1) / block.x)},
         block, 0, c, partial, count, static_cast<int>(parts), place);
}

}  // namespace tenon::cuda
