// Running sums over the threads of a block, and over rows of numbers.
#pragma once

#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

inline constexpr unsigned kScanThreads = 256;

/// The sum of the `value`s of the threads before this one, of a one-dimensional block of kScanThreads; `total`
/// is that of all. `part` is shared memory for kScanThreads of them. Every thread of the block must call. The
/// order of the additions is fixed.
template <class A>
__device__ A block_scan(A value, A* part, A& total) {
  __syncthreads();  // the scan before may still be read
  part[threadIdx.x] = value;
  for (unsigned reach = 1; reach < kScanThreads; reach *= 2) {
    __syncthreads();
    const A before = threadIdx.x >= reach ? part[threadIdx.x - reach] : A(0);
    __syncthreads();
    part[threadIdx.x] += before;
  }
  __syncthreads();
  total = part[kScanThreads - 1];
  return threadIdx.x == 0 ? A(0) : part[threadIdx.x - 1];
}

/// A block a row of n numbers: each becomes the sum of those before it; totals[row], unless null, that of all.
template <class A>
__global__ void __launch_bounds__(kScanThreads) scan_rows_kernel(A* rows, int64_t n, A* totals) {
  TENON_SHARED(A, part, kScanThreads);
  A* const row = rows + int64_t{blockIdx.x} * n;
  A carry = A(0);
  for (int64_t first = 0; first < n; first += kScanThreads) {
    const int64_t i = first + threadIdx.x;
    A total;
    const A before = block_scan(i < n ? row[i] : A(0), part, total);
    if (i < n) row[i] = carry + before;
    carry += total;
  }
  if (threadIdx.x == 0 && totals != nullptr) totals[blockIdx.x] = carry;
}

}  // namespace tenon::cuda
