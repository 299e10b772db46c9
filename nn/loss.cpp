#include "nn/loss.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace tenon {
namespace {

Variable reduced(const Variable& x, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(x);
    case Reduction::sum:
      return sum(x);
    case Reduction::none:
      return x;
  }
  fail("loss: no such reduction");
}

}  // namespace

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
  TENON_CHECK(logits.rank() == 2, "count_correct: logits expect [N, classes], got ", logits.shape());
  TENON_CHECK(labels.dtype() == int64 && labels.shape() == Shape{logits.size(0)},
              "count_correct: labels expect int64 [", logits.size(0), "], got ", labels.str());
  if (labels.is_empty()) return 0;
  Tensor hits = equal(max_with_index(logits, 1).second, labels);
  return static_cast<int64_t>(sum(hits.to(int64)).item());
}

}  // namespace tenon
