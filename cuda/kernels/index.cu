// gather, scatter_add, index_add, nonzero, and the check of indices.
//
// gather: a thread an element. Bound: memory; a float32 element moves 16 bytes (8 of them its index) where the
// index varies with every element, 8 where whole rows are copied, as in an embedding.
//
// scatter_add and index_add are turned round: a thread an element of the result, which sums what is meant for
// it, in the order of the indices, in float64 for floats. So there are no atomics, and the sum is the host's to
// the bit. To find what is meant for a place, the indices of a line are sorted first (index_order.cu,
// stable), so that those of a place stand together, and a search finds where each place begins. Where a line
// has 32 indices at most, the thread looks through all of them instead: one launch in place of four or more,
// and at most 256 bytes of indices that its warp shares. Bound: memory, and for a place that many indices name
// the latency of its one sum.
//
// nonzero: a block counts the elements of a chunk of 8192, a scan of the counts tells where each chunk's
// positions begin, and the block writes them: the chunk again in pieces of 256, in which the rank of an element
// comes of a ballot. Bound: memory; x is read twice, 8 bytes are written for each position.
#include <bit>
#include <optional>

#include "core/ops/contract.h"
#include "core/reducers.h"
#include "cuda/kernels/block_scan.h"
#include "cuda/kernels/block_sum.h"
#include "cuda/kernels/buckets.h"
#include "cuda/kernels/index.h"
#include "cuda/kernels/loop_kernel.h"
#include "cuda/runtime/error_flag.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

template <class T>
using Sum = reducer::Sum::Acc<T>;

struct OutsideBody {
  const int64_t* index;
  int64_t extent;
  Reporter outside;
  __device__ void operator()(const int64_t (&at)[1]) const {
    if (index[at[0]] < 0 || index[at[0]] >= extent) outside.report(at[0]);
  }
};

template <class T>
struct GatherBody {
  T* y;
  const int64_t* index;
  const T* x;
  int64_t step;
  TENON_HD void operator()(const int64_t (&offset)[3]) const {
    y[offset[0]] = x[offset[2] + index[offset[1]] * step];
  }
};

// ---- scatter_add, index_add -------------------------------------------------------------------------

constexpr int64_t kFewIndices = 32;

// The sum of source[i * step] over the i with index[i * index_step] = place.
template <class T>
TENON_HD T sum_of_matching(const int64_t* index, int64_t index_step, int64_t count, int64_t place,
                           const T* source, int64_t step) {
  Sum<T> sum = 0;
  for (int64_t i = 0; i < count; ++i)
    if (index[i * index_step] == place) sum += static_cast<Sum<T>>(source[i * step]);
  return static_cast<T>(sum);
}

// The same over the items of a bucket.
template <class T>
TENON_HD T sum_of_items(const int64_t* item, const int64_t* end, const T* source, int64_t step) {
  Sum<T> sum = 0;
  for (; item != end; ++item) sum += static_cast<Sum<T>>(source[*item * step]);
  return static_cast<T>(sum);
}

// Element `at` of the result, counted line by line. Without buckets the indices are looked through.
template <class T>
struct ScatterAddBody {
  Lines<3> lines;  // y, index, source
  Buckets::View buckets;
  T* y;
  const int64_t* index;
  const T* source;
  TENON_HD void operator()(const int64_t (&at)[1]) const {
    const int64_t line = at[0] / lines.count[0], place = at[0] % lines.count[0];
    int64_t offset[3];
    lines.starts.offsets_of(line, offset);
    T* const to = y + offset[0] + place * lines.step[0];
    const T* const from = source + offset[2];
    if (buckets.items == nullptr) {
      *to = sum_of_matching(index + offset[1], lines.step[1], lines.count[1], place, from, lines.step[2]);
    } else {
      *to = sum_of_items(buckets.begin(line, place), buckets.end(line, place), from, lines.step[2]);
    }
  }
};

template <class T>
struct IndexAddBody {
  Buckets::View buckets;
  T* y;
  const int64_t* rows;
  const T* source;
  int64_t step;
  const int64_t* index;
  int64_t count;
  TENON_HD void operator()(const int64_t (&offset)[3]) const {
    const int64_t place = rows[offset[1]];
    const T* const from = source + offset[2];
    y[offset[0]] = buckets.items == nullptr
                       ? sum_of_matching(index, 1, count, place, from, step)
                       : sum_of_items(buckets.begin(0, place), buckets.end(0, place), from, step);
  }
};

// ---- nonzero ----------------------------------------------------------------------------------------

