// Architectures as the predictor sees them: acyclic graphs whose vertices carry a label.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/graph.h"
#include "data/nasbench.h"
#include "papers/neural_predictor/cell.h"

namespace tenon::neural_predictor {

/// How a batch of graphs lies in memory: padded dense matrices, or the diagonal blocks of a sparse one.
enum class Layout { dense, linked };

/// What becomes of the directions of the edges.
enum class Edges {
  directed,    ///< along the edges, and against them: two relations
  undirected,  ///< both relations are the symmetrised adjacency, which cannot tell input side from output side
};

struct EncodeOptions {
  Layout layout = Layout::dense;
  Edges edges = Edges::directed;
  GraphNormalisation normalisation = GraphNormalisation::row;
};

/// A batch and its features, ready for the network.
struct Encoded {
  GraphBatch graphs;
  Tensor x;  ///< one-hot labels: [B, padded, labels] of dense graphs, [vertices, labels] of linked ones
};

/// Graphs in compact form; vertices stand in topological order.
class LabelledGraphs {
 public:
  /// No graph may have more vertices than `padded` (at most 11, whose edges fit 64 bits) or labels beyond `labels`.
  LabelledGraphs(int64_t padded, int64_t labels);

  /// `edges` by edge_bit. Throws Error if the graph does not fit.
  void add(std::span<const uint8_t> vertex_labels, uint64_t edges);

  int64_t size() const { return static_cast<int64_t>(edges_.size()); }
  int64_t padded() const { return padded_; }
  int64_t labels() const { return labels_; }
  int64_t vertices(int64_t graph) const { return sizes_[static_cast<size_t>(graph)]; }
  bool has_edge(int64_t graph, int64_t x, int64_t y) const;
  int64_t label(int64_t graph, int64_t vertex) const {
    return vertex_labels_[static_cast<size_t>(graph * padded_ + vertex)];
  }

  /// The graphs of these numbers, in this order.
  Encoded encode(std::span<const int64_t> graphs, const EncodeOptions& options = {}) const;

 private:
  Encoded encode_dense(std::span<const int64_t> graphs, const EncodeOptions& options) const;
  Encoded encode_linked(std::span<const int64_t> graphs, const EncodeOptions& options) const;

  int64_t padded_, labels_;
  std::vector<uint64_t> edges_;
  std::vector<uint8_t> sizes_, vertex_labels_;
};

/// NAS-Bench-101: one-hot of input, conv1x1, conv3x3, max pool, output, which is not the order of the table's numbers.
LabelledGraphs graphs_of(const std::vector<Cell>& cells);
/// NAS-Bench-201, whose operations sit on edges: input, a vertex an operation, output; an operation on i -> j precedes
/// those on j -> k. One-hot of input, the five operations, output.
LabelledGraphs graphs_of(const Nasbench201& table);
/// NAS-Bench-Macro: input, eight blocks, output in a line. One-hot of input, the three choices, output.
LabelledGraphs graphs_of(const NasbenchMacro& table);

}  // namespace tenon::neural_predictor
