// Host entries of the index kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/index.h.
#pragma once

#include "core/cpu/index.h"

namespace tenon::cuda {

/// Waits for the answer.
int64_t first_outside(const Loop<1>& loop, int64_t extent, const int64_t* index);
void gather(const Loop<3>& loop, int64_t step, DType dtype, void* y, const int64_t* index, const void* x);
void scatter_add(const Lines<3>& lines, DType dtype, void* y, const int64_t* index, const void* source);
void index_add(const Loop<3>& loop, int64_t step, const int64_t* index, int64_t count, int64_t extent,
               DType dtype, void* y, const int64_t* rows, const void* source);

/// Waits for the total, and copies it to the host.
int64_t nonzero_starts(int64_t n, DType dtype, const void* x, int64_t* starts);
void nonzero(int64_t n, DType dtype, const void* x, const int64_t* starts, int64_t* positions);

void sort(const Lines<3>& lines, bool descending, DType dtype, void* values, int64_t* indices, const void* x);
/// sort, ascending, of int64 numbers in [0, extent].
void sort_indices(const Lines<3>& lines, int64_t extent, int64_t* sorted, int64_t* items,
                  const int64_t* index);
void cumsum(const Lines<2>& lines, bool reverse, DType dtype, void* y, const void* x);

}  // namespace tenon::cuda
