// Host entry of non-maximum suppression: device pointers, otherwise the contract of core/cpu/nms.h.
#pragma once

#include "core/cpu/nms.h"

namespace tenon::cuda {

void nms(int64_t count, double threshold, DType dtype, uint8_t* keep, const void* boxes);

}  // namespace tenon::cuda
