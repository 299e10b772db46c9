// Host entries of the kernels over lists of tensors: device pointers in place of host pointers in the items,
// which stand on the host themselves; otherwise the contract of core/cpu/lists.h.
#pragma once

#include "core/cpu/lists.h"

namespace tenon::cuda {

void lists_axpy(const ListLoop& loop, DType dtype, double alpha);
void lists_lerp(const ListLoop& loop, DType dtype, double weight);
void lists_scale(const ListLoop& loop, DType dtype, double alpha);
void lists_fill(const ListLoop& loop, DType dtype, double value);
void lists_clamp(const ListLoop& loop, DType dtype, double low, double high);
/// Waits for the result, and copies it to the host.
double lists_sum_of_squares(const ListLoop& loop, DType dtype);

void sgd_step(const ListLoop& loop, DType dtype, const SgdStep& step);
void adam_step(const ListLoop& loop, DType dtype, const AdamStep& step, bool amsgrad);
void rmsprop_step(const ListLoop& loop, DType dtype, const RmspropStep& step);
void adadelta_step(const ListLoop& loop, DType dtype, const AdadeltaStep& step);

}  // namespace tenon::cuda
