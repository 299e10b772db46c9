// Host entries of the kernels of sparsity regularisers: device pointers in place of host pointers in the items
// and for `sums`; otherwise the contract of core/cpu/sparsity.h.
#pragma once

#include "core/cpu/sparsity.h"

namespace tenon::cuda {

void abs_sum_sq_sum(const ListLoop& loop, DType dtype, AbsSquareSums* sums);
void regulariser_gradient_add(const ListLoop& loop, DType dtype, Regulariser regulariser, double lambda);
void transformed_l1_gradient_add(const ListLoop& loop, DType dtype, double scale, double p);
void row_column_square_sums(const ListLoop& loop, DType dtype, const GroupExtents* extents, double* sums);
void group_gradient_add(const ListLoop& loop, DType dtype, const GroupExtents* extents,
                        GroupRegulariser regulariser, double row_strength, double column_strength);

}  // namespace tenon::cuda
