// CPU kernels of batch and group normalisation, which differ only in which numbers share their statistics.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/loop.h"

namespace tenon {

/// A dense tensor seen as [samples, outer, channels, inner] in memory, whatever the order of its axes. A set,
/// that is the numbers that share a mean and a variance, is `per_set` neighbouring channels of one sample,
/// over all of outer and inner. Batch norm: one sample (the batch is part of outer) and sets of one channel.
/// Group norm: a sample is one of the batch.
struct NormBlock {
  int64_t samples = 0, outer = 0, channels = 0, inner = 0, per_set = 1;
  int64_t sets() const { return samples * channels / per_set; }
  int64_t count() const { return per_set * outer * inner; }  ///< numbers in a set
};

/// The variance of numbers whose mean lies `shift` off some centre, from their mean squared distance from that
/// centre. One explicit fused multiply-add: compilers contract `mean_square - shift * shift` each in its own way.
TENON_HD inline double variance_about(double mean_square, double shift) {
  const double v = math::fma(-shift, shift, mean_square);
  return v < 0 ? 0 : v;  // NaN stays
}

/// A running statistic after one batch more.
template <class T>
TENON_HD T moved_statistic(T running, double batch, double momentum, double scale) {
  return static_cast<T>(math::fma(momentum * scale, batch, (1 - momentum) * static_cast<double>(running)));
}

/// What follows the normalisation in the same pass: y = max(0, weight h + bias + residual).
struct NormFinish {
  bool relu = false;
  const void* residual = nullptr;  ///< laid as x; only before a relu; null: none
};

/// For the backward of a normalisation with relu: its output, and where the gradient that passed the relu is
/// written, that is g where y > 0 and else 0. It is also the gradient of the residual; dx may be written over it.
struct NormReluOutput {
  const void* y = nullptr;  ///< null: there was no relu
  void* passed = nullptr;
};

namespace cpu {

// `mean` and `variance` [sets] are float64 for any dtype. weight, bias, dweight, dbias [channels] have the
// dtype of x; weight (1) and bias (0) may be null. r = 1 / sqrt(variance + eps), h = (x - mean) r.

/// variance = sum (x - mean)^2 / count. x is read once. Sums are held in float64, of the numbers' distances
/// from the first of their set: the relative error of the variance is below count * 1e-15 whatever the mean.
void norm_statistics(const NormBlock& block, DType dtype, double* mean, double* variance, const void* x);
/// y = weight h + bias, finished
void norm_apply(const NormBlock& block, DType dtype, double eps, void* y, const void* x, const double* mean,
                const double* variance, const void* weight, const void* bias, const NormFinish& finish);
/// With p = weight g, M the mean over a set, and sums over all but the channels:
///   dx = r (p - M[p] - h M[p h]),   dweight = sum g h,   dbias = sum g
/// where behind a relu g is what passed it.
void norm_backward(const NormBlock& block, DType dtype, double eps, void* dx, void* dweight, void* dbias,
                   const void* g, const void* x, const double* mean, const double* variance,
                   const void* weight, const NormReluOutput& relu);
/// running <- (1 - momentum) running + momentum batch; of the variance, batch is multiplied by `scale` first. Operands:
/// running mean, running variance, mean, variance.
void move_statistics(const Loop<4>& loop, DType dtype, void* running_mean, void* running_variance,
                     const double* mean, const double* variance, double momentum, double scale);

}  // namespace cpu
}  // namespace tenon
