// RFC 1321: the text, a bit 1, zeros, and the length in bits fill blocks of 64 bytes; each is mixed into four words
// by 64 steps, with a message word, a rotation and a constant of its own.
#include "papers/neural_predictor/md5.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace tenon::neural_predictor {
namespace {

constexpr size_t kBlock = 64, kLengthBytes = 8;
constexpr int kRotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

// floor(2^32 |sin(i + 1)|), sec. 3.4.
const std::array<uint32_t, 64> kSines = [] {
  std::array<uint32_t, 64> sines{};
  for (size_t i = 0; i < sines.size(); ++i)
    sines[i] = static_cast<uint32_t>(std::fabs(std::sin(static_cast<double>(i + 1))) * 0x1p32);
  return sines;
}();

using Words = std::array<uint32_t, 4>;

// One of four groups of 16 steps: f mixes three words, message word `first + i stride` is added.
template <class F>
void steps(Words& w, const uint32_t* message, int group, int first, int stride, F f) {
  for (int i = 0; i < 16; ++i) {
    const uint32_t sum = w[0] + f(w[1], w[2], w[3]) + kSines[static_cast<size_t>(16 * group + i)] +
                         message[(first + i * stride) % 16];
    w = {w[3], w[1] + std::rotl(sum, kRotations[group][i % 4]), w[1], w[2]};
  }
}

void mix(Words& state, const char* block) {
  static_assert(std::endian::native == std::endian::little);
  uint32_t message[kBlock / 4];
  std::memcpy(message, block, kBlock);
  Words w = state;
  steps(w, message, 0, 0, 1, [](uint32_t b, uint32_t c, uint32_t d) { return d ^ (b & (c ^ d)); });
  steps(w, message, 1, 1, 5, [](uint32_t b, uint32_t c, uint32_t d) { return c ^ (d & (b ^ c)); });
  steps(w, message, 2, 5, 3, [](uint32_t b, uint32_t c, uint32_t d) { return b ^ c ^ d; });
  steps(w, message, 3, 0, 7, [](uint32_t b, uint32_t c, uint32_t d) { return c ^ (b | ~d); });
  for (size_t i = 0; i < state.size(); ++i) state[i] += w[i];
}

}  // namespace

std::array<char, 32> md5_hex(std::string_view text) {
  Words state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const uint64_t bits = 8 * static_cast<uint64_t>(text.size());
  for (; text.size() >= kBlock; text.remove_prefix(kBlock)) mix(state, text.data());
  char last[2 * kBlock] = {};
  if (!text.empty()) std::memcpy(last, text.data(), text.size());
  last[text.size()] = static_cast<char>(0x80);
  const size_t end = text.size() + 1 + kLengthBytes <= kBlock ? kBlock : 2 * kBlock;
  std::memcpy(last + end - kLengthBytes, &bits, kLengthBytes);
  for (size_t at = 0; at < end; at += kBlock) mix(state, last + at);

  std::array<char, 32> hex;
  for (size_t i = 0; i < 16; ++i) {
    const uint32_t byte = state[i / 4] >> (8 * (i % 4)) & 255;
    hex[2 * i] = "0123456789abcdef"[byte >> 4];
    hex[2 * i + 1] = "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace tenon::neural_predictor
