// The LSTM cell: its formulas, which the kernels of both devices share, and the CPU kernels.
#pragma once

#include "core/dtype.h"
#include "core/math.h"

namespace tenon {

/// Row-major operands: gates [rows, 4 hidden], all others [rows, hidden].
struct LstmShape {
  int64_t rows, hidden;
};

/// One unit's gates, open between 0 and 1, and what it takes in, g (core/ops/recurrent.h).
template <class T>
struct LstmGates {
  T i, f, g, o;

  /// From a unit's four numbers in a row of gates, `hidden` apart.
  TENON_HD static LstmGates of(const T* gates, int64_t hidden) {
    return {math::sigmoid(gates[0]), math::sigmoid(gates[hidden]), math::tanh(gates[2 * hidden]),
            math::sigmoid(gates[3 * hidden])};
  }
};

/// cell' = f c + i g, hidden' = o tanh(cell'), for one unit.
template <class T>
TENON_HD void lstm_unit(const T* gates, int64_t hidden, T c, T* new_hidden, T* new_cell) {
  const LstmGates<T> u = LstmGates<T>::of(gates, hidden);
  const T next = math::fma(u.f, c, u.i * u.g);
  *new_cell = next;
  *new_hidden = u.o * math::tanh(next);
}

/// With t = tanh(cell') and s = q + p o (1 - t^2), which is the gradient of cell' from all it reaches:
///   da = s g i (1 - i), db = s c f (1 - f), dd = s i (1 - g^2), de = p t o (1 - o);   dcell = s f
/// for one unit; p and q are the gradients of hidden' and cell'.
template <class T>
TENON_HD void lstm_unit_backward(T p, T q, const T* gates, int64_t hidden, T c, T* d_gates, T* d_cell) {
  const LstmGates<T> u = LstmGates<T>::of(gates, hidden);
  const T t = math::tanh(math::fma(u.f, c, u.i * u.g));
  const T s = math::fma(p * u.o, 1 - t * t, q);
  d_gates[0] = s * u.g * u.i * (1 - u.i);
  d_gates[hidden] = s * c * u.f * (1 - u.f);
  d_gates[2 * hidden] = s * u.i * (1 - u.g * u.g);
  d_gates[3 * hidden] = p * t * u.o * (1 - u.o);
  *d_cell = s * u.f;
}

namespace cpu {

void lstm_cell(const LstmShape& shape, DType dtype, void* new_hidden, void* new_cell, const void* gates,
               const void* cell);
void lstm_cell_backward(const LstmShape& shape, DType dtype, void* d_gates, void* d_cell,
                        const void* g_hidden, const void* g_cell, const void* gates, const void* cell);

}  // namespace cpu
}  // namespace tenon
