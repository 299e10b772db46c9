// Host entry of the dropout kernel: device pointers in place of host pointers, otherwise the contract of
// core/cpu/dropout.h.
#pragma once

#include "core/cpu/dropout.h"

namespace tenon::cuda {

void dropout_with_mask(const Loop<3>& loop, DType dtype, void* y, const void* x, const uint8_t* mask,
                       double scale);

}  // namespace tenon::cuda
