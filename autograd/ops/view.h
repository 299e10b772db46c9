// Views of Variables: the methods of Tensor of the same names, recorded.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace tenon {

Variable reshape(const Variable& x, const Shape& shape);
Variable permute(const Variable& x, const Dims& order);
Variable slice(const Variable& x, int64_t axis, int64_t start, int64_t stop, int64_t step = 1);
Variable expand(const Variable& x, const Shape& shape);
Variable slice_scatter(const Variable& x, const Shape& shape, int64_t axis, int64_t start, int64_t stop,
                       int64_t step = 1);
/// Neighbouring parts along an axis (core/ops/view.h).
std::vector<Variable> split(const Variable& x, int64_t axis, const std::vector<int64_t>& sizes);

Variable transpose(const Variable& x, int64_t a, int64_t b);
/// One index of an axis, which disappears.
Variable select(const Variable& x, int64_t axis, int64_t index);
Variable flatten(const Variable& x, int64_t first = 0, int64_t last = -1);
Variable unsqueeze(const Variable& x, int64_t axis);
Variable squeeze(const Variable& x, int64_t axis);

}  // namespace tenon
