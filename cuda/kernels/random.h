// Host entry of the kernel that draws random tensors: a device pointer in place of a host pointer, otherwise the
// contract of core/cpu/random.h, bits included.
#pragma once

#include "core/cpu/random.h"

namespace tenon::cuda {

void draw(const Distribution& distribution, const PhiloxStream& stream, uint64_t first_block, int64_t n,
          DType dtype, void* out);

}  // namespace tenon::cuda
