// Ops of core/ops/detection.h on Variables. Boxes are constants.
#pragma once

#include "autograd/variable.h"
#include "core/ops/detection.h"

namespace tenon {

Variable roi_align(const Variable& x, const Tensor& boxes, const Tensor& image,
                   const RoiAlignOptions& options);
Variable roi_align_backward(const Variable& g, const Tensor& boxes, const Tensor& image, int64_t images,
                            const Dims& in, const RoiAlignOptions& options);

}  // namespace tenon
