// Softmax and cross-entropy on Variables: as core/ops/softmax.h, recorded.
#pragma once

#include "autograd/variable.h"

namespace tenon {

Variable softmax(const Variable& x, int64_t axis);
Variable log_softmax(const Variable& x, int64_t axis);
Variable logsumexp(const Variable& x, int64_t axis, bool keep = false);
Variable softmax_cross_entropy(const Variable& logits, const Tensor& labels, double smoothing = 0);
Variable softmax_cross_entropy_backward(const Variable& g, const Variable& logits, const Tensor& labels,
                                        double smoothing = 0);

}  // namespace tenon
