#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/random.h"

namespace tenon {
namespace {

std::vector<Variable> as_variables(const std::vector<Tensor>& inputs, bool requires_grad) {
  std::vector<Variable> variables;
  for (const Tensor& input : inputs) {
    TENON_CHECK(input.dtype() != float32, "gradcheck: expects float64 inputs, got ", input.str());
    variables.emplace_back(input, requires_grad && input.dtype() == float64);
  }
  return variables;
}

// sum_k <outputs_k, weights_k> over the floating outputs.
Variable contract(const std::vector<Variable>& outputs, const std::vector<Tensor>& weights) {
  Variable total;
  size_t k = 0;
  for (const Variable& output : outputs) {
    if (output.dtype() != float64) continue;
    Variable part = sum(output * Variable(weights.at(k++)));
    total = total.defined() ? total + part : part;
  }
  TENON_CHECK(total.defined(), "gradcheck: the function has no float64 output");
  return total;
}

std::vector<Tensor> random_weights(const std::vector<Variable>& outputs) {
  Generator generator(17, 4);
  std::vector<Tensor> weights;
  for (const Variable& output : outputs)
    if (output.dtype() == float64)
      weights.push_back(random_uniform(output.shape(), generator, 0.5, 1.5, float64));
  return weights;
}

}  // namespace

GradcheckResult gradcheck(const VariableFunction& f, const std::vector<Tensor>& given, double h) {
  std::vector<Tensor> inputs;  // our own copies: elements are moved to and fro
  for (const Tensor& input : given) inputs.push_back(input.clone());
  std::vector<Variable> variables = as_variables(inputs, true);
  std::vector<Variable> outputs = f(variables);
  std::vector<Tensor> weights = random_weights(outputs);
  Variable total = contract(outputs, weights);
  std::vector<Variable> analytic(variables.size());
  if (total.requires_grad()) analytic = gradients({total}, variables);

  auto value_at = [&] { return contract(f(as_variables(inputs, true)), weights).item(); };
  GradcheckResult worst;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype() != float64 || inputs[i].is_empty()) continue;
    Tensor exact =
        analytic[i].defined() ? analytic[i].value().contiguous() : Tensor::zeros(inputs[i].shape(), float64);
    TENON_CHECK(exact.shape() == inputs[i].shape(), "gradcheck: the gradient of input ", i, " has shape ",
                exact.shape(), ", the input ", inputs[i].shape());
    Tensor flat = inputs[i].contiguous().reshape({-1});
    double largest = 0, error = 0;
    int64_t at = 0;
    for (int64_t e = 0; e < flat.numel(); ++e) {
      const double x = flat.data<double>()[e];
      auto moved = [&](double by) {
        flat.data<double>()[e] = x + by;
        inputs[i].copy_(flat.reshape(inputs[i].shape()));
        return value_at();
      };
      double numeric = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h);
      moved(0);
      double a = exact.data<double>()[e];
      largest = std::max({largest, std::fabs(a), std::fabs(numeric)});
      double difference = std::fabs(a - numeric);
      if (!(difference <= error)) error = difference, at = e;  // NaN counts as the worst
    }
    double relative = largest > 1e-6 ? error / largest : error;
    if (!(relative <= worst.relative_error))
      worst = {relative, concat("input ", i, " ", inputs[i].shape(), ", element ", at)};
  }
  return worst;
}

GradcheckResult gradcheck_second(const VariableFunction& f, const std::vector<Tensor>& inputs, double h) {
  const size_t count = inputs.size();
  std::vector<Tensor> extended = inputs;
  for (Tensor& weight : random_weights(f(as_variables(inputs, false)))) extended.push_back(weight);
  auto first_order = [&](const std::vector<Variable>& all) {
    std::vector<Variable> x(all.begin(), all.begin() + static_cast<int64_t>(count));
    std::vector<Variable> outputs, seeds(all.begin() + static_cast<int64_t>(count), all.end());
    for (Variable& output : f(x))
      if (output.dtype() == float64) outputs.push_back(output);
    std::vector<Variable> wanted, result;
    for (const Variable& v : x)
      if (v.requires_grad()) wanted.push_back(v);
    for (Variable& g : gradients(outputs, wanted, seeds, {.create_graph = true}))
      if (g.defined()) result.push_back(g);
    return result;
  };
  return gradcheck(first_order, extended, h);
}

}  // namespace tenon
