// CPU kernels of the reduce family, and the description of a reduction that the CUDA kernels share.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/loop.h"

namespace tenon {

/// y = reduction of f(x) over the reduced axes. Sums accumulate in float64 for float32 input (in the dtype
/// itself for float64), so their error does not grow with the count; integers accumulate in int64.
///   sum: x    sum_of_abs: |x|    sum_of_squares: x^2    max, min: x, NaN if any is NaN
enum class Reduce { sum, sum_of_abs, sum_of_squares, max, min };

/// One item of `kept` (operand 0 = y, operand 1 = x) for each result; `reduced` walks x within one result.
struct ReduceLoop {
  Loop<2> kept;
  Loop<1> reduced;
};

namespace cpu {

/// y = scale * reduction, converted to the dtype; `scale` (1 or 1 / count) is for the sums.
void reduce(Reduce op, const ReduceLoop& loop, DType dtype, void* y, const void* x, double scale);
/// Extreme value along one axis and where it stands: the first index of the extreme, or of the first NaN.
/// `loop.reduced` has rank 1 and walks the axis in its logical order. `indices` has the layout of y.
void reduce_with_index(Reduce op, const ReduceLoop& loop, DType dtype, void* y, int64_t* indices,
                       const void* x);

}  // namespace cpu
}  // namespace tenon
