// Normalisation on Variables: as core/ops/norm.h, recorded. weight and bias may be undefined. Statistics come
// and go as tensors: a normalisation knows that its own depend on x, and no gradient flows through those that
// were given.
#pragma once

#include "autograd/variable.h"
#include "core/pool.h"

namespace tenon {

/// A result with the statistics that it was normalised by, for update_running_statistics.
struct NormalizedVariable {
  Variable y;
  Tensor mean, variance;
};

NormalizedVariable batch_norm(const Variable& x, const Variable& weight, const Variable& bias,
                              double eps = 1e-5);
/// {dx, dweight, dbias}; mean and variance must be those of x.
PoolVector<Variable> batch_norm_backward(const Variable& g, const Variable& x, const Variable& weight,
                                         const Tensor& mean, const Tensor& variance, double eps = 1e-5);
NormalizedVariable batch_norm_relu(const Variable& x, const Variable& weight, const Variable& bias,
                                   const Variable& residual, double eps = 1e-5);
/// {dx, dweight, dbias}, and with_residual {.., dresidual}; y, mean and variance must be those that batch_norm_relu
/// gave.
PoolVector<Variable> batch_norm_relu_backward(const Variable& g, const Variable& x, const Tensor& y,
                                              const Variable& weight, const Tensor& mean,
                                              const Tensor& variance, bool with_residual, double eps = 1e-5);
Variable batch_norm_eval(const Variable& x, const Variable& weight, const Variable& bias, const Tensor& mean,
                         const Tensor& variance, double eps = 1e-5);

NormalizedVariable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias,
                              double eps = 1e-5);
/// {dx, dweight, dbias}; mean and variance must be those of x.
PoolVector<Variable> group_norm_backward(const Variable& g, const Variable& x, int64_t groups,
                                         const Variable& weight, const Tensor& mean, const Tensor& variance,
                                         double eps = 1e-5);

Variable layer_norm(const Variable& x, int axes, const Variable& weight, const Variable& bias,
                    double eps = 1e-5);

}  // namespace tenon
