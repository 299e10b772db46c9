// Sums that are cut into parts, a block each: the kernel that joins the parts, in a fixed order and in double.
#pragma once

#include <algorithm>

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

constexpr int kPartSharers = 8;

/// c[place(i)] = sum over parts of partial[part][i], for i < count. Of the blockDim.y threads that share an element, thread s
/// takes parts s, s + blockDim.y, ...; their sums join in their order. With one, the parts of few elements would be read one
/// after another by few threads.
template <class T, class Place>
__global__ void join_parts_kernel(T* c, const T* partial, int64_t count, int parts, Place place) {
  TENON_SHARED(double, sums, 32 * kPartSharers);
  const int lane = static_cast<int>(threadIdx.x), sharer = static_cast<int>(threadIdx.y);
  const int sharers = static_cast<int>(blockDim.y);
  const int64_t i = int64_t{blockIdx.x} * 32 + lane;
  double sum = 0;
  if (i < count)
    for (int part = sharer; part < parts; part += sharers)
      sum += static_cast<double>(partial[part * count + i]);
  sums[sharer * 32 + lane] = sum;
  __syncthreads();
  if (i >= count || sharer > 0) return;
  for (int s = 1; s < sharers; ++s) sum += sums[s * 32 + lane];
  c[place(i)] = static_cast<T>(sum);
}

/// The result lies as the parts do.
struct SamePlace {
  __device__ int64_t operator()(int64_t i) const { return i; }
};

template <class T, class Place = SamePlace>
void join_parts(T* c, const T* partial, int64_t count, int64_t parts, Place place = {}) {
  const auto sharers = static_cast<unsigned>(std::clamp<int64_t>(parts / 4, 1, kPartSharers));
  launch("join_parts", join_parts_kernel<T, Place>, {static_cast<unsigned>((count + 31) / 32)}, {32, sharers},
         0, c, partial, count, static_cast<int>(parts), place);
}

}  // namespace tenon::cuda
