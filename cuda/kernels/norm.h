// Host entries of the normalisation kernels: device pointers in place of host pointers (mean and variance lie on
// the device too), otherwise the contract of core/cpu/norm.h, its accuracy included.
#pragma once

#include "core/cpu/norm.h"

namespace tenon::cuda {

void norm_statistics(const NormBlock& block, DType dtype, double* mean, double* variance, const void* x);
void norm_apply(const NormBlock& block, DType dtype, double eps, void* y, const void* x, const double* mean,
                const double* variance, const void* weight, const void* bias, const NormFinish& finish);
void norm_backward(const NormBlock& block, DType dtype, double eps, void* dx, void* dweight, void* dbias,
                   const void* g, const void* x, const double* mean, const double* variance,
                   const void* weight, const NormReluOutput& relu);
void move_statistics(const Loop<4>& loop, DType dtype, void* running_mean, void* running_variance,
                     const double* mean, const double* variance, double momentum, double scale);

}  // namespace tenon::cuda
