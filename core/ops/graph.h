// Propagation along the edges of small dense graphs: a batch of graphs, each with R adjacency matrices
// ("relations": edges and reversed edges, say), and features that stand side by side for the relations. Both ops
// are linear, each the other's transposed, so each is the other's way back. The gate makes ReLUs of them, and
// costs no tensor of sums in memory: the sums that it looks at are found again on the way.
//
//   y[b, m, d] = 1/R sum_r s_r[b, m, d] sum_n A_r[b, m, n] x_r[b, n, d]         graph_propagate
//   z_r[b, n, d] = 1/R sum_m A_r[b, m, n] s_r[b, m, d] g[b, m, d]               graph_propagate_transposed
//   s_r[b, m, d] = 1 without a gate; with one, 0 where sum_n A_r[b, m, n] gate_r[b, n, d] <= 0, and 1 elsewhere
//
// With the gate x, y is the mean over the relations of ReLU(A_r x_r). float32 or float64, row-major results. Both
// throw Error on undefined operands, shapes that do not fit, R = 0, mixed dtypes or devices. Large sparse graphs
// take spmm (core/ops/sparse.h); core/graph.h chooses.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// adjacency [B, R, M, N], x [B, N, R D] -> y [B, M, D]. x_r are the columns r D up to (r + 1) D of x. `gate` is
/// shaped like x, or undefined.
Tensor graph_propagate(const Tensor& adjacency, const Tensor& x, const Tensor& gate = {});

/// adjacency [B, R, M, N], g [B, M, D] -> z [B, N, R D]. `gate` is shaped like z, or undefined.
Tensor graph_propagate_transposed(const Tensor& adjacency, const Tensor& g, const Tensor& gate = {});

}  // namespace tenon
