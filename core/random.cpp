#include "core/random.h"

namespace tenon {

std::array<uint32_t, 4> Generator::block(uint64_t block) const {
  return PhiloxStream{seed_, stream_}.block(block);
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

}  // namespace tenon
