#include "nn/norm.h"

#include "autograd/checkpoint.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/norm.h"
#include "core/ops/norm.h"

namespace tenon {

BatchNorm::BatchNorm(const char* kind, int rank, int64_t channels, const BatchNormOptions& options)
    : kind_(kind), rank_(rank), options_(options) {
  weight = add_parameter("weight", Tensor::ones({channels}));
  bias = add_parameter("bias", Tensor::zeros({channels}));
  running_mean = add_buffer("running_mean", Tensor::zeros({channels}));
  running_var = add_buffer("running_var", Tensor::ones({channels}));
}

void BatchNorm::check_shape(const Shape& shape) const {
  bool rank_fits = rank_ == 0 ? shape.rank() == 2 || shape.rank() == 3 : shape.rank() == rank_;
  TENON_CHECK(rank_fits && shape[1] == weight.size(0), kind_, ": expects ", weight.size(0),
              " channels and rank ", rank_ == 0 ? std::string("2 or 3") : std::to_string(rank_), ", got ",
              shape);
}

Variable BatchNorm::forward(const Variable& x) {
  check_shape(x.shape());
  if (!is_training())
    return batch_norm_eval(x, weight, bias, running_mean.value(), running_var.value(), options_.eps);
  return follow(x, batch_norm(x, weight, bias, options_.eps));
}

Variable BatchNorm::forward_relu(const Variable& x, const Variable& residual) {
  if (!is_training()) return relu(residual.defined() ? forward(x) + residual : forward(x));
  check_shape(x.shape());
  return follow(x, batch_norm_relu(x, weight, bias, residual, options_.eps));
}

// Moves the running statistics by those of a batch x, and returns what that was normalised to.
Variable BatchNorm::follow(const Variable& x, const NormalizedVariable& normalized) {
  if (recomputing()) return normalized.y;  // the first run of a checkpointed segment counted this batch
  Shape of_a_channel = x.shape();
  of_a_channel[1] = 1;
  update_running_statistics(running_mean.value(), running_var.value(), normalized.mean, normalized.variance,
                            of_a_channel.numel(), options_.momentum);
  return normalized.y;
}

Shape BatchNorm::walk(const Shape& input, LayerUses& uses) const {
  check_shape(input);
  uses.push_back({this, input, input, 0});
  return input;
}

void estimate_statistics(Module& net, const Tensor& images, int64_t batch) {
  TENON_CHECK(images.rank() >= 1 && batch >= 1,
              "estimate_statistics: expects images and a batch of at least 1, got ", images.shape(), " and ",
              batch);
  std::vector<BatchNorm*> norms;
  for (const NamedModule& m : net.named_modules())
    if (auto* norm = dynamic_cast<BatchNorm*>(m.module)) norms.push_back(norm);
  std::vector<double> momenta;
  for (BatchNorm* norm : norms) momenta.push_back(norm->momentum());
  const NoGrad no_grad;
  const bool was_training = net.is_training();
  net.train();
  int64_t seen = 0;
  for (int64_t i = 0; i < images.size(0); i += batch) {
    // A running mean of momentum 1/k after k batches is their mean; the first batch replaces what was there.
    ++seen;
    for (BatchNorm* norm : norms) norm->set_momentum(1 / static_cast<double>(seen));
    net(Variable(images.narrow(0, i, std::min(batch, images.size(0) - i)).to(net.device())));
  }
  for (size_t i = 0; i < norms.size(); ++i) norms[i]->set_momentum(momenta[i]);
  net.train(was_training);
}

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double eps) : groups_(groups), eps_(eps) {
  TENON_CHECK(groups >= 1 && channels % groups == 0, "GroupNorm: groups (", groups,
              ") expect to divide the channels (", channels, ")");
  weight = add_parameter("weight", Tensor::ones({channels}));
  bias = add_parameter("bias", Tensor::zeros({channels}));
}

Variable GroupNorm::forward(const Variable& x) { return group_norm(x, groups_, weight, bias, eps_).y; }

Shape GroupNorm::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() >= 2 && input[1] == weight.size(0), "GroupNorm: walk: expects ", weight.size(0),
              " channels, got ", input);
  uses.push_back({this, input, input, 0});
  return input;
}

LayerNorm::LayerNorm(const Shape& shape, double eps) : eps_(eps) {
  TENON_CHECK(shape.rank() >= 1, "LayerNorm: expects a shape of at least one axis");
  weight = add_parameter("weight", Tensor::ones(shape));
  bias = add_parameter("bias", Tensor::zeros(shape));
}

Variable LayerNorm::forward(const Variable& x) { return layer_norm(x, weight.rank(), weight, bias, eps_); }

Shape LayerNorm::walk(const Shape& input, LayerUses& uses) const {
  const int extra = input.rank() - weight.rank();
  bool fits = extra >= 0;
  for (int i = 0; fits && i < weight.rank(); ++i) fits = input[extra + i] == weight.shape()[i];
  TENON_CHECK(fits, "LayerNorm: walk: expects the last axes ", weight.shape(), ", got ", input);
  uses.push_back({this, input, input, 0});
  return input;
}

}  // namespace tenon
