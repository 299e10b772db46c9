// CPU kernels of the elementwise family. Pointers, loops and parameters in, numbers out; they know no Tensor.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/functors.h"
#include "core/loop.h"

namespace tenon::cpu {

// `y`, `z` are results. `dtype` is that of the operands (of the inputs, for compare). Operand order in a
// Loop: result first, then inputs left to right.
void fill(const Loop<1>& loop, DType dtype, void* y, double value);
/// y[i] = i for i < n
void count_up(int64_t n, DType dtype, void* y);
void copy(const Loop<2>& loop, DType to, void* y, DType from, const void* x);
void unary(Unary op, const Loop<2>& loop, DType dtype, void* y, const void* x, double a, double b);
void binary(Binary op, const Loop<3>& loop, DType dtype, void* z, const void* x, const void* y);
void compare(Compare op, const Loop<3>& loop, DType dtype, uint8_t* z, const void* x, const void* y);
/// z = condition ? x : y
void where(const Loop<4>& loop, DType dtype, void* z, const uint8_t* condition, const void* x, const void* y);

}  // namespace tenon::cpu
