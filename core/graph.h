// GraphBatch: graphs with normalised adjacency matrices, made once and propagated along many times. Many small
// graphs lie padded side by side ("dense"); large ones, or many at once, are the diagonal blocks of one sparse
// matrix. Immutable: copies share the numbers.
//
//   GraphBatch cells = GraphBatch::dense(adjacency, sizes, {.normalisation = GraphNormalisation::row,
//                                                           .directions = GraphDirections::both});
//   GraphBatch cora = GraphBatch::sparse(undirected(edges), sizes);
//   Variable y = propagate(cora, x);            // autograd/ops/graph.h
#pragma once

#include <vector>

#include "core/sparse.h"

namespace tenon {

/// What becomes of A' = A + I (or A), whose row i says what vertex i takes from the vertices j. d_i is the sum
/// of row i; a vertex with d_i = 0 takes nothing.
enum class GraphNormalisation {
  row,        ///< A'_ij / d_i: a mean
  symmetric,  ///< A'_ij / sqrt(d_i d_j) (Kipf and Welling, 2017, eq. 2)
};

/// Which matrices there are.
enum class GraphDirections {
  forward,  ///< one relation: that of A
  both,     ///< two: that of A, and that of A transposed (Wen et al., "Neural predictor", 2020, sec. 3.2)
};

struct GraphOptions {
  GraphNormalisation normalisation = GraphNormalisation::symmetric;
  GraphDirections directions = GraphDirections::forward;
  bool self_loops = true;  ///< A + I instead of A
};

class GraphBatch {
 public:
  /// An empty handle.
  GraphBatch() = default;

  /// B graphs of at most n vertices. `adjacency` [B, n, n], float32 or float64: weights of the edges i -> j;
  /// `sizes` [B], int64: how many of the n vertices a graph has, the first ones. The rest is padding: it takes
  /// nothing and gives nothing, self-loops included. The batch has the dtype and the device of `adjacency`.
  /// Throws Error on other shapes and dtypes, sizes outside [0, n], weights below 0 or not finite, and edges
  /// of padding.
  static GraphBatch dense(const Tensor& adjacency, const Tensor& sizes, const GraphOptions& options = {});

  /// Graphs whose vertices are numbered through: graph b has the sizes[b] vertices after those of the graphs
  /// before it. `edges` [2, E], int64: from edges[0] to edges[1], weight 1. `sizes` [B], int64. On the device of
  /// `edges`. Throws Error on other shapes and dtypes, negative sizes, edges that leave their graph or stand there
  /// twice, loops where `self_loops` adds them, and 2^31 vertices or entries.
  static GraphBatch sparse(const Tensor& edges, const Tensor& sizes, const GraphOptions& options = {},
                           DType dtype = float32);

  bool defined() const { return mean_weights_.defined(); }
  bool is_dense() const { return adjacency_.defined(); }
  int64_t graphs() const { return graphs_; }
  /// Of one padded graph, or of all linked ones together.
  int64_t vertices() const { return vertices_; }
  int64_t relations() const {
    return is_dense() ? adjacency_.size(1) : static_cast<int64_t>(matrices_.size());
  }
  Device device() const { return mean_weights_.device(); }
  DType dtype() const { return mean_weights_.dtype(); }
  /// This batch if it is there already, else a copy.
  GraphBatch to(Device device) const;

  /// Of dense graphs: [B, relations, n, n], row-major.
  const Tensor& adjacency() const { return adjacency_; }
  /// Of sparse graphs: a matrix [vertices, vertices] for each relation.
  const std::vector<CsrMatrix>& matrices() const { return matrices_; }

  /// Which vertices make up a graph, as a matrix to propagate with: [B, 1, 1, n] of dense graphs, the values of
  /// `members_pattern` [B, vertices] of sparse ones. 1 for each vertex, or 1 / size.
  const Tensor& sum_weights() const { return sum_weights_; }
  const Tensor& mean_weights() const { return mean_weights_; }
  const SparsePattern& members_pattern() const { return members_pattern_; }

 private:
  int64_t graphs_ = 0, vertices_ = 0;
  Tensor adjacency_;
  std::vector<CsrMatrix> matrices_;
  SparsePattern members_pattern_;
  Tensor sum_weights_, mean_weights_;
};

/// Edges [2, E] and the same ones reversed, [2, 2 E]: for lists that hold an undirected edge once.
Tensor undirected(const Tensor& edges);

}  // namespace tenon
