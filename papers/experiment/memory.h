// Who holds the memory of a training step, as a table.
#pragma once

#include "core/memory_trace.h"
#include "nn/optim.h"
#include "papers/experiment/table.h"

namespace tenon::experiment {

/// What was live at the peak of a step, right after it: parameters, optimiser state, what else is older than
/// the trace (data, running statistics), then the largest of what the step made, by the op or module that
/// made it; gradients by their parameter. In KiB and in percent of the peak.
Table memory_table(const MemoryTrace::Peak& peak, const Module& net, const Optimizer& optimizer);

}  // namespace tenon::experiment
