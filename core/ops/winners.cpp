#include "core/ops/winners.h"

#include <cmath>
#include <numeric>

#include "core/cpu/winners.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "cuda/kernels/winners.h"

namespace tenon {
namespace {

// Near n / 1.618, without a divisor in common with n.
int64_t spreading_step(int64_t n) {
  auto step = std::max<int64_t>(1, std::llround(static_cast<double>(n) * 0.6180339887498949));
  while (std::gcd(step, n) != 1) ++step;
  return step % n;
}

}  // namespace

Tensor winners(const Tensor& x, int64_t k, int64_t samples) {
  TENON_CHECK(x.defined(), "winners: undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), "winners: expects float32 or float64, got ", x.str());
  TENON_CHECK(x.rank() > 0, "winners: expects [N, ...], got ", x.str());
  Shape rest = x.shape();
  rest.erase(0);
  WinnersPlan plan{.rows = x.size(0), .n = rest.numel()};
  TENON_CHECK(k >= 0 && k <= plan.n, "winners: expects 0 <= k <= ", plan.n, " (samples of ", x.shape(),
              "), got ", k);
  TENON_CHECK(samples >= 0 && samples <= plan.n, "winners: expects 0 <= samples <= ", plan.n, " (samples of ",
              x.shape(), "), got ", samples);
  const Tensor dense = x.contiguous();
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  if (y.is_empty()) return y;
  plan.samples = samples == 0 ? plan.n : samples;
  plan.step = samples == 0 ? 1 : spreading_step(plan.n);
  plan.rank = winner_count(static_cast<double>(k) / static_cast<double>(plan.n), plan.samples);
  if (plan.rank == plan.samples) return dense.clone();
  TENON_DISPATCH(x.device(), winners, plan, x.dtype(), y.raw(), dense.raw());
  return y;
}

int64_t winner_count(double rate, int64_t size) {
  TENON_CHECK(rate >= 0 && rate <= 1, "winner_count: expects a rate in [0, 1], got ", rate);
  return std::llround(rate * static_cast<double>(size));
}

}  // namespace tenon

TENON_FORWARD(winners)
