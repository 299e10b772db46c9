// Ops over lists of tensors, in place: what optimisers, gradient clipping and moving averages are made of.
// One call handles all parameters of a network in a single pass over their memory, and allocates nothing once
// warm.
//
// All throw Error on undefined tensors, on lists of unequal length, on shapes that differ within an entry, on
// mixed dtypes or devices, and on dtypes other than float32 and float64. What is written to must be dense (in
// whatever order of axes); its partners are best laid out alike, else they are copied first. Every written
// tensor's version is bumped. None is differentiable: parameters change under NoGrad.
#pragma once

#include <cstdint>
#include <span>

#include "core/steps.h"
#include "core/tensor.h"

namespace tenon {

using TensorList = std::span<const Tensor>;

/// y_i += alpha x_i
void lists_axpy(double alpha, TensorList x, TensorList y);
/// y_i += weight (x_i - y_i): the step of an exponential moving average.
void lists_lerp(TensorList y, TensorList x, double weight);
/// x_i *= alpha
void lists_scale(TensorList x, double alpha);
/// x_i = value
void lists_fill(TensorList x, double value);
/// x_i = min(max(x_i, low), high). Throws if low > high.
void lists_clamp(TensorList x, double low, double high);
/// sqrt(sum_i sum x_i^2), accumulated in float64. 0 for an empty list. Waits for the device of the list.
double lists_norm2(TensorList x);

/// `momentum` is empty if step.momentum is 0. `step_counts[i]` is the number of updates of entry i, this one
/// included; it must be >= 1.
void sgd_step(TensorList parameters, TensorList gradients, TensorList momentum,
              std::span<const int64_t> step_counts, const SgdStep& step);
/// `maxima` is empty without AMSGrad.
void adam_step(TensorList parameters, TensorList gradients, TensorList first_moments,
               TensorList second_moments, TensorList maxima, std::span<const int64_t> step_counts,
               const AdamStep& step);
/// `momentum` is empty if step.momentum is 0, `means` unless step.centred.
void rmsprop_step(TensorList parameters, TensorList gradients, TensorList mean_squares, TensorList momentum,
                  TensorList means, const RmspropStep& step);
void adadelta_step(TensorList parameters, TensorList gradients, TensorList mean_squares,
                   TensorList mean_updates, const AdadeltaStep& step);

}  // namespace tenon
