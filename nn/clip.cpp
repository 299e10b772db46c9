#include "nn/clip.h"

#include <cmath>

#include "core/ops/lists.h"

namespace tenon {
namespace {

std::vector<Tensor> gradients_of(const std::vector<Variable>& parameters) {
  std::vector<Tensor> out;
  out.reserve(parameters.size());
  for (const Variable& p : parameters)
    if (p.grad().defined()) out.push_back(p.grad().value());
  return out;
}

}  // namespace

double clip_grad_norm(const std::vector<Variable>& parameters, double max_norm) {
  TENON_CHECK(max_norm > 0, "clip_grad_norm: max_norm expects > 0, got ", max_norm);
  const std::vector<Tensor> gradients = gradients_of(parameters);
  const double norm = lists_norm2(gradients);
  if (std::isfinite(norm) && norm > max_norm) lists_scale(gradients, max_norm / norm);
  return norm;
}

void clip_grad_value(const std::vector<Variable>& parameters, double limit) {
  TENON_CHECK(limit >= 0, "clip_grad_value: limit expects >= 0, got ", limit);
  lists_clamp(gradients_of(parameters), -limit, limit);
}

}  // namespace tenon
