// Winner-take-all masks: what the kernels of both devices share, and the CPU kernel.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

/// Rows of x and y lie one after the other. The threshold of a row is the key of rank `rank` (from 0, the largest
/// first) among its elements 0, step, 2 step, ... modulo n, `samples` of them; the row keeps what lies above.
struct WinnersPlan {
  int64_t rows = 0, n = 0;
  int64_t samples = 0, step = 1, rank = 0;  ///< rank < samples; step has no divisor in common with n
};

/// An unsigned integer that stands to others as |x| does, 0 for 0: the bits without the sign. A NaN stands above infinity.
template <class T>
TENON_HD auto magnitude_key(T x) {
  using Key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  return static_cast<Key>(std::bit_cast<Key>(x) << 1);
}
template <class T>
using MagnitudeKey = decltype(magnitude_key(T{}));

namespace cpu {
void winners(const WinnersPlan& plan, DType dtype, void* y, const void* x);
}

}  // namespace tenon
