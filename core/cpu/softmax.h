// CPU kernels of the softmax family. A dense tensor whose axis has extent n and stride `inner` is a block
// [outer, n, inner] in memory, whatever the order of its axes; a row is the n numbers along the axis.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace tenon {

/// How a dense tensor is seen along one axis.
struct SoftmaxBlock {
  int64_t outer = 0, n = 0, inner = 0;
};

/// The error of a label that names none of n classes.
[[noreturn]] inline void fail_label(const char* op, int64_t n, int64_t label) {
  fail(op, ": expects labels in [0, ", n, "), got ", label);
}

namespace cpu {

// All of one row is computed from x - m, m the row's largest number, so that no exponential overflows; sums
// of exponentials are held in float64.
/// y = e^(x - m) / sum e^(x - m)
void softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x);
/// y = x - m - log(sum e^(x - m))
void log_softmax(const SoftmaxBlock& block, DType dtype, void* y, const void* x);
/// y [outer, inner] = m + log(sum e^(x - m))
void logsumexp(const SoftmaxBlock& block, DType dtype, void* y, const void* x);
/// *loss = mean over rows of  log(sum e^x) - (1 - smoothing) x[label] - smoothing mean(x);  labels [outer,
/// inner]. Throws Error on a label outside [0, n).
void softmax_cross_entropy(const SoftmaxBlock& block, DType dtype, void* loss, const void* x,
                           const int64_t* labels, double smoothing);
/// dx = *g / rows (softmax(x) - (1 - smoothing) onehot(label) - smoothing / n). Throws Error on a label outside
/// [0, n).
void softmax_cross_entropy_backward(const SoftmaxBlock& block, DType dtype, void* dx, const void* g,
                                    const void* x, const int64_t* labels, double smoothing);

}  // namespace cpu
}  // namespace tenon
