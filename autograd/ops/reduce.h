// Reductions on Variables: as core/ops/reduce.h, recorded.
#pragma once

#include <utility>

#include "autograd/variable.h"

namespace tenon {

Variable sum(const Variable& x, const Dims& axes = {}, bool keep = false);
Variable mean(const Variable& x, const Dims& axes = {}, bool keep = false);
/// Where several elements share the extreme, each gets an equal part of the gradient.
Variable amax(const Variable& x, const Dims& axes = {}, bool keep = false);
Variable amin(const Variable& x, const Dims& axes = {}, bool keep = false);
/// The gradient goes to the element at the index. The index is a tensor.
std::pair<Variable, Tensor> max_with_index(const Variable& x, int64_t axis, bool keep = false);
std::pair<Variable, Tensor> min_with_index(const Variable& x, int64_t axis, bool keep = false);
Variable variance(const Variable& x, const Dims& axes = {}, bool keep = false, int64_t correction = 0);
Variable norm1(const Variable& x, const Dims& axes = {}, bool keep = false);
/// The gradient at x = 0 is 0.
Variable norm2(const Variable& x, const Dims& axes = {}, bool keep = false);
/// Sums x down to `shape`, undoing a broadcast.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace tenon
