// The index family on Variables: as core/ops/index.h, recorded. Indices, masks and positions are tensors;
// they have no gradient. Ops that are not differentiable stay functions on tensors.
#pragma once

#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace tenon {

Variable gather(const Variable& x, int64_t axis, const Tensor& index);
Variable scatter_add(const Variable& source, int64_t axis, const Tensor& index, int64_t extent);
Variable index_select(const Variable& x, int64_t axis, const Tensor& index);
Variable index_add(const Variable& source, int64_t axis, const Tensor& index, int64_t extent);
Variable masked_fill(const Variable& x, const Tensor& mask, double value);
Variable masked_select(const Variable& x, const Tensor& mask);

Variable cat(const std::vector<Variable>& parts, int64_t axis);
Variable stack(const std::vector<Variable>& layers, int64_t axis);
Variable pad(const Variable& x, const Dims& before, const Dims& after, double value = 0);
Variable pad_reflect(const Variable& x, const Dims& before, const Dims& after);
Variable pad_replicate(const Variable& x, const Dims& before, const Dims& after);
Variable flip(const Variable& x, const Dims& axes);
Variable roll(const Variable& x, const Dims& axes, const Dims& shifts);

/// The gradient goes to the places that the values came from.
std::pair<Variable, Tensor> sort(const Variable& x, int64_t axis = -1, bool descending = false);
std::pair<Variable, Tensor> topk(const Variable& x, int64_t k, int64_t axis = -1, bool largest = true);
Variable cumsum(const Variable& x, int64_t axis, bool reverse = false);

}  // namespace tenon
