#include "core/random.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/math.h"
#include "core/parallel.h"

namespace tenon {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53} * c[0];
    uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return c;
}

std::array<uint32_t, 4> Generator::block(uint64_t block) const {
  return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                 static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                {static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32)});
}

uint32_t Generator::next() {
  uint64_t position = position_++;
  return block(position / 4)[position % 4];
}

uint32_t Generator::next_below(uint32_t n) {
  TENON_CHECK(n > 0, "next_below: expects n > 0");
  // Lemire's multiply-and-reject.
  uint32_t threshold = -n % n;
  while (true) {
    uint64_t product = uint64_t{next()} * n;
    if (static_cast<uint32_t>(product) >= threshold) return static_cast<uint32_t>(product >> 32);
  }
}

uint64_t Generator::advance(uint64_t words) {
  // So that element i is word i % 4 of block i / 4, whatever was drawn before.
  uint64_t first = (position_ + 3) / 4 * 4;
  position_ = first + words;
  return first;
}

Generator& default_generator() {
  static Generator generator(0);
  return generator;
}

namespace {

// out[i] = f(word i), one 32-bit word an element.
template <class T, class F>
void draw(T* out, int64_t n, Generator& generator, F f) {
  uint64_t first_block = generator.advance(static_cast<uint64_t>(n)) / 4;
  const Generator stream = generator;
  parallel_for((n + 3) / 4, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      auto words = stream.block(first_block + static_cast<uint64_t>(b));
      int64_t count = std::min<int64_t>(4, n - b * 4);
      for (int64_t i = 0; i < count; ++i) out[b * 4 + i] = f(words[static_cast<size_t>(i)]);
    }
  });
}

}  // namespace

Tensor random_uniform(const Shape& shape, Generator& generator, double low, double high, DType dtype,
                      Device device) {
  Tensor out = Tensor::empty(shape, dtype);
  visit_floating("random_uniform", dtype, [&](auto tag) {
    using T = decltype(tag);
    // Rounding may carry a number up to `high`, which is not in the range.
    const T top = std::nextafter(static_cast<T>(high), static_cast<T>(low));
    draw(out.data<T>(), out.numel(), generator, [&](uint32_t word) {
      return std::min(static_cast<T>(low + (high - low) * ((word >> 8) * 0x1p-24)), top);
    });
  });
  return out.to(device);
}

Tensor random_normal(const Shape& shape, Generator& generator, double mean, double std, DType dtype,
                     Device device) {
  Tensor out = Tensor::empty(shape, dtype);
  visit_floating("random_normal", dtype, [&](auto tag) {
    using T = decltype(tag);
    draw(out.data<T>(), out.numel(), generator, [&](uint32_t word) {
      // Odd multiples of 2^-24 in (-1, 1): symmetric, and never an end.
      float u = static_cast<float>(static_cast<int32_t>(word >> 8) * 2 - 16777215) * 0x1p-24f;
      return static_cast<T>(mean + std * static_cast<double>(math::normal_from_symmetric(u)));
    });
  });
  return out.to(device);
}

Tensor random_integers(const Shape& shape, Generator& generator, int64_t low, int64_t high, DType dtype,
                       Device device) {
  TENON_CHECK(low < high && static_cast<uint64_t>(high - low) <= 0xffffffffu,
              "random_integers: expects low < high, less than 2^32 apart, got ", low, " and ", high);
  const uint64_t range = static_cast<uint64_t>(high - low);
  Tensor out = Tensor::empty(shape, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    // Multiply-shift; its bias is below range / 2^32.
    draw(out.data<T>(), out.numel(), generator, [&](uint32_t word) {
      return static_cast<T>(low + static_cast<int64_t>((uint64_t{word} * range) >> 32));
    });
  });
  return out.to(device);
}

Tensor random_bernoulli(const Shape& shape, Generator& generator, double probability, Device device) {
  TENON_CHECK(probability >= 0 && probability <= 1, "random_bernoulli: expects a probability, got ",
              probability);
  Tensor out = Tensor::empty(shape, uint8);
  const uint64_t threshold = static_cast<uint64_t>(probability * 0x1p32);
  draw(out.data<uint8_t>(), out.numel(), generator,
       [&](uint32_t word) { return static_cast<uint8_t>(word < threshold); });
  return out.to(device);
}

Tensor random_permutation(int64_t n, Generator& generator) {
  TENON_CHECK(n >= 0 && n <= 0xffffffff, "random_permutation: expects 0 to 2^32 - 1, got ", n);
  Tensor out = Tensor::arange(n);
  int64_t* p = out.data<int64_t>();
  for (int64_t i = n - 1; i > 0; --i) std::swap(p[i], p[generator.next_below(static_cast<uint32_t>(i + 1))]);
  return out;
}

}  // namespace tenon
