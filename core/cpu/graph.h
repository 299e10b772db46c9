// CPU kernels of core/ops/graph.h, and the extents that the kernels of both devices take. All operands are
// row-major and none is empty; `gate` may be null.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tenon {

/// adjacency [graphs, relations, rows, columns], x and gate [graphs, columns, relations * width], y [graphs, rows,
/// width].
struct GraphExtents {
  int64_t graphs = 0, relations = 0, rows = 0, columns = 0, width = 0;
};

namespace cpu {

void graph_propagate(const GraphExtents& extents, DType dtype, void* y, const void* adjacency, const void* x,
                     const void* gate);
void graph_propagate_transposed(const GraphExtents& extents, DType dtype, void* z, const void* adjacency,
                                const void* g, const void* gate);

}  // namespace cpu
}  // namespace tenon
