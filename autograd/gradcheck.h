// Checks backward rules against finite differences, in float64.
#pragma once

#include <string>
#include <vector>

#include "autograd/variable.h"

namespace tenon {

struct GradcheckResult {
  /// Largest over the inputs of  max |analytic - numeric| / max(|analytic|, |numeric|)  (maxima over the
  /// input's elements; where both vanish the error is taken as absolute).
  double relative_error = 0;
  /// Which input and element it was.
  std::string where;
};

/// First order: f's outputs are contracted with fixed random weights, and the gradient of that sum with
/// respect to every float64 input is compared with fourth-order central differences of step `h`. The function
/// must be smooth within 2h of the inputs. Inputs of other dtypes are held fixed. Throws Error if a float32
/// input is given.
GradcheckResult gradcheck(const VariableFunction& f, const std::vector<Tensor>& inputs, double h = 1e-3);

/// Second order: the same for the function (inputs, output gradients) -> first-order gradients.
GradcheckResult gradcheck_second(const VariableFunction& f, const std::vector<Tensor>& inputs,
                                 double h = 1e-3);

}  // namespace tenon
