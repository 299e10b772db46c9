#include "autograd/ops/graph.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/sparse.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/graph.h"

namespace tenon {
namespace {

// For errors: what x is expected to be.
void check_features(const char* op, const GraphBatch& graphs, const Variable& x, int64_t parts) {
  TENON_CHECK(graphs.defined(), op, ": undefined graphs");
  TENON_CHECK(x.defined(), op, ": undefined x");
  const Shape& shape = x.shape();
  const bool fits = graphs.is_dense()
                        ? shape.rank() == 3 && shape[0] == graphs.graphs() && shape[1] == graphs.vertices() &&
                              shape[2] % parts == 0
                        : shape.rank() == 2 && shape[0] == graphs.vertices() && shape[1] % parts == 0;
  const std::string expected = graphs.is_dense()
                                   ? concat("[", graphs.graphs(), ", ", graphs.vertices(), ", ", parts, " D]")
                                   : concat("[", graphs.vertices(), ", ", parts, " D]");
  TENON_CHECK(fits, op, ": x expects ", expected, " for these graphs, got ", shape);
}

Variable gathered(const char* op, const GraphBatch& graphs, const Tensor& weights, const Variable& x) {
  check_features(op, graphs, x, 1);
  if (!graphs.is_dense()) return spmm(graphs.members_pattern(), Variable(weights), x);
  return reshape(graph_propagate(weights, x), {graphs.graphs(), x.size(2)});
}

}  // namespace

// [rules]
// y = 1/R sum_r s_r A_r x_r            dx = graph_propagate_transposed(A, g), through the same gate
Variable graph_propagate(const Tensor& adjacency, const Variable& x, const Tensor& gate) {
  return record("graph_propagate", graph_propagate(adjacency, x.value(), gate), {x},
                [a = Saved(adjacency), s = SavedOptional(gate)](const Variable& g, Gradients& out) {
                  out.set(0, graph_propagate_transposed(a().value(), g, value_or_none(s())));
                });
}

// z_r = 1/R A_r^T s_r g                dg = graph_propagate(A, h), through the same gate
Variable graph_propagate_transposed(const Tensor& adjacency, const Variable& g, const Tensor& gate) {
  return record("graph_propagate_transposed", graph_propagate_transposed(adjacency, g.value(), gate), {g},
                [a = Saved(adjacency), s = SavedOptional(gate)](const Variable& h, Gradients& out) {
                  out.set(0, graph_propagate(a().value(), h, value_or_none(s())));
                });
}
// [/rules]

Variable propagate(const GraphBatch& graphs, const Variable& x, Epilogue epilogue) {
  const int64_t relations = graphs.defined() ? graphs.relations() : 1;
  check_features("propagate", graphs, x, relations);
  if (graphs.is_dense())
    return graph_propagate(graphs.adjacency(), x, epilogue == Epilogue::relu ? x.value() : Tensor());
  const int64_t width = x.size(1) / relations;
  Variable total;
  for (int64_t r = 0; r < relations; ++r) {
    const CsrMatrix& a = graphs.matrices()[static_cast<size_t>(r)];
    const Variable part = relations == 1 ? x : slice(x, 1, r * width, (r + 1) * width);
    const Variable y = spmm(a.pattern, Variable(a.values), part, {}, epilogue);
    total = total.defined() ? total + y : y;
  }
  return relations == 1 ? total : total * (1.0 / static_cast<double>(relations));
}

Variable mean_of_graphs(const GraphBatch& graphs, const Variable& x) {
  return gathered("mean_of_graphs", graphs, graphs.mean_weights(), x);
}

Variable sum_of_graphs(const GraphBatch& graphs, const Variable& x) {
  return gathered("sum_of_graphs", graphs, graphs.sum_weights(), x);
}

}  // namespace tenon

TENON_BACKWARD(graph_propagate)
TENON_BACKWARD(graph_propagate_transposed)
