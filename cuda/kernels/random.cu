// Random tensors: a thread draws a block of four words, and makes four neighbouring elements of them, which it
// stores as one word where the last block is whole.
//
// Bound: memory in theory, 4 bytes written for a float32 element; the ten rounds cost about 30 integer
// instructions an element, and the normal distribution some 40 more, so that arithmetic is near.
#include "cuda/kernels/linear.h"
#include "cuda/kernels/random.h"

namespace tenon::cuda {
namespace {

template <class T>
struct alignas(4 * sizeof(T)) Four {
  T v[4];
};

template <class T, class Number>
__global__ void draw_kernel(Number number, PhiloxStream stream, uint64_t first_block, int64_t n, T* out) {
  const int64_t b = linear_index();
  if (4 * b >= n) return;
  const std::array<uint32_t, 4> words = stream.block(first_block + static_cast<uint64_t>(b));
  const Four<T> four{{number(words[0]), number(words[1]), number(words[2]), number(words[3])}};
  if (4 * b + 4 <= n) {
    *reinterpret_cast<Four<T>*>(out + 4 * b) = four;
    return;
  }
  for (int i = 0; i < 4; ++i)
    if (4 * b + i < n) out[4 * b + i] = four.v[i];
}

}  // namespace

void draw(const Distribution& distribution, const PhiloxStream& stream, uint64_t first_block, int64_t n,
          DType dtype, void* out) {
  if (n == 0) return;
  drawn::visit(distribution, dtype, [&](auto tag, auto number) {
    using T = decltype(tag);
    launch("draw", draw_kernel<T, decltype(number)>, {linear_blocks("draw", (n + 3) / 4)}, {kLinearThreads},
           0, number, stream, first_block, n, static_cast<T*>(out));
  });
}

}  // namespace tenon::cuda
