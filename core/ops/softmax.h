// Softmax, its logarithm, and the cross-entropy of logits with labels. float32 or float64; results keep the
// memory order of x. No exponential overflows, however large the numbers. All throw Error on undefined
// tensors, axes out of range, and other dtypes.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// e^x / sum e^x along one axis.
Tensor softmax(const Tensor& x, int64_t axis);
/// log(softmax(x)), computed without the quotient.
Tensor log_softmax(const Tensor& x, int64_t axis);
/// log(sum e^x) along one axis; of no elements -infinity. `keep` leaves the axis in place with extent 1.
Tensor logsumexp(const Tensor& x, int64_t axis, bool keep = false);
/// Mean over all rows of -sum_c t_c log softmax(logits)_c, with t the one-hot label mixed with the uniform
/// distribution: t = (1 - smoothing) onehot(label) + smoothing / C (Szegedy et al., "Rethinking the Inception
/// architecture", 2016, section 7). Logits [N, C, *], labels int64 [N, *]; rank 0 result. Throws if a label
/// is not in [0, C), if there are no rows, or if smoothing is not in [0, 1].
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing = 0);
/// Its gradient with respect to the logits, times g (rank 0): g / rows * (softmax(logits) - t).
Tensor softmax_cross_entropy_backward(const Tensor& g, const Tensor& logits, const Tensor& labels,
                                      double smoothing = 0);

}  // namespace tenon
