// The signs of what decompositions leave free, so that results do not depend on the device.
#pragma once

#include "core/math.h"
#include "cuda/kernels/linalg.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

// Threads of a block that gives signs: across, a column each; a column has kSignRows of them.
constexpr int kSignColumns = 32, kSignRows = 8;

// The convention for signs (sign_of_column of core/cpu/jacobi.h), by column j of `by`: both u and v (which may be null).
template <class T>
__global__ void __launch_bounds__(kSignColumns* kSignRows)
    sign_kernel(T* u, int u_rows, T* v, int v_rows, int n, bool by_v) {
  TENON_SHARED(T, largest, kSignRows * kSignColumns);
  TENON_SHARED(int, left, kSignColumns);
  const int column = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int j = static_cast<int>(blockIdx.y) * kSignColumns + column;
  const int64_t b = blockIdx.x;
  u += b * u_rows * n + j;
  if (v != nullptr) v += b * v_rows * n + j;
  const T* const x = by_v ? v : u;
  const int rows = j >= n ? 0 : by_v ? v_rows : u_rows;
  T most = 0;
  for (int i = row; i < rows; i += kSignRows) most = math::maximum(most, std::fabs(x[int64_t{i} * n]));
  largest[row * kSignColumns + column] = most;
  if (row == 0) left[column] = 0;
  __syncthreads();
  for (int i = 0; i < kSignRows; ++i) most = math::maximum(most, largest[i * kSignColumns + column]);
  // The first row that reaches half of it, as the largest of what is left from there on.
  int own = 0;
  for (int i = row; i < rows; i += kSignRows)
    if (own == 0 && std::fabs(x[int64_t{i} * n]) >= most / 2) own = rows - i;
  atomicMax(&left[column], own);
  __syncthreads();
  const bool turn = left[column] > 0 && x[int64_t{rows - left[column]} * n] < 0;
  __syncthreads();  // all have read the sign
  if (!turn) return;
  for (int i = row; i < u_rows; i += kSignRows) u[int64_t{i} * n] = -u[int64_t{i} * n];
  for (int i = row; v != nullptr && i < v_rows; i += kSignRows) v[int64_t{i} * n] = -v[int64_t{i} * n];
}

template <class T>
void fix_signs(int64_t count, T* u, int64_t u_rows, T* v, int64_t v_rows, int64_t n, bool by_v) {
  launch("linalg_signs", sign_kernel<T>,
         {static_cast<unsigned>(count), static_cast<unsigned>((n + kSignColumns - 1) / kSignColumns)},
         {kSignColumns, kSignRows}, 0, u, static_cast<int>(u_rows), v, static_cast<int>(v_rows),
         static_cast<int>(n), by_v);
}

}  // namespace tenon::cuda
