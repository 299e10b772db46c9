// Sums that are cut into parts, a block each: the kernel that joins the parts, in their order and in double.
#pragma once

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// c[place(i)] = sum over parts of partial[part][i], for i < count.
template <class T, class Place>
__global__ void join_parts_kernel(T* c, const T* partial, int64_t count, int parts, Place place) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  double sum = 0;
  for (int part = 0; part < parts; ++part) sum += static_cast<double>(partial[part * count + i]);
  c[place(i)] = static_cast<T>(sum);
}

/// The result lies as the parts do.
struct SamePlace {
  __device__ int64_t operator()(int64_t i) const { return i; }
};

template <class T, class Place = SamePlace>
void join_parts(T* c, const T* partial, int64_t count, int64_t parts, Place place = {}) {
  constexpr unsigned kBlock = 256;
  launch("join_parts", join_parts_kernel<T, Place>, {static_cast<unsigned>((count + kBlock - 1) / kBlock)},
         {kBlock}, 0, c, partial, count, static_cast<int>(parts), place);
}

}  // namespace tenon::cuda
