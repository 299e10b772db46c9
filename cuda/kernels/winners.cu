// Winner masks: a block a row, which finds the row's threshold by radix and then writes the row.
//
// A pass fixes a byte of the threshold's key, from the highest: the block counts, in shared memory, the bytes of the keys
// that share all bytes fixed before; running sums from the largest byte down tell which one holds the wanted rank. Keys
// of 0 are not counted: behind a ReLU they are the most, would all hit one counter, and stand below all others anyway.
//
// Bound: memory. A float32 element moves 8 bytes of main memory, for a compare in each of four passes; those read the row
// again from the first or the second cache. A block a row: many rows fill the card, while a single long one (AlexNet's
// first layer at batch 1: 290,400 elements) waits for the loads of one block; there `samples` cut the search to a tenth.
// Short rows wait for the 18 barriers of the running sums in each pass. Never timed on a card.
#include "core/ops/contract.h"
#include "cuda/kernels/block_scan.h"
#include "cuda/kernels/winners.h"

namespace tenon::cuda {
namespace {

constexpr int kPlaces = 256;  // that a byte tells apart; also the threads of a block
static_assert(kPlaces == kScanThreads);

// The key of rank p.rank among the row's samples; 0 if that many are not above 0. Every thread gets it.
template <class T>
__device__ MagnitudeKey<T> key_of_rank(const WinnersPlan& p, const T* row, int* found, int* part,
                                       int* chosen) {
  using Key = MagnitudeKey<T>;
  constexpr int kBits = 8 * sizeof(Key);
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t first = thread * p.step % p.n, jump = kPlaces * p.step % p.n;  // of this thread's samples
  Key key = 0;
  auto rank = static_cast<int>(p.rank);
  TENON_ROLLED for (int shift = kBits - 8; shift >= 0; shift -= 8) {
    found[thread] = 0;
    __syncthreads();
    int64_t at = first;
    TENON_ROLLED for (int64_t i = thread; i < p.samples; i += kPlaces) {
      const Key candidate = magnitude_key(row[at]);
      const bool shares = shift == kBits - 8 || (candidate ^ key) >> (shift + 8) == 0;
      if (candidate != 0 && shares) atomicAdd(&found[candidate >> shift & (kPlaces - 1)], 1);
      at += jump;
      if (at >= p.n) at -= p.n;
    }
    __syncthreads();
    const int place = kPlaces - 1 - thread;  // the largest first
    int total;
    const int before = block_scan(found[place], part, total);
    if (rank >= total) return 0;  // for all threads alike
    if (before <= rank && rank < before + found[place]) chosen[0] = place, chosen[1] = rank - before;
    __syncthreads();
    key |= static_cast<Key>(chosen[0]) << shift;
    rank = chosen[1];
  }
  return key;
}

template <class T>
__global__ void __launch_bounds__(kPlaces) winners_kernel(WinnersPlan p, T* y, const T* __restrict__ x) {
  TENON_SHARED(int, found, kPlaces);
  TENON_SHARED(int, part, kPlaces);
  TENON_SHARED(int, chosen, 2);
  const int64_t first = int64_t{blockIdx.x} * p.n;
  const MagnitudeKey<T> threshold = key_of_rank(p, x + first, found, part, chosen);
  TENON_ROLLED for (int64_t i = first + threadIdx.x; i < first + p.n; i += kPlaces) y[i] =
      magnitude_key(x[i]) > threshold ? x[i] : T(0);
}

}  // namespace

void winners(const WinnersPlan& plan, DType dtype, void* y, const void* x) {
  TENON_CHECK(plan.rows <= 0x7fffffff && plan.n <= 0x7fffffff,
              "winners: the CUDA kernel expects less than 2^31 samples of ", "less than 2^31 elements, got ",
              plan.rows, " of ", plan.n);
  visit_floating("winners", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("winners", winners_kernel<T>, {static_cast<unsigned>(plan.rows)}, {kPlaces}, 0, plan,
           static_cast<T*>(y), static_cast<const T*>(x));
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(winners)
