// Host entries of RoIAlign: device pointers, otherwise the contract of core/cpu/roi_align.h.
#pragma once

#include "core/cpu/roi_align.h"

namespace tenon::cuda {

void roi_align(const RoiAlignPlan& plan, DType dtype, void* y, const void* x, const void* boxes,
               const int64_t* image);
void roi_align_backward(const RoiAlignPlan& plan, DType dtype, void* dx, const void* g, const void* boxes,
                        const int64_t* image);

}  // namespace tenon::cuda
