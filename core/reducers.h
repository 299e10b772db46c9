// What a reduction does with one more item, and how two partial results join. Shared by the CPU and the CUDA
// kernels, as are the types that they accumulate in.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/math.h"

namespace tenon::reducer {

/// A reducer has Acc<T>, the type that it accumulates items of type T in; first() of no items; step(acc, x)
/// with one more item; join(a, b) of two partial results, a's items standing before b's.
struct Sum {
  template <class T>
  using Acc = std::conditional_t<std::is_floating_point_v<T>, double, int64_t>;
  template <class A, class T>
  TENON_HD static A first() {
    return A(0);
  }
  template <class A, class T>
  TENON_HD static A step(A acc, T x) {
    return acc + static_cast<A>(x);
  }
  template <class A>
  TENON_HD static A join(A a, A b) {
    return a + b;
  }
};

struct SumOfAbs : Sum {
  template <class A, class T>
  TENON_HD static A step(A acc, T x) {
    if constexpr (std::is_unsigned_v<T>) {
      return acc + static_cast<A>(x);
    } else {
      return acc + static_cast<A>(x < 0 ? -x : x);
    }
  }
};

struct SumOfSquares : Sum {
  template <class A, class T>
  TENON_HD static A step(A acc, T x) {
    return acc + static_cast<A>(x) * static_cast<A>(x);
  }
};

/// NaN wins.
struct Max {
  template <class T>
  using Acc = T;
  template <class A, class T>
  TENON_HD static A first() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  }
  template <class A, class T>
  TENON_HD static A step(A acc, T x) {
    return acc != acc || acc > x ? acc : x;
  }
  template <class A>
  TENON_HD static A join(A a, A b) {
    return step(a, b);
  }
};

/// NaN wins.
struct Min {
  template <class T>
  using Acc = T;
  template <class A, class T>
  TENON_HD static A first() {
    using Limits = std::numeric_limits<T>;
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  }
  template <class A, class T>
  TENON_HD static A step(A acc, T x) {
    return acc != acc || acc < x ? acc : x;
  }
  template <class A>
  TENON_HD static A join(A a, A b) {
    return step(a, b);
  }
};

/// A sum or extreme as the result's dtype; `scale` is 1 / count for a mean.
template <class T, class A>
TENON_HD T finish(A acc, double scale) {
  return scale == 1 ? static_cast<T>(acc) : static_cast<T>(static_cast<double>(acc) * scale);
}

}  // namespace tenon::reducer
