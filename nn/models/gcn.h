// The network of Kipf and Welling, "Semi-supervised classification with graph convolutional networks", 2017.
#pragma once

#include <memory>

#include "nn/graph_conv.h"

namespace tenon {

/// dropout, GraphConv in -> hidden, ReLU, dropout, GraphConv hidden -> classes: the logits of every vertex of one
/// graph. Parameters: `first.weight`, `second.weight`. Dropout acts in training mode; on sparse features it drops
/// entries.
class Gcn : public GraphModule {
 public:
  /// The generator, which must outlive the module, draws the weights and then the dropout.
  Gcn(int64_t in, int64_t hidden, int64_t classes, double dropout = 0.5,
      Generator& generator = default_generator());

  using GraphModule::operator();
  using GraphModule::forward;
  Variable forward(const GraphBatch& graphs, const Variable& x) override;
  Variable forward(const GraphBatch& graphs, const CsrMatrix& x);
  Variable operator()(const GraphBatch& graphs, const CsrMatrix& x) { return forward(graphs, x); }
  const char* kind() const override { return "Gcn"; }

  GraphConv& first() { return *first_; }
  GraphConv& second() { return *second_; }

 private:
  Variable finish(const GraphBatch& graphs, const Variable& hidden);

  double dropout_;
  Generator* generator_;
  std::shared_ptr<GraphConv> first_, second_;
};

}  // namespace tenon
