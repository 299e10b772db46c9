// Gradient clipping, between backward and the optimiser's step. Gradients are changed in place; parameters
// without one are passed over.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace tenon {

/// Scales all gradients by max_norm / norm if their common 2-norm is larger than max_norm (Pascanu et al.,
/// 2013). Returns the norm before clipping; if it is not finite the gradients are left as they are. max_norm
/// > 0.
double clip_grad_norm(const std::vector<Variable>& parameters, double max_norm);

/// Clamps every element to [-limit, limit]. limit >= 0.
void clip_grad_value(const std::vector<Variable>& parameters, double limit);

}  // namespace tenon
