#include "nn/models/gcn.h"

#include "autograd/ops/dropout.h"
#include "core/ops/dropout.h"

namespace tenon {

Gcn::Gcn(int64_t in, int64_t hidden, int64_t classes, double dropout, Generator& generator)
    : dropout_(dropout), generator_(&generator) {
  TENON_CHECK(dropout >= 0 && dropout <= 1, "Gcn: expects a dropout in [0, 1], got ", dropout);
  first_ = add_module("first", std::make_shared<GraphConv>(in, hidden, 1, Epilogue::relu, generator));
  second_ = add_module("second", std::make_shared<GraphConv>(hidden, classes, 1, Epilogue::none, generator));
}

Variable Gcn::forward(const GraphBatch& graphs, const Variable& x) {
  return finish(graphs, (*first_)(graphs, is_training() ? tenon::dropout(x, dropout_, *generator_) : x));
}

Variable Gcn::forward(const GraphBatch& graphs, const CsrMatrix& x) {
  if (!is_training()) return finish(graphs, (*first_)(graphs, x));
  const CsrMatrix kept(x.pattern, tenon::dropout(x.values, dropout_, *generator_).y);
  return finish(graphs, (*first_)(graphs, kept));
}

Variable Gcn::finish(const GraphBatch& graphs, const Variable& hidden) {
  return (*second_)(graphs, is_training() ? tenon::dropout(hidden, dropout_, *generator_) : hidden);
}

}  // namespace tenon
