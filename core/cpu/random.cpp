// Blocks of random words side by side: a vector holds the same word of as many blocks as it has 64-bit lanes. The lower
// half of a lane is the word, and what the rounds leave in the upper half never reaches a lower one: a
// multiplication reads the lower halves alone. So a round is two multiplications, two shifts and four exclusive
// ors for 8 blocks (32 words) in AVX-512.
#include "core/cpu/random.h"

#include <hwy/highway.h>

#include <algorithm>

#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kFlops = 128;  // of a block: 2 ns, as so many multiply-adds take
constexpr int64_t kBlocks = 64;  // drawn at a time; their words stay in the first-level cache

using Lanes = hn::ScalableTag<uint64_t>;
using Words = hn::Vec<Lanes>;
static_assert(grain_for_flops(kFlops).items % kBlocks == 0);
static_assert(kBlocks % hn::MaxLanes(Lanes()) == 0);

HWY_INLINE Words product(Words a, uint32_t b) {
  const hn::Repartition<uint32_t, Lanes> halves;
  return hn::MulEven(hn::BitCast(halves, a), hn::Set(halves, b));
}

// The words of kBlocks blocks, as PhiloxStream::block gives them one by one.
void draw_words(const PhiloxStream& stream, uint64_t first_block, uint32_t* words) {
  const Lanes d;
  const Words places = hn::Iota(d, 0);  // once: it goes through memory
  const uint64_t seed0 = stream.seed & 0xffffffff, seed1 = stream.seed >> 32;
  for (int64_t b = 0; b < kBlocks; b += hn::MaxLanes(d)) {
    const Words block = hn::Add(hn::Set(d, first_block + static_cast<uint64_t>(b)), places);
    Words c0 = block, c1 = hn::ShiftRight<32>(block), c2 = hn::Set(d, stream.stream),
          c3 = hn::Set(d, stream.stream >> 32);
    for (uint32_t round = 0; round < 10; ++round) {
      const uint64_t k0 = seed0 + uint64_t{round} * kPhiloxKeyStep0,
                     k1 = seed1 + uint64_t{round} * kPhiloxKeyStep1;
      const Words p0 = product(c0, kPhiloxFactor0), p1 = product(c2, kPhiloxFactor1);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, k0));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, k1));
      c1 = p1, c3 = p0;
    }
    const Words low = hn::Set(d, 0xffffffff);
    hn::StoreInterleaved2(hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1)),
                          hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3)), d,
                          reinterpret_cast<uint64_t*>(words) + 2 * b);
  }
}

}  // namespace

void draw(const Distribution& distribution, const PhiloxStream& stream, uint64_t first_block, int64_t n,
          DType dtype, void* out) {
  drawn::visit(distribution, dtype, [&](auto tag, auto number) {
    auto* const to = static_cast<decltype(tag)*>(out);
    parallel_for((n + 3) / 4, grain_for_flops(kFlops), [&](int64_t begin, int64_t end) {
      alignas(64) uint32_t words[4 * kBlocks];
      const auto of_word = number;  // a local, which no store of bytes can change
      for (int64_t b = begin; b < end; b += kBlocks) {
        draw_words(stream, first_block + static_cast<uint64_t>(b), words);
        const int64_t count = std::min({4 * kBlocks, 4 * (end - b), n - 4 * b});
        auto* const numbers = to + 4 * b;
#pragma GCC ivdep
        for (int64_t i = 0; i < count; ++i) numbers[i] = of_word(words[i]);
      }
    });
  });
}

}  // namespace tenon::cpu
