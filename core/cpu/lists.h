// Kernels over lists of tensors: one pass over many arrays at once, for optimisers. Here: the list as both
// devices see it, and the CPU kernels. Those see the arrays as if they stood one behind the other and cut them
// into chunks of a fixed size, so that ten small arrays wake no more threads than one array of their total
// length. The formulas stand in core/cpu/list_updates.h.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/steps.h"

namespace tenon {

/// One entry of a list: up to five arrays of n elements, updated together. Which is which is said by each
/// kernel.
struct ListItem {
  void* a = nullptr;        ///< what is updated: parameter, y
  const void* b = nullptr;  ///< what is read: gradient, x
  void* state[3] = {};      ///< moments and the like; null where unused
  int64_t n = 0;
  int64_t start = 0;       ///< sum of n of the items before
  int64_t step_count = 0;  ///< Adam: updates of this item so far, this one included
};

/// The items of one call, and their total length.
struct ListLoop {
  const ListItem* items = nullptr;
  int64_t count = 0;
  int64_t total = 0;
};

namespace cpu {

/// a += alpha b
void lists_axpy(const ListLoop& loop, DType dtype, double alpha);
/// a += weight (b - a)
void lists_lerp(const ListLoop& loop, DType dtype, double weight);
/// a *= alpha
void lists_scale(const ListLoop& loop, DType dtype, double alpha);
/// a = value
void lists_fill(const ListLoop& loop, DType dtype, double value);
/// a = min(max(a, low), high); NaN stays.
void lists_clamp(const ListLoop& loop, DType dtype, double low, double high);
/// Sum of squares of all a, accumulated in float64.
double lists_sum_of_squares(const ListLoop& loop, DType dtype);

/// state: momentum buffer, or null when step.momentum is 0. step_count 1 starts the buffer with the gradient.
void sgd_step(const ListLoop& loop, DType dtype, const SgdStep& step);
/// state: first moment, second moment, its running maximum (unused without AMSGrad).
void adam_step(const ListLoop& loop, DType dtype, const AdamStep& step, bool amsgrad);
/// state: mean square, momentum buffer (null when step.momentum is 0), mean gradient (null unless centred).
void rmsprop_step(const ListLoop& loop, DType dtype, const RmspropStep& step);
/// state: mean square of the gradient, mean square of the update.
void adadelta_step(const ListLoop& loop, DType dtype, const AdadeltaStep& step);

}  // namespace cpu
}  // namespace tenon
