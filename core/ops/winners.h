// Winner-take-all: of each sample the elements of the largest magnitude stay, the others become 0 (Yang et al., "Joint
// Pruning on Activations and Weights", 2019; k-winners-take-all).
#pragma once

#include "core/tensor.h"

namespace tenon {

/// y = |x| > theta ? x : 0, row-major, for each sample x[n] of x [N, ...], theta being the (k + 1)-th largest magnitude of that
/// sample: exactly k elements stay if no others are as large as theta, and fewer if some are; all stay if k is their
/// number. So zeros never win, and where all are alike none does: y differs from 0 exactly at the winners. A NaN is larger than every number.
///
/// With `samples` > 0, theta is estimated: it is the (k' + 1)-th largest of so many elements of the sample, k' = k *
/// samples / size rounded; all stay if k' = samples. They are taken a fixed step apart, modulo the size, that has no
/// divisor in common with it and is near its golden section, so that they spread over rows, columns and channels alike.
///
/// float32 or float64. Throws Error on undefined tensors, other dtypes, rank 0, and unless 0 <= k <= size and 0 <=
/// samples <= size.
Tensor winners(const Tensor& x, int64_t k, int64_t samples = 0);

/// round(rate * size): how many elements a winner rate keeps of `size`. Throws Error unless 0 <= rate <= 1.
int64_t winner_count(double rate, int64_t size);

}  // namespace tenon
