// Host entries of the kernels of small dense graphs: device pointers in place of host pointers, otherwise the
// contract of core/cpu/graph.h.
#pragma once

#include "core/cpu/graph.h"

namespace tenon::cuda {

void graph_propagate(const GraphExtents& extents, DType dtype, void* y, const void* adjacency, const void* x,
                     const void* gate);
void graph_propagate_transposed(const GraphExtents& extents, DType dtype, void* z, const void* adjacency,
                                const void* g, const void* gate);

}  // namespace tenon::cuda
