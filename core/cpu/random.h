// What a random tensor makes of the words of its stream, one word an element: shared by the kernels of both
// devices, whose tensors have the same bits. Products and sums are fused by hand, so that no compiler chooses.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/dtype.h"
#include "core/math.h"
#include "core/philox.h"

namespace tenon {

struct Distribution {
  enum class Kind { uniform, normal, integers, bernoulli };
  Kind kind;
  double a = 0, b = 0;     ///< uniform: in [a, b); normal: mean and standard deviation
  int64_t low = 0;         ///< integers: from `low` on
  uint64_t range = 0;      ///< integers: how many; < 2^32
  uint64_t threshold = 0;  ///< bernoulli: 1 for the words below it; <= 2^32
};

namespace drawn {

template <class T>
struct Uniform {
  double low, width;
  T top;  ///< rounding may carry a number up to the end, which is not in the range
  TENON_HD T operator()(uint32_t word) const {
    const T v = static_cast<T>(math::fma(width, (word >> 8) * 0x1p-24, low));
    return top < v ? top : v;
  }
};

template <class T>
struct Normal {
  double mean, std;
  TENON_HD T operator()(uint32_t word) const {
    // Odd multiples of 2^-24 in (-1, 1): symmetric, and never an end.
    const float u = static_cast<float>(static_cast<int32_t>(word >> 8) * 2 - 16777215) * 0x1p-24f;
    return static_cast<T>(math::fma(std, static_cast<double>(math::normal_from_symmetric(u)), mean));
  }
};

template <class T>
struct Integers {
  int64_t low;
  uint64_t range;
  // Multiply-shift; its bias is below range / 2^32.
  TENON_HD T operator()(uint32_t word) const {
    return static_cast<T>(low + static_cast<int64_t>((uint64_t{word} * range) >> 32));
  }
};

struct Bernoulli {
  uint32_t threshold;
  bool always;  ///< the threshold is 2^32
  TENON_HD uint8_t operator()(uint32_t word) const {
    return static_cast<uint8_t>((word < threshold) | always);
  }
};

/// Calls f(T{}, number) with the dtype's T, and with what turns a word into a T.
template <class F>
void visit(const Distribution& d, DType dtype, F&& f) {
  switch (d.kind) {
    case Distribution::Kind::uniform:
      return visit_floating("random_uniform", dtype, [&](auto tag) {
        using T = decltype(tag);
        f(tag, Uniform<T>{d.a, d.b - d.a, std::nextafter(static_cast<T>(d.b), static_cast<T>(d.a))});
      });
    case Distribution::Kind::normal:
      return visit_floating("random_normal", dtype, [&](auto tag) {
        f(tag, Normal<decltype(tag)>{d.a, d.b});
      });
    case Distribution::Kind::integers:
      return visit_dtype(dtype, [&](auto tag) { f(tag, Integers<decltype(tag)>{d.low, d.range}); });
    case Distribution::Kind::bernoulli:
      return f(uint8_t{}, Bernoulli{static_cast<uint32_t>(d.threshold), d.threshold >> 32 != 0});
  }
}

}  // namespace drawn

namespace cpu {
/// Element i of n from word i % 4 of block first_block + i / 4. Bernoulli's dtype is uint8.
void draw(const Distribution& distribution, const PhiloxStream& stream, uint64_t first_block, int64_t n,
          DType dtype, void* out);
}  // namespace cpu

}  // namespace tenon
