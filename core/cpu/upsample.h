// CPU kernels of upsampling: one axis at a time, since nearest, bilinear and trilinear maps are products of
// maps of one axis.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tenon {

/// Where output j of an axis looks, n_in elements in, n_out out:
///   nearest         element floor(j n_in / n_out)
///   linear          position (j + 1/2) n_in / n_out - 1/2, not below 0: elements are cells, borders meet
///   linear_aligned  position j (n_in - 1) / (n_out - 1), 0 if n_out = 1: first and last elements meet
/// A position between two elements mixes them; beyond the last there is only the last.
enum class Resample { nearest, linear, linear_aligned };

/// The axis in a dense tensor: x is [outer, n_in, inner] in memory and y [outer, n_out, inner].
struct ResampleBlock {
  int64_t outer = 0, n_in = 0, n_out = 0, inner = 0;
};

namespace cpu {

void resample(Resample mode, const ResampleBlock& block, DType dtype, void* y, const void* x);
/// The transposed map, from g of y's shape to dx of x's.
void resample_transposed(Resample mode, const ResampleBlock& block, DType dtype, void* dx, const void* g);

}  // namespace cpu
}  // namespace tenon
