#include "core/ops/winners.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/winners.h"
#include "core/ops/elementwise.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// The (rank + 1)-th largest magnitude among `count` elements of a sample, `step` apart modulo its size.
double naive_threshold(const double* x, int64_t n, int64_t count, int64_t step, int64_t rank) {
  std::vector<double> seen;
  for (int64_t i = 0; i < count; ++i) seen.push_back(std::fabs(x[i * step % n]));
  std::sort(seen.begin(), seen.end(), std::greater<>());
  return rank < count ? seen[static_cast<size_t>(rank)] : -1;
}

// The step by its definition: the first number from 0.618 n on that shares no divisor with n.
int64_t naive_step(int64_t n) {
  int64_t step = std::max<int64_t>(1, std::llround(0.6180339887498949 * static_cast<double>(n)));
  while (std::gcd(step, n) != 1) ++step;
  return step % n;
}

Array naive_winners(const Array& x, int64_t k, int64_t samples) {
  Array y(x.shape);
  if (x.numel() == 0) return y;
  const int64_t n = x.numel() / x.shape[0];
  const int64_t count = samples == 0 ? n : samples, step = samples == 0 ? 1 : naive_step(n);
  const int64_t rank =
      std::llround(static_cast<double>(k) / static_cast<double>(n) * static_cast<double>(count));
  for (int64_t first = 0; first < x.numel(); first += n) {
    const double threshold = naive_threshold(&x.v[static_cast<size_t>(first)], n, count, step, rank);
    for (int64_t i = first; i < first + n; ++i) y[i] = std::fabs(x[i]) > threshold ? x[i] : 0;
  }
  return y;
}

Case winners_case(const Tensor& x, int64_t k, int64_t samples) {
  Case c;
  c.label = concat(x.shape(), " k ", k, " samples ", samples);
  c.inputs = {x};
  c.tensors = [=](const Tensors& in) { return Tensors{winners(in[0], k, samples)}; };
  c.variables = [=](const Variables& in) { return Variables{winners(in[0], k, samples)}; };
  c.reference = [=](const Arrays& in) { return Arrays{naive_winners(in[0], k, samples)}; };
  return c;
}

std::vector<Case> cases(Draw& d) {
  const Shape shape{d.extent(3, 3, 40), d.extent(4, 5, 60), d.extent(5, 7, 61)};
  const int64_t n = shape[1] * shape[2];
  // Magnitudes at least 0.01 apart and away from 0, so that a difference does not change who wins; of both signs.
  const Tensor x = affine(d.distinct(shape), 1, 0.02 * static_cast<double>(shape.numel() / 2) + 0.05);
  for (int64_t i = 0; i < x.numel(); i += 2) x.data<double>()[i] *= -1;
  std::vector<Case> out;
  for (int64_t k : {int64_t{0}, n / 4, n / 2, n}) {
    out.push_back(winners_case(x, k, 0));
    if (n > 0) out.push_back(winners_case(x, k, (n + 2) / 3));
  }
  if (d.is(Size::normal)) {
    // Ties at the threshold all lose: small integers, many of them 0.
    out.push_back(winners_case(d.integers({4, 40}, -3, 4).to(float64), 10, 0));
    out.back().variables = nullptr;  // a difference would break the ties
  }
  return out;
}

const Register winners_row({
    .op = "winners",
    .cases = cases,
    .refusals =
        [] {
          const Tensor x = Tensor::zeros({2, 3});
          auto refusals = unary_refusals("winners", [](const Tensor& t) { winners(t, 0); });
          refusals.push_back({"rank", [] { winners(Tensor::zeros({}), 0); }, {"winners", "[N, ...]"}});
          refusals.push_back({"k above", [x] { winners(x, 4); }, {"winners", "0 <= k <= 3", "got 4"}});
          refusals.push_back({"k below", [x] { winners(x, -1); }, {"winners", "0 <= k <= 3", "got -1"}});
          refusals.push_back(
              {"samples", [x] { winners(x, 1, 4); }, {"winners", "0 <= samples <= 3", "got 4"}});
          return refusals;
        },
    .tolerance = 0,
    .tolerance_reason = "elements are copied or 0",
    .tolerance64 = 0,
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(winners)
