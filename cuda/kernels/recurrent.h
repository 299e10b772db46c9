// Host entries of the LSTM cell: device pointers, otherwise the contract of core/cpu/recurrent.h.
#pragma once

#include "core/cpu/recurrent.h"

namespace tenon::cuda {

void lstm_cell(const LstmShape& shape, DType dtype, void* new_hidden, void* new_cell, const void* gates,
               const void* cell);
void lstm_cell_backward(const LstmShape& shape, DType dtype, void* d_gates, void* d_cell,
                        const void* g_hidden, const void* g_cell, const void* gates, const void* cell);

}  // namespace tenon::cuda
