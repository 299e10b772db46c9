// Host entries of the deformable columns: device pointers, otherwise the contract of core/cpu/deformable.h.
#pragma once

#include "core/cpu/deformable.h"

namespace tenon::cuda {

void deformable_columns(const DeformablePlan& plan, DType dtype, void* columns, const void* x,
                        const void* offset, const void* mask);
void deformable_columns_backward_input(const DeformablePlan& plan, DType dtype, void* dx, const void* g,
                                       const void* offset, const void* mask);
void deformable_columns_backward_offset(const DeformablePlan& plan, DType dtype, void* doffset, void* dmask,
                                        const void* g, const void* x, const void* offset, const void* mask);

}  // namespace tenon::cuda
