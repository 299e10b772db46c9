// Recomputation: a segment of a network keeps only its inputs on the way forward and is run again on the way back.
// Memory for time: the activations inside the segment live only while its own backward runs.
//
// T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174.
#pragma once

#include "autograd/gradcheck.h"
#include "core/random.h"

namespace tenon {

/// What a segment uses besides its inputs.
struct SegmentUses {
  std::vector<Variable> parameters;  ///< leaves that want a gradient through the segment
  std::vector<Generator*>
      generators;  ///< put back for the second run to where they stood before the first; must outlive
                   ///< the graph
};

/// `segment(inputs)`, recorded as one op. The segment runs without recording now, and again with recording when its
/// gradient is needed; it must compute the same both times. Segments may be nested. The gradient can be differentiated
/// once only. Throws Error on undefined inputs, and in backward if an input was overwritten since.
std::vector<Variable> checkpoint(const VariableFunction& segment, const std::vector<Variable>& inputs,
                                 const SegmentUses& uses = {});

}  // namespace tenon
