// From a number to a constant of a template.
#pragma once

#include <hwy/base.h>

#include <type_traits>

namespace tenon::cpu {

/// Calls `f(count)` with a count in [kLow, kHigh] as a constant, which it finds by halves.
template <int kLow, int kHigh, class F>
HWY_INLINE void visit_count(int count, F&& f) {
  constexpr int kMiddle = (kLow + kHigh) / 2;
  if constexpr (kLow == kHigh) {
    f(std::integral_constant<int, kLow>());
  } else if (count <= kMiddle) {
    visit_count<kLow, kMiddle>(count, f);
  } else {
    visit_count<kMiddle + 1, kHigh>(count, f);
  }
}

}  // namespace tenon::cpu