template <class T>
__global__ void __launch_bounds__(kScanThreads) count_nonzero_kernel(const T* x, int64_t n, int64_t* counts) {
  TENON_SHARED(int64_t, part, kScanThreads);
  const int64_t first = blockIdx.x * kNonzeroChunk;
  const int64_t end = first + kNonzeroChunk < n ? first + kNonzeroChunk : n;
  int64_t count = 0;
  for (int64_t i = first + threadIdx.x; i < end; i += kScanThreads) count += x[i] != T(0);
  count = block_sum(count, part);
  if (threadIdx.x == 0) counts[blockIdx.x] = count;
}

template <class T>
__global__ void __launch_bounds__(kScanThreads)
    nonzero_kernel(const T* x, int64_t n, const int64_t* starts, int64_t* positions) {
  constexpr unsigned kWarps = kScanThreads / 32;
  TENON_SHARED(int, counts, kWarps);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t chunk = blockIdx.x * kNonzeroChunk;
  int64_t at = starts[blockIdx.x];
  for (int64_t first = chunk; first < chunk + kNonzeroChunk && first < n; first += kScanThreads) {
    const int64_t i = first + threadIdx.x;
    const bool is_nonzero = i < n && x[i] != T(0);
    const unsigned votes = __ballot_sync(0xffffffffu, is_nonzero);
    if (lane == 0) counts[warp] = std::popcount(votes);
    __syncthreads();
    int before = std::popcount(votes & ((1u << lane) - 1)), total = 0;
    for (unsigned w = 0; w < kWarps; ++w) {
      if (w < warp) before += counts[w];
      total += counts[w];
    }
    if (is_nonzero) positions[at + before] = i;
    at += total;
    __syncthreads();  // before the counts are overwritten
  }
}

unsigned chunks_of(int64_t n) {
  const int64_t chunks = (n + kNonzeroChunk - 1) / kNonzeroChunk;
  TENON_CHECK(chunks <= 0x7fffffff, "nonzero: ", n, " elements are too many for one launch");
  return static_cast<unsigned>(chunks);
}

}  // namespace

int64_t first_outside(const Loop<1>& loop, int64_t extent, const int64_t* index) {
  const ErrorFlag outside;
  launch_loop("index_check", loop, OutsideBody{index, extent, outside.reporter()});
  return outside.lowest();
}

void gather(const Loop<3>& loop, int64_t step, DType dtype, void* y, const int64_t* index, const void* x) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop("gather", loop, GatherBody<T>{static_cast<T*>(y), index, static_cast<const T*>(x), step});
  });
}

void scatter_add(const Lines<3>& lines, DType dtype, void* y, const int64_t* index, const void* source) {
  const int64_t extent = lines.count[0];
  std::optional<Buckets> buckets;
  if (lines.count[1] > kFewIndices)
    buckets.emplace(lines.starts, 1, lines.step[1], lines.count[1], extent, index);
  const Buckets::View view = buckets ? buckets->view() : Buckets::View();
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop("scatter_add", count_to(lines.starts.numel * extent),
                ScatterAddBody<T>{lines, view, static_cast<T*>(y), index, static_cast<const T*>(source)});
  });
}

void index_add(const Loop<3>& loop, int64_t step, const int64_t* index, int64_t count, int64_t extent,
               DType dtype, void* y, const int64_t* rows, const void* source) {
  std::optional<Buckets> buckets;
  if (count > kFewIndices) buckets.emplace(count_to(1), 0, 1, count, extent, index);
  const Buckets::View view = buckets ? buckets->view() : Buckets::View();
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_loop(
        "index_add", loop,
        IndexAddBody<T>{view, static_cast<T*>(y), rows, static_cast<const T*>(source), step, index, count});
  });
}

int64_t nonzero_starts(int64_t n, DType dtype, const void* x, int64_t* starts) {
  const unsigned chunks = chunks_of(n);
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("count_nonzero", count_nonzero_kernel<T>, {chunks}, {kScanThreads}, 0, static_cast<const T*>(x), n,
           starts);
  });
  const Scratch total(sizeof(int64_t));
  launch("nonzero_scan", scan_rows_kernel<int64_t>, {1}, {kScanThreads}, 0, starts, int64_t{chunks},
         total.as<int64_t>());
  return value_at(total.as<int64_t>());
}

void nonzero(int64_t n, DType dtype, const void* x, const int64_t* starts, int64_t* positions) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("nonzero", nonzero_kernel<T>, {chunks_of(n)}, {kScanThreads}, 0, static_cast<const T*>(x), n,
           starts, positions);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(gather)
TENON_CUDA_ENTRY(scatter_add)
TENON_CUDA_ENTRY(index_select)
TENON_CUDA_ENTRY(index_add)
TENON_CUDA_ENTRY(masked_select)
TENON_CUDA_ENTRY(nonzero)
// Paddings that repeat elements are an index_select on every axis.
TENON_CUDA_ENTRY(pad_reflect)
TENON_CUDA_ENTRY(pad_replicate)
