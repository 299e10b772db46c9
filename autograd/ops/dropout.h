// Dropout on Variables: as core/ops/dropout.h, recorded.
#pragma once

#include "autograd/variable.h"
#include "core/random.h"

namespace tenon {

Variable dropout(const Variable& x, double p, Generator& generator);
Variable dropout_channels(const Variable& x, double p, Generator& generator);
Variable dropout_with_mask(const Variable& x, const Tensor& mask, double p);

}  // namespace tenon
