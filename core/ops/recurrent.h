// Cells of recurrent networks.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// The state of an LSTM after a step.
struct LstmCell {
  Tensor hidden, cell;  ///< [N, H]
};
/// Gradients of the arguments of a step.
struct LstmCellGradients {
  Tensor gates;  ///< [N, 4 H]
  Tensor cell;   ///< [N, H]
};

/// One step of an LSTM (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000) behind its
/// products. gates [N, 4 H] holds a, b, d, e side by side, biases included, and cell [N, H] the state before:
///   i = sigmoid(a), f = sigmoid(b), g = tanh(d), o = sigmoid(e);   cell' = f cell + i g,   hidden' = o tanh(cell')
/// float32 or float64; results are row-major. Throws Error on undefined tensors, other dtypes, mixed dtypes or devices,
/// and shapes that do not fit.
LstmCell lstm_cell(const Tensor& gates, const Tensor& cell);
/// Gradients of lstm_cell at gates and cell, where those of its results are g_hidden and g_cell, [N, H]. Throws as it does.
LstmCellGradients lstm_cell_backward(const Tensor& g_hidden, const Tensor& g_cell, const Tensor& gates,
                                     const Tensor& cell);

}  // namespace tenon
