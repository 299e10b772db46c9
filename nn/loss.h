// Losses: functions of Variables that return a Variable of rank 0 (mean or sum over all elements) or, unreduced, of the
// elements' shape.
#pragma once

#include "autograd/variable.h"

namespace tenon {

enum class Reduction { mean, sum, none };

/// Softmax cross-entropy of logits [N, classes] against class numbers (int64 [N]): -log softmax(logits)[n, labels[n]].
/// Reduced over N. Throws Error on other shapes or dtypes and on labels outside [0, classes).
Variable cross_entropy(const Variable& logits, const Tensor& labels, Reduction reduction = Reduction::mean);

/// (x - target)^2; the shapes broadcast.
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::mean);
/// |x - target|
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::mean);
/// Binary cross-entropy of sigmoid(x) against targets in [0, 1], without overflow: softplus(x) - x target.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction = Reduction::mean);

/// How many rows of logits [N, classes] have their largest entry at labels[n] (int64 [N]); ties go to the first.
int64_t count_correct(const Tensor& logits, const Tensor& labels);

}  // namespace tenon
