// Resizing on Variables: as core/ops/upsample.h, recorded.
#pragma once

#include "autograd/variable.h"

namespace tenon {

Variable upsample_nearest(const Variable& x, const Dims& size);
Variable upsample_nearest_backward(const Variable& g, const Dims& size);
Variable upsample_linear(const Variable& x, const Dims& size, bool align_corners = false);
Variable upsample_linear_backward(const Variable& g, const Dims& size, bool align_corners = false);

}  // namespace tenon
