// Random tensors (core/random.h). They are no ops, having no operands to differentiate, but like ops they check,
// allocate and send to the kernels of a device.
#include "core/cpu/random.h"

#include <utility>

#include "core/ops/dispatch.h"
#include "core/random.h"
#include "cuda/kernels/random.h"

namespace tenon {
namespace {

Tensor draw(const Distribution& distribution, const Shape& shape, Generator& generator, DType dtype,
            Device device) {
  Tensor out = Tensor::empty(shape, dtype, device);
  const Generator::State state = generator.state();
  const uint64_t first_block = generator.advance(static_cast<uint64_t>(out.numel())) / 4;
  TENON_DISPATCH(device, draw, distribution, PhiloxStream{state.seed, state.stream}, first_block, out.numel(),
                 dtype, out.raw());
  return out;
}

}  // namespace

Tensor random_uniform(const Shape& shape, Generator& generator, double low, double high, DType dtype,
                      Device device) {
  return draw({.kind = Distribution::Kind::uniform, .a = low, .b = high}, shape, generator, dtype, device);
}

Tensor random_normal(const Shape& shape, Generator& generator, double mean, double std, DType dtype,
                     Device device) {
  return draw({.kind = Distribution::Kind::normal, .a = mean, .b = std}, shape, generator, dtype, device);
}

Tensor random_integers(const Shape& shape, Generator& generator, int64_t low, int64_t high, DType dtype,
                       Device device) {
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  TENON_CHECK(low < high && range <= 0xffffffffu,
              "random_integers: expects low < high, less than 2^32 apart, got ", low, " and ", high);
  return draw({.kind = Distribution::Kind::integers, .low = low, .range = range}, shape, generator, dtype,
              device);
}

Tensor random_bernoulli(const Shape& shape, Generator& generator, double probability, Device device) {
  TENON_CHECK(probability >= 0 && probability <= 1, "random_bernoulli: expects a probability, got ",
              probability);
  return draw(
      {.kind = Distribution::Kind::bernoulli, .threshold = static_cast<uint64_t>(probability * 0x1p32)},
      shape, generator, uint8, device);
}

Tensor random_permutation(int64_t n, Generator& generator) {
  TENON_CHECK(n >= 0 && n <= 0xffffffff, "random_permutation: expects 0 to 2^32 - 1, got ", n);
  Tensor out = Tensor::arange(n);
  int64_t* p = out.data<int64_t>();
  for (int64_t i = n - 1; i > 0; --i) std::swap(p[i], p[generator.next_below(static_cast<uint32_t>(i + 1))]);
  return out;
}

}  // namespace tenon
