#include "autograd/ops/softmax.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/softmax.h"

namespace tenon {

// y = e^x / sum e^x            dx = y (g - sum(g y))
Variable softmax(const Variable& x, int64_t axis) {
  return record("softmax", softmax(x.value(), axis), {x},
                [axis](const Variable& g, Gradients& out) {
                  Variable y = out.output();
                  Variable gy = g * y;
                  out.set(0, gy - y * sum(gy, {axis}, true));
                },
                {.outputs = true});
}

// y = x - log(sum e^x)         dx = g - e^y sum g
Variable log_softmax(const Variable& x, int64_t axis) {
  return record(
      "log_softmax", log_softmax(x.value(), axis), {x},
      [axis](const Variable& g, Gradients& out) { out.set(0, g - exp(out.output()) * sum(g, {axis}, true)); },
      {.outputs = true});
}

// y = log(sum e^x)             dx = g softmax(x)
Variable logsumexp(const Variable& x, int64_t axis, bool keep) {
  return record("logsumexp", logsumexp(x.value(), axis, keep), {x},
                [x = Saved(x), axis, keep](const Variable& g, Gradients& out) {
                  out.set(0, (keep ? g : unsqueeze(g, normalize_axis("logsumexp", axis, x().rank()))) *
                                 softmax(x(), axis));
                });
}

// y = mean over rows of -sum t log softmax(z)      dz = g / rows (softmax(z) - t)
Variable softmax_cross_entropy(const Variable& logits, const Tensor& labels, double smoothing) {
  return record("softmax_cross_entropy", softmax_cross_entropy(logits.value(), labels, smoothing), {logits},
                [z = Saved(logits), t = Saved(labels), smoothing](const Variable& g, Gradients& out) {
                  out.set(0, softmax_cross_entropy_backward(g, z(), t().value(), smoothing));
                });
}

// y = g / rows (p - t), p = softmax(z), h the gradient of y:
//   dg = sum(h (p - t)) / rows,     dz = g / rows p (h - sum_c(h p))
Variable softmax_cross_entropy_backward(const Variable& g, const Variable& logits, const Tensor& labels,
                                        double smoothing) {
  return record(
      "softmax_cross_entropy_backward",
      softmax_cross_entropy_backward(g.value(), logits.value(), labels, smoothing), {g, logits},
      [g = Saved(g), z = Saved(logits), t = Saved(labels), smoothing](const Variable& h, Gradients& out) {
        if (out.needed(0)) {
          Variable one(Tensor::scalar(1, h.dtype(), h.device()));
          out.set(0, sum(h * softmax_cross_entropy_backward(one, z(), t().value(), smoothing)));
        }
        if (out.needed(1)) {
          Variable p = softmax(z(), 1);
          Variable hp = h * p;
          Variable share = g() / static_cast<double>(t().numel());
          out.set(1, share * (hp - p * sum(hp, {1}, true)));
        }
      });
}

}  // namespace tenon

TENON_BACKWARD(softmax)
TENON_BACKWARD(log_softmax)
TENON_BACKWARD(logsumexp)
TENON_BACKWARD(softmax_cross_entropy)
TENON_BACKWARD(softmax_cross_entropy_backward)
