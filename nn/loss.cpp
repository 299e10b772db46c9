#include "nn/loss.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace tenon {
namespace {

Variable reduced(const Variable& x, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean: return mean(x);
    case Reduction::sum: return sum(x);
    case Reduction::none: return x;
  }
  fail("loss: no such reduction");
}

void check_labels(const char* op, const Tensor& logits, const Tensor& labels) {
  TENON_CHECK(logits.rank() == 2, op, ": logits expect [N, classes], got ", logits.shape());
  TENON_CHECK(labels.dtype() == int64 && labels.shape() == Shape{logits.size(0)}, op, ": labels expect int64 [",
              logits.size(0), "], got ", labels.str());
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Tensor& labels, Reduction reduction) {
  check_labels("cross_entropy", logits.value(), labels);
  const int64_t classes = logits.size(1);
  TENON_CHECK(labels.is_empty() || (amin(labels).item() >= 0 && amax(labels).item() < static_cast<double>(classes)),
              "cross_entropy: labels expect numbers in [0, ", classes, ")");
  Tensor columns = Tensor::arange(classes, int64, labels.device());
  Tensor one_hot = equal(columns, labels.unsqueeze(1)).to(logits.dtype());
  Variable shifted = logits - Variable(amax(logits.value(), {1}, true));
  Variable log_sum = log(sum(exp(shifted), {1}, true));
  return reduced(sum((log_sum - shifted) * Variable(one_hot), {1}), reduction);
}

Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction) {
  return reduced(square(x - target), reduction);
}

Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction) {
  return reduced(abs(x - target), reduction);
}

Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction) {
  return reduced(softplus(x) - x * target, reduction);
}

int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  check_labels("count_correct", logits, labels);
  if (labels.is_empty()) return 0;
  Tensor hits = equal(max_with_index(logits, 1).second, labels);
  return static_cast<int64_t>(sum(hits.to(int64)).item());
}

}  // namespace tenon
