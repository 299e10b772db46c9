// Host entries of the elementwise kernels: device pointers in place of host pointers, otherwise the contract
// of core/cpu/elementwise.h.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/functors.h"
#include "core/loop.h"

namespace tenon::cuda {

void fill(const Loop<1>& loop, DType dtype, void* y, double value);
void count_up(int64_t n, DType dtype, void* y);
void copy(const Loop<2>& loop, DType to, void* y, DType from, const void* x);
void unary(Unary op, const Loop<2>& loop, DType dtype, void* y, const void* x, double a, double b);
void binary(Binary op, const Loop<3>& loop, DType dtype, void* z, const void* x, const void* y);
void compare(Compare op, const Loop<3>& loop, DType dtype, uint8_t* z, const void* x, const void* y);
void where(const Loop<4>& loop, DType dtype, void* z, const uint8_t* condition, const void* x, const void* y);

}  // namespace tenon::cuda
