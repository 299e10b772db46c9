// Cells of recurrent networks on Variables: as core/ops/recurrent.h, recorded.
#pragma once

#include "autograd/variable.h"
#include "core/pool.h"

namespace tenon {

struct LstmState {
  Variable hidden, cell;  ///< [N, H]
};

LstmState lstm_cell(const Variable& gates, const Variable& cell);
/// {dgates, dcell}.
PoolVector<Variable> lstm_cell_backward(const Variable& g_hidden, const Variable& g_cell,
                                        const Variable& gates, const Variable& cell);

}  // namespace tenon
