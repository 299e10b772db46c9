// The elementwise ops, one line each: name and formula. The CPU and the CUDA kernels are generated from these
// tables, so a formula stands in exactly one place.
#pragma once

#include "core/math.h"

// clang-format off
// Unary: y = f(x; a, b), floats. a and b are the op's parameters, unused by most.
#define TENON_UNARY_OPS(X)                                                    \
  X(affine, math::fma(a, x, b))                                               \
  X(abs, std::fabs(x))                                                        \
  X(sign, T(x > 0) - T(x < 0))                                                \
  X(exp, math::exp(x))                                                        \
  X(log, math::log(x))                                                        \
  X(log1p, math::log1p(x))                                                    \
  X(sqrt, std::sqrt(x))                                                       \
  X(rsqrt, T(1) / std::sqrt(x))                                               \
  X(reciprocal, T(1) / x)                                                     \
  X(square, x * x)                                                            \
  X(pow_scalar, static_cast<T>(std::pow(x, a)))                               \
  X(sin, std::sin(x))                                                         \
  X(cos, std::cos(x))                                                         \
  X(erf, std::erf(x))                                                         \
  X(tanh, math::tanh(x))                                                      \
  X(sigmoid, math::sigmoid(x))                                                \
  X(softplus, math::softplus(x))                                              \
  X(relu, math::maximum(x, T(0)))                                             \
  X(leaky_relu, x > 0 ? x : a * x)                                            \
  X(elu, x > 0 ? x : a * (math::exp(x) - T(1)))                               \
  X(clamp, math::minimum(math::maximum(x, a), b))                             \
  X(floor, std::floor(x))                                                     \
  X(round, std::nearbyint(x))

// Binary: z = f(x, y), any dtype for the first four, minimum and maximum; floats for pow.
#define TENON_BINARY_OPS(X)         \
  X(add, math::add(x, y))           \
  X(sub, math::sub(x, y))           \
  X(mul, math::mul(x, y))           \
  X(div, x / y)                     \
  X(maximum, math::maximum(x, y))   \
  X(minimum, math::minimum(x, y))   \
  X(pow, static_cast<T>(std::pow(x, y))) \
  X(relu_backward, y > T{0} ? x : T{0})

// Comparison: z = f(x, y) in uint8.
#define TENON_COMPARE_OPS(X) \
  X(equal, x == y)           \
  X(not_equal, x != y)       \
  X(less, x < y)             \
  X(less_equal, x <= y)      \
  X(greater, x > y)          \
  X(greater_equal, x >= y)
// clang-format on

namespace tenon {

#define TENON_NAME(name, formula) name,
enum class Unary { TENON_UNARY_OPS(TENON_NAME) };
enum class Binary { TENON_BINARY_OPS(TENON_NAME) };
enum class Compare { TENON_COMPARE_OPS(TENON_NAME) };
#undef TENON_NAME

namespace functor {

#define TENON_UNARY_FUNCTOR(name, formula)                                     \
  struct name##_ {                                                             \
    template <class T>                                                         \
    TENON_HD static T apply(T x, [[maybe_unused]] T a, [[maybe_unused]] T b) { \
      return formula;                                                          \
    }                                                                          \
  };
#define TENON_BINARY_FUNCTOR(name, formula) \
  struct name##_ {                          \
    template <class T>                      \
    TENON_HD static T apply(T x, T y) {     \
      return static_cast<T>(formula);       \
    }                                       \
  };
#define TENON_COMPARE_FUNCTOR(name, formula)        \
  struct name##_ {                                  \
    template <class T>                              \
    TENON_HD static unsigned char apply(T x, T y) { \
      return static_cast<unsigned char>(formula);   \
    }                                               \
  };
TENON_UNARY_OPS(TENON_UNARY_FUNCTOR)
TENON_BINARY_OPS(TENON_BINARY_FUNCTOR)
TENON_COMPARE_OPS(TENON_COMPARE_FUNCTOR)
#undef TENON_UNARY_FUNCTOR
#undef TENON_BINARY_FUNCTOR
#undef TENON_COMPARE_FUNCTOR

}  // namespace functor
}  // namespace tenon
