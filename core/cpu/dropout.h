// CPU kernel of dropout.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/loop.h"

namespace tenon::cpu {

/// y = mask ? scale x : 0
void dropout_with_mask(const Loop<3>& loop, DType dtype, void* y, const void* x, const uint8_t* mask,
                       double scale);

}  // namespace tenon::cpu
