// Normalisation: y = weight (x - mean) / sqrt(variance + eps) + bias, with statistics of the numbers
// themselves or from elsewhere. float32 or float64; results keep the memory order of x. Statistics are
// float64 whatever the dtype of x, and the variance is the biased one, sum (x - mean)^2 / count. weight and
// bias may be undefined (1 and 0). All throw Error on undefined x, other dtypes, shapes that do not fit, eps
// < 0, and sets of no elements.
#pragma once

#include "core/tensor.h"

namespace tenon {

/// A result with the statistics that it was normalised by.
struct Normalized {
  Tensor y, mean, variance;
};
/// Gradients of a normalisation; those of weight and bias [C] are given whether or not it had them.
struct NormGradients {
  Tensor x, weight, bias;
};

/// x [N, C, *], weight and bias [C]: each channel is normalised by its own statistics over N and * (Ioffe and
/// Szegedy, "Batch normalization", 2015, algorithm 1). Statistics [C]. A channel of one element becomes its
/// bias.
Normalized batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);
/// Gradients of batch_norm at x, where g is that of y. mean and variance are those that batch_norm gave.
NormGradients batch_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& variance, double eps = 1e-5);
/// y = max(0, batch_norm(x) + residual), in as few passes over memory as batch_norm alone. residual, of the shape of x,
/// may be undefined (0).
Normalized batch_norm_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual,
                           double eps = 1e-5);
/// Gradients of batch_norm_relu at x, where y is its result and g the gradient of that: those of batch_norm_backward
/// for g where y > 0, and with `with_residual` that of the residual, which is g where y > 0.
struct NormReluGradients {
  NormGradients norm;
  Tensor residual;  ///< undefined without
};
NormReluGradients batch_norm_relu_backward(const Tensor& g, const Tensor& x, const Tensor& y,
                                           const Tensor& weight, const Tensor& mean, const Tensor& variance,
                                           bool with_residual, double eps = 1e-5);
/// x [N, C, *] normalised by given statistics [C] (float32 or float64), as in evaluation.
Tensor batch_norm_eval(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean,
                       const Tensor& variance, double eps = 1e-5);
/// In place: running <- (1 - momentum) running + momentum batch, where the variance is first made unbiased by
/// count / (count - 1), as PyTorch does. `count` is the number of elements behind each batch statistic;
/// throws if it is below 2, since one number has no variance.
void update_running_statistics(const Tensor& running_mean, const Tensor& running_variance, const Tensor& mean,
                               const Tensor& variance, int64_t count, double momentum = 0.1);

/// x [N, C, *], weight and bias [C]: the channels of each sample are normalised in `groups` equal groups of
/// neighbours (Wu and He, "Group normalization", 2018). Statistics [N, groups].
Normalized group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                      double eps = 1e-5);
NormGradients group_norm_backward(const Tensor& g, const Tensor& x, int64_t groups, const Tensor& weight,
                                  const Tensor& mean, const Tensor& variance, double eps = 1e-5);

/// Each item of the leading axes is normalised over the last `axes` axes (Ba et al., "Layer normalization",
/// 2016); weight and bias have the shape of those axes. It is group_norm of one group, then a product and a
/// sum; row-major.
Tensor layer_norm(const Tensor& x, int axes, const Tensor& weight, const Tensor& bias, double eps = 1e-5);
/// The shape [rows, 1, n] in which group_norm does so. Checks x, weight and bias in the name of layer_norm.
Shape layer_norm_rows(const Tensor& x, int axes, const Tensor& weight, const Tensor& bias);

}  // namespace tenon
