// Random numbers by the counter-based generator of core/philox.h. A number depends on (seed, stream, position)
// alone, and is computed where the tensor lies, so a tensor's bits are the same for any number of threads and on
// every device.
#pragma once

#include <array>
#include <cstdint>

#include "core/philox.h"
#include "core/tensor.h"

namespace tenon {

/// A position in one random stream. Copying it copies the position; two generators of the same seed and
/// another stream number are independent.
class Generator {
 public:
  explicit Generator(uint64_t seed = 0, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// What a checkpoint must hold to continue the stream.
  struct State {
    uint64_t seed, stream, position;
  };
  State state() const { return {seed_, stream_, position_}; }
  static Generator from(const State& state) {
    Generator g(state.seed, state.stream);
    g.position_ = state.position;
    return g;
  }

  /// The next 32 bits.
  uint32_t next();
  /// Uniform in [0, n), without bias. n > 0.
  uint32_t next_below(uint32_t n);
  /// Uniform in [0, 1), 24 bits.
  double next_uniform() { return (next() >> 8) * 0x1p-24; }
  /// Takes `words` 32-bit words from the stream, from the next multiple of 4 on, and returns the position of the
  /// first: tensors begin at a block.
  uint64_t advance(uint64_t words);
  /// The four words at position 4 * block.
  std::array<uint32_t, 4> block(uint64_t block) const;

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t position_ = 0;
};

/// The process-wide generator, for callers who do not bring their own.
Generator& default_generator();

/// Uniform in [low, high), 24 random bits an element; float32 or float64.
Tensor random_uniform(const Shape& shape, Generator& generator, double low = 0, double high = 1,
                      DType dtype = float32, Device device = Device::cpu());
/// Normal, drawn in float32 through the inverse distribution function (math::normal_from_symmetric); float32
/// or float64.
Tensor random_normal(const Shape& shape, Generator& generator, double mean = 0, double std = 1,
                     DType dtype = float32, Device device = Device::cpu());
/// Integers in [low, high), any dtype. Throws if the range is empty or wider than 2^32 - 1.
Tensor random_integers(const Shape& shape, Generator& generator, int64_t low, int64_t high,
                       DType dtype = int64, Device device = Device::cpu());
/// uint8: 1 with the given probability, else 0.
Tensor random_bernoulli(const Shape& shape, Generator& generator, double probability,
                        Device device = Device::cpu());
/// 0 .. n - 1 in random order, int64.
Tensor random_permutation(int64_t n, Generator& generator);

}  // namespace tenon
