// Pooling on Variables: as core/ops/pool.h, recorded. Indices are tensors.
#pragma once

#include <utility>

#include "autograd/variable.h"
#include "core/ops/pool.h"

namespace tenon {

/// The gradient goes to the element at the index.
std::pair<Variable, Tensor> max_pool(const Variable& x, const PoolOptions& options);
std::pair<Variable, Tensor> adaptive_max_pool(const Variable& x, const Dims& out);
Variable max_pool_backward(const Variable& g, const Tensor& index, const Dims& in);
Variable max_pool_gather(const Variable& x, const Tensor& index);

Variable avg_pool(const Variable& x, const PoolOptions& options);
Variable avg_pool_backward(const Variable& g, const Dims& in, const PoolOptions& options);
Variable adaptive_avg_pool(const Variable& x, const Dims& out);
Variable adaptive_avg_pool_backward(const Variable& g, const Dims& in);
Variable global_avg_pool(const Variable& x);

}  // namespace tenon
