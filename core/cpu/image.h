// How images lie in memory, for the kernels of convolution and pooling.
#pragma once

#include <cstdint>

#include "core/math.h"

namespace tenon {

/// Steps between elements of [N, C, *spatial]: from image to image, channel to channel, and position to
/// position, where the spatial axes count as one row-major axis. `position` is 1 (row-major), or `channel` is
/// (channels last).
struct ImageSteps {
  int64_t image = 0, channel = 0, position = 0;

  TENON_HD int64_t offset(int64_t n, int64_t c, int64_t p) const {
    return n * image + c * channel + p * position;
  }
};

}  // namespace tenon
