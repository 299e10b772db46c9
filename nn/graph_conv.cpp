#include "nn/graph_conv.h"

#include "autograd/ops/matmul.h"
#include "autograd/ops/sparse.h"
#include "autograd/ops/view.h"
#include "nn/init.h"

namespace tenon {

Variable GraphModule::forward(const Variable&) {
  fail(kind(), ": expects graphs beside the features: call it as layer(graphs, x)");
}

GraphConv::GraphConv(int64_t in, int64_t out, int64_t relations, Epilogue epilogue, Generator& generator)
    : relations_(relations), epilogue_(epilogue) {
  TENON_CHECK(in >= 0 && out >= 0 && relations >= 1,
              "GraphConv: expects extents >= 0 and relations >= 1, got in ", in, ", out ", out,
              ", relations ", relations);
  weight = add_parameter("weight", Tensor::empty({in, relations * out}));
  for (int64_t r = 0; r < relations; ++r)
    init::xavier_uniform(weight.value().slice(1, r * out, (r + 1) * out), generator);
}

void GraphConv::check(const GraphBatch& graphs, const Shape& x) const {
  TENON_CHECK(graphs.defined(), "GraphConv: undefined graphs");
  TENON_CHECK(graphs.relations() == relations_, "GraphConv: expects graphs with ", relations_,
              " relations, got ", graphs.relations());
  TENON_CHECK(x.rank() == (graphs.is_dense() ? 3 : 2) && x.back() == in_features(), "GraphConv: x expects [",
              graphs.is_dense() ? "B, n, " : "N, ", in_features(), "] for these graphs, got ", x);
}

Variable GraphConv::forward(const GraphBatch& graphs, const Variable& x) {
  TENON_CHECK(x.defined(), "GraphConv: undefined x");
  check(graphs, x.shape());
  if (!graphs.is_dense()) return propagate(graphs, matmul(x, weight), epilogue_);
  const int64_t count = x.size(0), n = x.size(1);
  const Variable products = matmul(reshape(x, {count * n, in_features()}), weight);
  return propagate(graphs, reshape(products, {count, n, weight.size(1)}), epilogue_);
}

Variable GraphConv::forward(const GraphBatch& graphs, const CsrMatrix& x) {
  TENON_CHECK(x.pattern.defined(), "GraphConv: undefined x");
  check(graphs, {x.rows(), x.columns()});
  return propagate(graphs, spmm(x.pattern, Variable(x.values), weight), epilogue_);
}

}  // namespace tenon
