#include "core/ops/graph.h"

#include "core/cpu/graph.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "cuda/kernels/graph.h"

namespace tenon {
namespace {

// Checks the adjacency and the operand beside it; the extents but for the width.
GraphExtents checked_extents(const char* op, const Tensor& adjacency, const char* name, const Tensor& x) {
  TENON_CHECK(adjacency.defined(), op, ": undefined adjacency");
  TENON_CHECK(x.defined(), op, ": undefined ", name);
  check_same_dtype(op, adjacency, x);
  check_same_device(op, adjacency, x);
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
  TENON_CHECK(adjacency.rank() == 4 && adjacency.size(1) >= 1, op,
              ": adjacency expects [B, R, M, N] with R >= 1, got ", adjacency.str());
  return {adjacency.size(0), adjacency.size(1), adjacency.size(2), adjacency.size(3), 0};
}

// The gate as the kernels read it: undefined, x itself, or packed numbers of shape [B, N, R D].
Tensor checked_gate(const char* op, const GraphExtents& e, const Tensor& like, const Tensor& gate) {
  if (!gate.defined()) return gate;
  check_same_dtype(op, like, gate);
  check_same_device(op, like, gate);
  const Shape shape{e.graphs, e.columns, e.relations * e.width};
  TENON_CHECK(gate.shape() == shape, op, ": gate expects ", shape, ", got ", gate.str());
  return gate.contiguous();
}

const void* numbers_of(const Tensor& x) { return x.defined() ? x.raw() : nullptr; }

bool is_same_view(const Tensor& a, const Tensor& b) {
  return b.defined() && a.raw() == b.raw() && a.shape() == b.shape() && a.strides() == b.strides();
}

}  // namespace

Tensor graph_propagate(const Tensor& adjacency, const Tensor& x, const Tensor& gate) {
  GraphExtents e = checked_extents("graph_propagate", adjacency, "x", x);
  TENON_CHECK(
      x.rank() == 3 && x.size(0) == e.graphs && x.size(1) == e.columns && x.size(2) % e.relations == 0,
      "graph_propagate: x expects [", e.graphs, ", ", e.columns, ", ", e.relations, " D] for adjacency ",
      adjacency.shape(), ", got ", x.str());
  e.width = x.size(2) / e.relations;
  const Tensor packed = x.contiguous(), matrices = adjacency.contiguous();
  const Tensor gates = is_same_view(x, gate) ? packed : checked_gate("graph_propagate", e, x, gate);
  Tensor y = Tensor::empty({e.graphs, e.rows, e.width}, x.dtype(), x.device());
  if (y.is_empty()) return y;
  if (adjacency.is_empty()) return y.fill_(0);
  TENON_DISPATCH(x.device(), graph_propagate, e, x.dtype(), y.raw(), matrices.raw(), packed.raw(),
                 numbers_of(gates));
  return y;
}

Tensor graph_propagate_transposed(const Tensor& adjacency, const Tensor& g, const Tensor& gate) {
  GraphExtents e = checked_extents("graph_propagate_transposed", adjacency, "g", g);
  TENON_CHECK(g.rank() == 3 && g.size(0) == e.graphs && g.size(1) == e.rows,
              "graph_propagate_transposed: g expects [", e.graphs, ", ", e.rows, ", D] for adjacency ",
              adjacency.shape(), ", got ", g.str());
  e.width = g.size(2);
  const Tensor packed = g.contiguous(), matrices = adjacency.contiguous();
  const Tensor gates = checked_gate("graph_propagate_transposed", e, g, gate);
  Tensor z = Tensor::empty({e.graphs, e.columns, e.relations * e.width}, g.dtype(), g.device());
  if (z.is_empty()) return z;
  if (adjacency.is_empty()) return z.fill_(0);
  TENON_DISPATCH(g.device(), graph_propagate_transposed, e, g.dtype(), z.raw(), matrices.raw(), packed.raw(),
                 numbers_of(gates));
  return z;
}

}  // namespace tenon

TENON_FORWARD(graph_propagate)
TENON_FORWARD(graph_propagate_transposed)
