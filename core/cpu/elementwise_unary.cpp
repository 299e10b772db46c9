// One loop, instantiated for each line of TENON_UNARY_OPS.
#include "core/cpu/elementwise.h"
#include "core/cpu/walk.h"

namespace tenon::cpu {
namespace {

// Formulas of a few instructions are bound by memory. An exponential, logarithm or the like takes 0.35 to 0.7 ns (exp
// and tanh), which are some 32 multiply-adds.
Grain grain_of(Unary op, int64_t size) {
  switch (op) {
    case Unary::affine:
    case Unary::abs:
    case Unary::sign:
    case Unary::sqrt:
    case Unary::rsqrt:
    case Unary::reciprocal:
    case Unary::square:
    case Unary::relu:
    case Unary::leaky_relu:
    case Unary::clamp:
    case Unary::floor:
    case Unary::round:
      return grain_for_bytes(2 * size);
    default:
      return grain_for_flops(32);
  }
}

template <class Op, class T>
void run_unary(Grain grain, const Loop<2>& loop, T* y, const T* x, T a, T b) {
  const int64_t sy = loop.stride[0][loop.rank - 1];
  const int64_t sx = loop.stride[1][loop.rank - 1];
  // Flattened: in a file of this size g++ otherwise leaves calls of exp and log, and so a loop without SIMD.
  const auto run = [&](const int64_t(&offset)[2], int64_t n) __attribute__((flatten)) {
    T* py = y + offset[0];
    const T* px = x + offset[1];
    if (sy == 1 && sx == 1) {
      // In-place use (y == x) is allowed; every element is read before it is written.
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) py[i] = Op::template apply<T>(px[i], a, b);
    } else {
      for (int64_t i = 0; i < n; ++i) py[i * sy] = Op::template apply<T>(px[i * sx], a, b);
    }
  };
  walk(loop, grain, run);
}

}  // namespace

void unary(Unary op, const Loop<2>& loop, DType dtype, void* y, const void* x, double a, double b) {
  visit_floating("unary", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Grain grain = grain_of(op, sizeof(T));
    switch (op) {
#define TENON_CASE(name, formula)                                                                 \
  case Unary::name:                                                                               \
    return run_unary<functor::name##_>(grain, loop, static_cast<T*>(y), static_cast<const T*>(x), \
                                       static_cast<T>(a), static_cast<T>(b));
      TENON_UNARY_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

}  // namespace tenon::cpu
