// Ops of core/ops/winners.h on Variables.
#pragma once

#include "autograd/variable.h"

namespace tenon {

/// The winners of each sample, as winners on tensors. Only they receive a gradient; the threshold has none.
Variable winners(const Variable& x, int64_t k, int64_t samples = 0);

}  // namespace tenon
