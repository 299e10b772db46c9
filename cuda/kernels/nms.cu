// Greedy non-maximum suppression in two kernels, without atomics and without the host.
//
// overlap_kernel compares all pairs: a block takes 64 boxes against 64, whose coordinates it shares, and a thread
// writes one word: bit j where its box overlaps box j of the other 64 and stands before it. Of n boxes that is n^2 / 2
// comparisons of some 20 flops in float64, and n^2 / 16 bytes of words: 12000 boxes take 1.4 Gflop and write 9 MB,
// a few microseconds of memory; by that count float64 arithmetic bounds it where a card has little.
//
// What is greedy is a chain, and one block walks it, 64 boxes at a time. Their own words tell, one after the other,
// which of the 64 are kept; that much is one thread's, on words in shared memory. Then all threads strike out what the kept
// ones overlap further on, a word of 64 boxes each, with neighbouring loads. 12000 boxes are 188 turns of two barriers,
// and read the words of kept boxes alone: 0.4 ms were predicted, an H200 takes 1.35.
#include "core/ops/contract.h"
#include "cuda/kernels/nms.h"
#include "cuda/runtime/kernel.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

constexpr int kBits = 64;  // boxes of a word
constexpr int kGreedyThreads = 256;
constexpr int64_t kMostWords = 48 * 1024 / sizeof(uint64_t) - 2 * kBits;  // in shared memory

// words[i, w]: the boxes of word w behind box i that it overlaps. Words before that of box i are not written.
template <class T>
__global__ void __launch_bounds__(kBits)
    overlap_kernel(int64_t count, double threshold, const T* __restrict__ boxes, uint64_t* words) {
  TENON_SHARED(T, others, 4 * kBits);
  const int64_t row = blockIdx.y, column = blockIdx.x;
  if (column < row) return;  // all threads of the block
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t other = column * kBits + thread, own = row * kBits + thread;
  for (int k = 0; k < 4; ++k) others[4 * thread + k] = other < count ? boxes[4 * other + k] : T(0);
  __syncthreads();
  if (own >= count) return;
  T box[4];
  for (int k = 0; k < 4; ++k) box[k] = boxes[4 * own + k];
  uint64_t word = 0;
  for (int j = column == row ? thread + 1 : 0; j < kBits; ++j)
    if (column * kBits + j < count && boxes_overlap(box, others + 4 * j, threshold)) word |= uint64_t{1} << j;
  words[own * gridDim.x + column] = word;
}

__global__ void __launch_bounds__(kGreedyThreads)
    greedy_kernel(int64_t count, int64_t columns, const uint64_t* __restrict__ words, uint8_t* keep) {
  TENON_DYNAMIC_SHARED(uint64_t, struck);  // [columns]
  TENON_SHARED(uint64_t, own, kBits);
  TENON_SHARED(uint64_t, kept, 1);
  const int thread = static_cast<int>(threadIdx.x);
  for (int64_t w = thread; w < columns; w += kGreedyThreads) struck[w] = 0;
  for (int64_t tile = 0; tile < columns; ++tile) {
    const int64_t first = tile * kBits;
    const int boxes = static_cast<int>(count - first < kBits ? count - first : kBits);
    if (thread < boxes) own[thread] = words[(first + thread) * columns + tile];
    __syncthreads();
    if (thread == 0) {
      uint64_t out = struck[tile], in = 0;
      for (int i = 0; i < boxes; ++i) {
        const uint64_t bit = uint64_t{1} << i;
        if ((out & bit) != 0) continue;
        in |= bit;
        out |= own[i];
      }
      kept[0] = in;
    }
    __syncthreads();
    const uint64_t in = kept[0];
    for (int64_t w = tile + 1 + thread; w < columns; w += kGreedyThreads) {
      uint64_t out = struck[w];
      for (int i = 0; i < boxes; ++i)
        if ((in >> i & 1) != 0) out |= words[(first + i) * columns + w];
      struck[w] = out;
    }
    if (thread < boxes) keep[first + thread] = static_cast<uint8_t>(in >> thread & 1);
    __syncthreads();
  }
}

}  // namespace

void nms(int64_t count, double threshold, DType dtype, uint8_t* keep, const void* boxes) {
  const int64_t columns = (count + kBits - 1) / kBits;
  TENON_CHECK(columns <= kMostWords, "nms: the CUDA kernel expects at most ", kMostWords * kBits,
              " boxes, got ", count);
  const Scratch words(static_cast<size_t>(count * columns) * sizeof(uint64_t));
  const auto side = static_cast<unsigned>(columns);
  visit_floating("nms", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch("nms_overlap", overlap_kernel<T>, {side, side}, {kBits}, 0, count, threshold,
           static_cast<const T*>(boxes), words.as<uint64_t>());
  });
  launch("nms_greedy", greedy_kernel, {1}, {kGreedyThreads}, static_cast<size_t>(columns) * sizeof(uint64_t),
         count, columns, words.as<const uint64_t>(), keep);
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(nms)
