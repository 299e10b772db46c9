// Recomputation of a segment: less memory for more time. What a checkpointed segment computes is not kept for
// backward; backward runs the segment once more and walks that. Of n segments of equal size only the borders
// and the tape of one segment are held at a time (T. Chen et al., "Training deep nets with sublinear memory
// cost", 2016).
//
//   Variable h = checkpoint([block](const std::vector<Variable>& in) { return std::vector{block(in[0])}; }, {x})[0];
#pragma once

#include <vector>

#include "autograd/variable.h"
#include "core/random.h"

namespace tenon {

/// The outputs of `segment(inputs)`, with the same gradients (of any order) as without checkpoint: for the
/// inputs, and for whatever else the segment uses, such as the parameters of its layers. Segments may nest.
/// While nothing is recorded, this is a plain call.
///
/// The segment is kept until backward, and what it captures by reference must live until then. It must compute
/// the same when it runs again. For that the second run begins with the `generators` as they stood before the
/// first, and leaves them as it found them. State of the segment's own that a run changes must be left alone
/// while `recomputing()`. Throws Error in backward if the second run gives other shapes, or if an input or
/// parameter was overwritten in between.
std::vector<Variable> checkpoint(const VariableFunction& segment, const std::vector<Variable>& inputs,
                                 const std::vector<Generator*>& generators = {&default_generator()});

/// True while a segment runs again (per thread): running statistics and counters are not to be updated twice.
bool recomputing();

}  // namespace tenon
