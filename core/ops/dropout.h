// Dropout (Srivastava et al., 2014), in the inverted form: what is kept is scaled by 1 / (1 - p), so that
// evaluation needs no dropout at all. float32 or float64; results keep the memory order of x. All throw Error
// on undefined tensors, other dtypes, and p outside [0, 1].
#pragma once

#include "core/random.h"
#include "core/tensor.h"

namespace tenon {

/// What was kept, and the mask (uint8, 1 = kept) that says which.
struct Dropped {
  Tensor y, mask;
};

/// Each element becomes 0 with probability p; mask of x's shape. Element i in row-major order is decided by
/// word i of the generator, which advances alike for every p: neither memory order nor threads nor p change
/// what comes after.
Dropped dropout(const Tensor& x, double p, Generator& generator);
/// Whole channels of x [N, C, *] become 0 (Tompson et al., "Efficient object localization", 2015); mask [N,
/// C, 1, ...].
Dropped dropout_channels(const Tensor& x, double p, Generator& generator);
/// mask ? x / (1 - p) : 0, and 0 everywhere if p = 1; mask uint8, broadcast to x. The gradient of dropout is
/// the same function of the gradient.
Tensor dropout_with_mask(const Tensor& x, const Tensor& mask, double p);

}  // namespace tenon
