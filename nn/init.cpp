#include "nn/init.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"

namespace tenon::init {

int64_t fan_of(const Tensor& weight, Fan fan) {
  TENON_CHECK(weight.rank() >= 2, "init: a fan expects a weight of rank >= 2, got ", weight.str());
  int64_t kernel = 1;
  for (int i = 2; i < weight.rank(); ++i) kernel *= weight.shape()[i];
  return kernel * weight.shape()[fan == Fan::in ? 1 : 0];
}

double relu_gain(double slope) { return std::sqrt(2 / (1 + slope * slope)); }

void uniform(const Tensor& x, Generator& generator, double low, double high) {
  x.copy_(random_uniform(x.shape(), generator, low, high, x.dtype(), x.device()));
}

void normal(const Tensor& x, Generator& generator, double mean, double std) {
  x.copy_(random_normal(x.shape(), generator, mean, std, x.dtype(), x.device()));
}

void constant(const Tensor& x, double value) { x.fill_(value); }

namespace {
// A weight without inputs or outputs has nothing to draw; its fan must not divide.
double per_fan(int64_t fan) { return 1.0 / static_cast<double>(std::max<int64_t>(fan, 1)); }
}  // namespace

void kaiming_uniform(const Tensor& weight, Generator& generator, double gain, Fan fan) {
  double bound = gain * std::sqrt(3 * per_fan(fan_of(weight, fan)));
  uniform(weight, generator, -bound, bound);
}

void kaiming_normal(const Tensor& weight, Generator& generator, double gain, Fan fan) {
  normal(weight, generator, 0, gain * std::sqrt(per_fan(fan_of(weight, fan))));
}

void xavier_uniform(const Tensor& weight, Generator& generator, double gain) {
  double bound = gain * std::sqrt(6 * per_fan(fan_of(weight, Fan::in) + fan_of(weight, Fan::out)));
  uniform(weight, generator, -bound, bound);
}

void xavier_normal(const Tensor& weight, Generator& generator, double gain) {
  normal(weight, generator, 0,
         gain * std::sqrt(2 * per_fan(fan_of(weight, Fan::in) + fan_of(weight, Fan::out))));
}

void orthogonal(const Tensor& weight, Generator& generator, double gain) {
  TENON_CHECK(weight.rank() >= 2, "orthogonal: expects a weight of rank >= 2, got ", weight.str());
  if (weight.is_empty()) return;
  const int64_t rows = weight.size(0), columns = weight.numel() / rows;
  const Shape tall = {std::max(rows, columns), std::min(rows, columns)};
  // R's diagonal is positive, which makes Q uniform over the orthogonal matrices.
  const Tensor q = qr(random_normal(tall, generator, 0, 1, float64)).q;
  weight.copy_(affine(rows < columns ? q.t() : q, gain, 0).reshape(weight.shape()));
}

void layer_default(const Tensor& weight, const Tensor& bias, Generator& generator) {
  double bound = std::sqrt(per_fan(fan_of(weight, Fan::in)));
  uniform(weight, generator, -bound, bound);
  if (bias.defined()) uniform(bias, generator, -bound, bound);
}

}  // namespace tenon::init
