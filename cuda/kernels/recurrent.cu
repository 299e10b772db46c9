// The LSTM cell, a thread a unit: neighbouring threads take neighbouring units of a row, so each of their five loads
// (forward) or seven (backward) is of whole lines, and all are under way before the first exponential.
//
// Bound: memory. A float32 unit moves 28 bytes forward (its four gates and its state in, two states out) and 48 back
// (those, two gradients in, five out), for some 150 flops. Backward computes the gates again from what came in. Had
// forward kept them, it would write 16 bytes more and backward read as many as now: 92 bytes for 76.
#include "core/ops/contract.h"
#include "cuda/kernels/linear.h"
#include "cuda/kernels/recurrent.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {
namespace {

// The place of a unit's first gate.
template <class Index>
__device__ int64_t gates_of(int64_t unit, int64_t hidden) {
  const int64_t row = static_cast<Index>(unit) / static_cast<Index>(hidden);
  return unit + 3 * row * hidden;
}

template <class T, class Index>
__global__ void __launch_bounds__(kLinearThreads)
    lstm_cell_kernel(LstmShape shape, T* new_hidden, T* new_cell, const T* gates, const T* cell) {
  const int64_t i = linear_index();
  if (i >= shape.rows * shape.hidden) return;
  lstm_unit(gates + gates_of<Index>(i, shape.hidden), shape.hidden, cell[i], new_hidden + i, new_cell + i);
}

template <class T, class Index>
__global__ void __launch_bounds__(kLinearThreads)
    lstm_cell_backward_kernel(LstmShape shape, T* d_gates, T* d_cell, const T* g_hidden, const T* g_cell,
                              const T* gates, const T* cell) {
  const int64_t i = linear_index();
  if (i >= shape.rows * shape.hidden) return;
  const int64_t at = gates_of<Index>(i, shape.hidden);
  lstm_unit_backward(g_hidden[i], g_cell[i], gates + at, shape.hidden, cell[i], d_gates + at, d_cell + i);
}

}  // namespace

void lstm_cell(const LstmShape& shape, DType dtype, void* new_hidden, void* new_cell, const void* gates,
               const void* cell) {
  const char* op = "lstm_cell";
  const int64_t units = shape.rows * shape.hidden;
  visit_floating(op, dtype, [&](auto tag) {
    visit_index(units, [&](auto index) {
      using T = decltype(tag);
      launch("lstm_cell", lstm_cell_kernel<T, decltype(index)>, {linear_blocks(op, units)}, {kLinearThreads},
             0, shape, static_cast<T*>(new_hidden), static_cast<T*>(new_cell), static_cast<const T*>(gates),
             static_cast<const T*>(cell));
    });
  });
}

void lstm_cell_backward(const LstmShape& shape, DType dtype, void* d_gates, void* d_cell,
                        const void* g_hidden, const void* g_cell, const void* gates, const void* cell) {
  const char* op = "lstm_cell_backward";
  const int64_t units = shape.rows * shape.hidden;
  visit_floating(op, dtype, [&](auto tag) {
    visit_index(units, [&](auto index) {
      using T = decltype(tag);
      launch("lstm_cell_backward", lstm_cell_backward_kernel<T, decltype(index)>, {linear_blocks(op, units)},
             {kLinearThreads}, 0, shape, static_cast<T*>(d_gates), static_cast<T*>(d_cell),
             static_cast<const T*>(g_hidden), static_cast<const T*>(g_cell), static_cast<const T*>(gates),
             static_cast<const T*>(cell));
    });
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(lstm_cell)
TENON_CUDA_ENTRY(lstm_cell_backward)
