#include "core/ops/softmax.h"

#include <limits>

#include "core/cpu/softmax.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "cuda/kernels/softmax.h"

namespace tenon {
namespace {

// Checks that all ops of the family share.
void check(const char* op, const Tensor& x) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
}

// The axis of a dense tensor steps over all that lies within it in memory.
SoftmaxBlock block_of(const Tensor& dense, int axis) {
  const int64_t n = dense.shape()[axis];
  const int64_t inner = n == 1 ? 1 : dense.strides()[axis];
  return {dense.numel() / (n * inner), n, inner};
}

// Kernels want [outer, n, inner]; what has gaps is packed first (one copy, beside three passes).
Tensor dense_of(const Tensor& x) { return x.is_dense() ? x : x.clone(); }

// The shape of x with the axis at extent 1, in x's memory order.
Tensor one_a_row(const Tensor& x, int axis, DType dtype) {
  Shape shape = x.shape();
  shape[axis] = 1;
  return Tensor::empty_strided(shape, strides_in_order_of(shape, x.strides()), dtype, x.device());
}

// softmax and log_softmax.
template <class Kernel>
Tensor run(const char* op, const Tensor& x, int64_t axis, Kernel&& kernel) {
  check(op, x);
  const int a = normalize_axis(op, axis, x.rank());
  Tensor dense = dense_of(x);
  Tensor y = Tensor::empty_like(dense);
  if (!y.is_empty()) kernel(block_of(dense, a), y.raw(), dense.raw());
  return y;
}

// Labels in the order in which the rows of `dense` lie in memory.
Tensor labels_of(const char* op, const Tensor& dense, const Tensor& labels) {
  TENON_CHECK(labels.defined(), op, ": undefined labels");
  TENON_CHECK(dense.rank() >= 2, op, ": expects logits [N, C, *], got ", dense.str());
  Shape expected = dense.shape();
  expected.erase(1);
  TENON_CHECK(labels.dtype() == int64 && labels.shape() == expected, op, ": expects labels int64 ", expected,
              " for logits ", dense.shape(), ", got ", labels.str());
  check_same_device(op, dense, labels);
  TENON_CHECK(!labels.is_empty(), op, ": no rows in logits ", dense.shape());
  Tensor rows = one_a_row(dense, 1, int64);
  rows.copy_(labels.unsqueeze(1));
  return rows;
}

void check_smoothing(const char* op, double smoothing) {
  TENON_CHECK(smoothing >= 0 && smoothing <= 1, op, ": expects smoothing in [0, 1], got ", smoothing);
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t axis) {
  return run("softmax", x, axis, [&](const SoftmaxBlock& block, void* y, const void* dense) {
    TENON_DISPATCH(x.device(), softmax, block, x.dtype(), y, dense);
  });
}

Tensor log_softmax(const Tensor& x, int64_t axis) {
  return run("log_softmax", x, axis, [&](const SoftmaxBlock& block, void* y, const void* dense) {
    TENON_DISPATCH(x.device(), log_softmax, block, x.dtype(), y, dense);
  });
}

Tensor logsumexp(const Tensor& x, int64_t axis, bool keep) {
  check("logsumexp", x);
  const int a = normalize_axis("logsumexp", axis, x.rank());
  Tensor dense = dense_of(x);
  Tensor y = one_a_row(dense, a, x.dtype());
  if (x.is_empty()) {
    y.fill_(-std::numeric_limits<double>::infinity());
  } else {
    TENON_DISPATCH(x.device(), logsumexp, block_of(dense, a), x.dtype(), y.raw(), dense.raw());
  }
  return keep ? y : y.squeeze(a);
}

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, double smoothing) {
  const char* op = "softmax_cross_entropy";
  check(op, logits);
  check_smoothing(op, smoothing);
  Tensor dense = dense_of(logits);
  Tensor rows = labels_of(op, dense, labels);
  Tensor loss = Tensor::empty({}, logits.dtype(), logits.device());
  TENON_DISPATCH(logits.device(), softmax_cross_entropy, block_of(dense, 1), logits.dtype(), loss.raw(),
                 dense.raw(), static_cast<const int64_t*>(rows.raw()), smoothing);
  return loss;
}

Tensor softmax_cross_entropy_backward(const Tensor& g, const Tensor& logits, const Tensor& labels,
                                      double smoothing) {
  const char* op = "softmax_cross_entropy_backward";
  check(op, logits);
  check(op, g);
  check_same_dtype(op, g, logits);
  check_same_device(op, g, logits);
  TENON_CHECK(g.rank() == 0, op, ": expects a gradient of rank 0, got ", g.str());
  check_smoothing(op, smoothing);
  Tensor dense = dense_of(logits);
  Tensor rows = labels_of(op, dense, labels);
  Tensor dx = Tensor::empty_like(dense);
  TENON_DISPATCH(logits.device(), softmax_cross_entropy_backward, block_of(dense, 1), logits.dtype(),
                 dx.raw(), g.raw(), dense.raw(), static_cast<const int64_t*>(rows.raw()), smoothing);
  return dx;
}

}  // namespace tenon

TENON_FORWARD(softmax)
TENON_FORWARD(log_softmax)
TENON_FORWARD(logsumexp)
TENON_FORWARD(softmax_cross_entropy)
TENON_FORWARD(softmax_cross_entropy_backward)
