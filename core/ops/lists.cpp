#include "core/ops/lists.h"

#include <cmath>

#include "core/cpu/lists.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/list_call.h"
#include "cuda/kernels/lists.h"

namespace tenon {

void lists_axpy(double alpha, TensorList x, TensorList y) {
  ListCall call("lists_axpy", y);
  call.read(x, y);
  if (call.writes(y)) TENON_DISPATCH(call.device(), lists_axpy, call.loop(), call.dtype(), alpha);
}

void lists_lerp(TensorList y, TensorList x, double weight) {
  ListCall call("lists_lerp", y);
  call.read(x, y);
  if (call.writes(y)) TENON_DISPATCH(call.device(), lists_lerp, call.loop(), call.dtype(), weight);
}

void lists_scale(TensorList x, double alpha) {
  ListCall call("lists_scale", x);
  if (call.writes(x)) TENON_DISPATCH(call.device(), lists_scale, call.loop(), call.dtype(), alpha);
}

void lists_fill(TensorList x, double value) {
  ListCall call("lists_fill", x);
  if (call.writes(x)) TENON_DISPATCH(call.device(), lists_fill, call.loop(), call.dtype(), value);
}

void lists_clamp(TensorList x, double low, double high) {
  TENON_CHECK(low <= high, "lists_clamp: expects low <= high, got ", low, " and ", high);
  ListCall call("lists_clamp", x);
  if (call.writes(x)) TENON_DISPATCH(call.device(), lists_clamp, call.loop(), call.dtype(), low, high);
}

double lists_norm2(TensorList x) {
  ListCall call("lists_norm2", x, ListCall::Access::reads);
  return call.empty()
             ? 0
             : std::sqrt(TENON_DISPATCH(call.device(), lists_sum_of_squares, call.loop(), call.dtype()));
}

void sgd_step(TensorList parameters, TensorList gradients, TensorList momentum,
              std::span<const int64_t> step_counts, const SgdStep& step) {
  TENON_CHECK(!step.nesterov || (step.momentum > 0 && step.dampening == 0),
              "sgd_step: Nesterov expects momentum > 0 and no dampening, got ", step.momentum, " and ",
              step.dampening);
  ListCall call("sgd_step", parameters);
  call.read(gradients, parameters);
  call.state(0, momentum, parameters, step.momentum != 0);
  call.step_counts(step_counts);
  if (call.writes(parameters)) TENON_DISPATCH(call.device(), sgd_step, call.loop(), call.dtype(), step);
}

void adam_step(TensorList parameters, TensorList gradients, TensorList first_moments,
               TensorList second_moments, TensorList maxima, std::span<const int64_t> step_counts,
               const AdamStep& step) {
  ListCall call("adam_step", parameters);
  call.read(gradients, parameters);
  call.state(0, first_moments, parameters, true);
  call.state(1, second_moments, parameters, true);
  call.state(2, maxima, parameters, !maxima.empty());
  call.step_counts(step_counts);
  if (call.writes(parameters))
    TENON_DISPATCH(call.device(), adam_step, call.loop(), call.dtype(), step, !maxima.empty());
}

void rmsprop_step(TensorList parameters, TensorList gradients, TensorList mean_squares, TensorList momentum,
                  TensorList means, const RmspropStep& step) {
  ListCall call("rmsprop_step", parameters);
  call.read(gradients, parameters);
  call.state(0, mean_squares, parameters, true);
  call.state(1, momentum, parameters, step.momentum != 0);
  call.state(2, means, parameters, step.centred);
  if (call.writes(parameters)) TENON_DISPATCH(call.device(), rmsprop_step, call.loop(), call.dtype(), step);
}

void adadelta_step(TensorList parameters, TensorList gradients, TensorList mean_squares,
                   TensorList mean_updates, const AdadeltaStep& step) {
  ListCall call("adadelta_step", parameters);
  call.read(gradients, parameters);
  call.state(0, mean_squares, parameters, true);
  call.state(1, mean_updates, parameters, true);
  if (call.writes(parameters)) TENON_DISPATCH(call.device(), adadelta_step, call.loop(), call.dtype(), step);
}

}  // namespace tenon

TENON_FORWARD(lists_axpy)
TENON_FORWARD(lists_lerp)
TENON_FORWARD(lists_scale)
TENON_FORWARD(lists_fill)
TENON_FORWARD(lists_clamp)
TENON_FORWARD(lists_norm2)
TENON_FORWARD(sgd_step)
TENON_FORWARD(adam_step)
TENON_FORWARD(rmsprop_step)
TENON_FORWARD(adadelta_step)
