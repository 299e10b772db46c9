// Host entries of the sparse products: device pointers, otherwise the contract of core/cpu/sparse.h, but that
// spmm expects an X of unit column stride.
#pragma once

#include "core/cpu/sparse.h"

namespace tenon::cuda {

void spmm(const SpmmPlan& plan, DType dtype, void* y, const void* values, const void* x, const void* bias);
void spmspv(const SpmspvPlan& plan, DType dtype, void* y, const void* values, const void* x,
            const void* bias);
void sddmm(const SddmmPlan& plan, DType dtype, void* values, const void* g, const void* x);

}  // namespace tenon::cuda
