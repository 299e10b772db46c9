// Graph convolution: features mix along the edges of a graph.
#pragma once

#include "autograd/ops/graph.h"
#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// A module of features on graphs: it is called with both. Called as other modules are, it throws Error.
class GraphModule : public Module {
 public:
  virtual Variable forward(const GraphBatch& graphs, const Variable& x) = 0;
  Variable operator()(const GraphBatch& graphs, const Variable& x) { return forward(graphs, x); }
  Variable forward(const Variable& x) final;
};

/// The mean over the graphs' relations r of epilogue(A_r X W_r), A_r being their normalised adjacency. x [B, n, in]
/// -> [B, n, out] on dense graphs, [N, in] -> [N, out] on sparse ones. With one relation it is the layer of Kipf
/// and Welling, "Semi-supervised classification with graph convolutional networks", 2017, eq. 2; with two,
/// edges and reversed edges, that of Wen et al., "Neural predictor for neural architecture search", 2020. No
/// bias: what is 0 at padded vertices stays 0.
///
/// Parameter: `weight` [in, relations * out], W_r being the columns r out up to (r + 1) out; each W_r is drawn by
/// xavier_uniform (Glorot and Bengio, 2010). One product for all relations, then one walk along the edges.
class GraphConv : public GraphModule {
 public:
  GraphConv(int64_t in, int64_t out, int64_t relations = 1, Epilogue epilogue = Epilogue::none,
            Generator& generator = default_generator());

  using GraphModule::operator();
  using GraphModule::forward;
  /// Throws Error unless the graphs have as many relations as the layer, and x fits both.
  Variable forward(const GraphBatch& graphs, const Variable& x) override;
  /// Sparse features [N, in] on sparse graphs: only entries are multiplied. They are given, not differentiated.
  Variable forward(const GraphBatch& graphs, const CsrMatrix& x);
  Variable operator()(const GraphBatch& graphs, const CsrMatrix& x) { return forward(graphs, x); }
  const char* kind() const override { return "GraphConv"; }

  int64_t in_features() const { return weight.size(0); }
  int64_t out_features() const { return weight.size(1) / relations_; }
  int64_t relations() const { return relations_; }

  Variable weight;

 private:
  void check(const GraphBatch& graphs, const Shape& x) const;

  int64_t relations_;
  Epilogue epilogue_;
};

}  // namespace tenon
