// Host entries of the softmax kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/softmax.h, sums in float64 and errors of labels included.
#pragma once

#include "core/cpu/softmax.h"

namespace tenon::cuda {

void softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x);
void log_softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x);
void logsumexp(const SoftmaxBlock& block, DType dtype, void* y, const void* x);
void softmax_cross_entropy(const SoftmaxBlock& block, DType dtype, void* loss, const void* x,
                           const int64_t* labels, double smoothing);
void softmax_cross_entropy_backward(const SoftmaxBlock& block, DType dtype, void* dx, const void* g,
                                    const void* x, const int64_t* labels, double smoothing);

}  // namespace tenon::cuda
