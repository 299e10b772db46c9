// Losses: functions of Variables that return a Variable of rank 0 (mean or sum over all elements) or,
// unreduced, of the elements' shape.
#pragma once

#include "autograd/ops/softmax.h"

namespace tenon {

enum class Reduction { mean, sum, none };

/// Mean softmax cross-entropy of logits [N, classes, ...] against class numbers (int64 [N, ...]), with label
/// smoothing: the op softmax_cross_entropy under the name that networks know it by.
inline Variable cross_entropy(const Variable& logits, const Tensor& labels, double smoothing = 0) {
  return softmax_cross_entropy(logits, labels, smoothing);
}

/// (x - target)^2; the shapes broadcast.
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::mean);
/// |x - target|
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::mean);
/// Binary cross-entropy of sigmoid(x) against targets in [0, 1], without overflow: softplus(x) - x target.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction = Reduction::mean);

/// How many rows of logits [N, classes] have their largest entry at labels[n] (int64 [N]); ties go to the
/// first.
int64_t count_correct(const Tensor& logits, const Tensor& labels);

}  // namespace tenon
