// Ops of core/ops/graph.h on Variables. Features are differentiated; graphs are given, and gates count as
// constants, since the derivative by a gate is zero almost everywhere.
#pragma once

#include "autograd/variable.h"
#include "core/graph.h"
#include "core/ops/sparse.h"

namespace tenon {

Variable graph_propagate(const Tensor& adjacency, const Variable& x, const Tensor& gate = {});
Variable graph_propagate_transposed(const Tensor& adjacency, const Variable& g, const Tensor& gate = {});

/// The mean over the relations r of epilogue(A_r x_r), A_r being the graphs' normalised adjacency: for padded
/// graphs x [B, n, R D] -> [B, n, D]; for linked ones x [N, R D] -> [N, D]. Columns r D up to (r + 1) D of x are
/// x_r. Throws Error if x does not fit the graphs.
Variable propagate(const GraphBatch& graphs, const Variable& x, Epilogue epilogue = Epilogue::none);

/// The mean of x over the vertices of each graph; 0 for a graph without vertices. Padding does not count. For
/// padded graphs x [B, n, D] -> [B, D]; for linked ones x [N, D] -> [B, D].
Variable mean_of_graphs(const GraphBatch& graphs, const Variable& x);
/// The sum, likewise.
Variable sum_of_graphs(const GraphBatch& graphs, const Variable& x);

}  // namespace tenon
