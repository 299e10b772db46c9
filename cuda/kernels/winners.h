// Host entry of the winner masks: device pointers, otherwise the contract of core/cpu/winners.h.
#pragma once

#include "core/cpu/winners.h"

namespace tenon::cuda {

void winners(const WinnersPlan& plan, DType dtype, void* y, const void* x);

}  // namespace tenon::cuda
