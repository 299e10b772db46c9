#include "core/ops/norm.h"

#include "core/cpu/norm.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/iteration.h"
#include "cuda/kernels/norm.h"

namespace tenon {
namespace {

void check(const char* op, const Tensor& x, double eps) {
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
  TENON_CHECK(x.rank() >= 2, op, ": expects [N, C, *], got ", x.str());
  TENON_CHECK(eps >= 0, op, ": expects eps >= 0, got ", eps);
}

// A parameter of the channels: undefined, or [C] like x. Returned row-major.
Tensor of_channels(const char* op, const char* what, const Tensor& p, const Tensor& x) {
  if (!p.defined()) return p;
  check_same_dtype(op, x, p);
  check_same_device(op, x, p);
  TENON_CHECK(p.shape() == Shape{x.shape()[1]}, op, ": expects ", what, " [", x.shape()[1], "] for x ",
              x.shape(), ", got ", p.str());
  return p.contiguous();
}

Tensor statistics_of(const char* op, const char* what, const Tensor& s, const Shape& shape, const Tensor& x) {
  TENON_CHECK(s.defined() && is_floating(s.dtype()) && s.shape() == shape, op, ": expects ", what, " ", shape,
              " for x ", x.shape(), ", got ", s.defined() ? s.str() : std::string("an undefined tensor"));
  check_same_device(op, x, s);
  return s.to(float64).contiguous();
}

double* doubles_of(const Tensor& statistics) { return static_cast<double*>(statistics.raw()); }

const void* raw_or_null(const Tensor& t) { return t.defined() ? t.raw() : nullptr; }

// x with its elements in one gap-free block; with `samples`, the first axis outermost, so that a sample is a
// block.
Tensor blocked(const Tensor& x, bool samples) {
  if (!x.is_dense()) return blocked(x.clone(), samples);
  bool first_is_outermost = x.size(0) <= 1 || x.strides()[0] * x.size(0) == x.numel();
  return samples && !first_is_outermost ? x.contiguous() : x;
}

// g, of the name `what`, with the strides of x.
Tensor laid_like(const char* op, const char* what, const Tensor& g, const Tensor& x) {
  TENON_CHECK(g.defined(), op, ": undefined ", what);
  check_same_dtype(op, x, g);
  check_same_device(op, x, g);
  TENON_CHECK(g.shape() == x.shape(), op, ": expects a ", what, " ", x.shape(), ", got ", g.str());
  bool alike = true;
  for (int i = 0; i < x.rank(); ++i) alike = alike && (x.shape()[i] == 1 || g.strides()[i] == x.strides()[i]);
  if (alike) return g;
  Tensor out = Tensor::empty_strided(x.shape(), x.strides(), x.dtype(), x.device());
  out.copy_(g);
  return out;
}

// How a blocked x [N, C, *] lies in memory; `groups` 0 means batch norm.
NormBlock block_of(const char* op, const Tensor& x, int64_t groups) {
  NormBlock block;
  block.samples = groups > 0 ? x.size(0) : 1;
  block.channels = x.size(1);
  block.per_set = groups > 0 ? block.channels / groups : 1;
  int64_t elements = groups > 0 ? 1 : x.size(0);  // of one channel of one sample
  for (int i = 2; i < x.rank(); ++i) elements *= x.shape()[i];
  TENON_CHECK(elements > 0 && block.per_set > 0, op, ": no elements to normalise over in ", x.str());
  block.inner = block.channels > 1 ? x.strides()[1] : elements;
  block.outer = elements / std::max<int64_t>(1, block.inner);
  return block;
}

void check_groups(const char* op, const Tensor& x, int64_t groups) {
  TENON_CHECK(groups > 0 && x.size(1) % groups == 0, op, ": expects groups that divide ", x.size(1),
              " channels, got ", groups);
}

// What follows a normalisation in the same pass, if `relu`.
struct Behind {
  bool relu = false;
  Tensor residual = {};
};

Normalized forward(const char* op, const Tensor& given, int64_t groups, const Tensor& weight,
                   const Tensor& bias, double eps, const Shape& statistics, const Behind& behind = {}) {
  Tensor w = of_channels(op, "weight", weight, given), b = of_channels(op, "bias", bias, given);
  Tensor x = blocked(given, groups > 0);
  NormBlock block = block_of(op, x, groups);
  Normalized out{Tensor::empty_like(x), Tensor::empty(statistics, float64, x.device()),
                 Tensor::empty(statistics, float64, x.device())};
  Tensor residual;
  if (behind.residual.defined()) residual = laid_like(op, "residual", behind.residual, x);
  if (x.is_empty()) return out;
  double* const mean = doubles_of(out.mean);
  double* const variance = doubles_of(out.variance);
  TENON_DISPATCH(x.device(), norm_statistics, block, x.dtype(), mean, variance, x.raw());
  const NormFinish finish{behind.relu, raw_or_null(residual)};
  TENON_DISPATCH(x.device(), norm_apply, block, x.dtype(), eps, out.y.raw(), x.raw(), mean, variance,
                 raw_or_null(w), raw_or_null(b), finish);
  return out;
}

NormGradients backward(const char* op, const Tensor& given_g, const Tensor& given, int64_t groups,
                       const Tensor& weight, const Tensor& mean, const Tensor& variance, double eps,
                       const Shape& statistics, const Tensor& given_y = {}, Tensor* passed = nullptr) {
  Tensor w = of_channels(op, "weight", weight, given);
  Tensor m = statistics_of(op, "mean", mean, statistics, given);
  Tensor v = statistics_of(op, "variance", variance, statistics, given);
  Tensor x = blocked(given, groups > 0);
  Tensor g = laid_like(op, "gradient", given_g, x), y;
  NormBlock block = block_of(op, x, groups);
  const auto of_channel = [&] {
    return x.is_empty() ? Tensor::zeros({x.size(1)}, x.dtype(), x.device())
                        : Tensor::empty({x.size(1)}, x.dtype(), x.device());
  };
  NormGradients out{Tensor::empty_like(x), of_channel(), of_channel()};
  NormReluOutput relu;
  if (given_y.defined()) {
    y = laid_like(op, "result", given_y, x);
    if (passed != nullptr) *passed = Tensor::empty_like(x);
    relu = {y.raw(), passed != nullptr ? passed->raw() : out.x.raw()};
  }
  if (x.is_empty()) return out;
  TENON_DISPATCH(x.device(), norm_backward, block, x.dtype(), eps, out.x.raw(), out.weight.raw(),
                 out.bias.raw(), g.raw(), x.raw(), doubles_of(m), doubles_of(v), raw_or_null(w), relu);
  return out;
}

}  // namespace

Normalized batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  check("batch_norm", x, eps);
  return forward("batch_norm", x, 0, weight, bias, eps, {x.size(1)});
}

NormGradients batch_norm_backward(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& variance, double eps) {
  check("batch_norm_backward", x, eps);
  return backward("batch_norm_backward", g, x, 0, weight, mean, variance, eps, {x.size(1)});
}

Normalized batch_norm_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual,
                           double eps) {
  check("batch_norm_relu", x, eps);
  return forward("batch_norm_relu", x, 0, weight, bias, eps, {x.size(1)}, {true, residual});
}

NormReluGradients batch_norm_relu_backward(const Tensor& g, const Tensor& x, const Tensor& y,
                                           const Tensor& weight, const Tensor& mean, const Tensor& variance,
                                           bool with_residual, double eps) {
  const char* op = "batch_norm_relu_backward";
  check(op, x, eps);
  TENON_CHECK(y.defined(), op, ": undefined result");
  NormReluGradients out;
  out.norm = backward(op, g, x, 0, weight, mean, variance, eps, {x.size(1)}, y,
                      with_residual ? &out.residual : nullptr);
  return out;
}

Tensor batch_norm_eval(const Tensor& given, const Tensor& weight, const Tensor& bias, const Tensor& mean,
                       const Tensor& variance, double eps) {
  const char* op = "batch_norm_eval";
  check(op, given, eps);
  Tensor w = of_channels(op, "weight", weight, given), b = of_channels(op, "bias", bias, given);
  Tensor m = statistics_of(op, "mean", mean, {given.size(1)}, given);
  Tensor v = statistics_of(op, "variance", variance, {given.size(1)}, given);
  Tensor x = blocked(given, false);
  Tensor y = Tensor::empty_like(x);
  if (x.is_empty()) return y;
  TENON_DISPATCH(x.device(), norm_apply, block_of(op, x, 0), x.dtype(), eps, y.raw(), x.raw(), doubles_of(m),
                 doubles_of(v), raw_or_null(w), raw_or_null(b), NormFinish{});
  return y;
}

void update_running_statistics(const Tensor& running_mean, const Tensor& running_variance, const Tensor& mean,
                               const Tensor& variance, int64_t count, double momentum) {
  const char* op = "update_running_statistics";
  TENON_CHECK(count >= 2, op, ": expects at least 2 elements behind each statistic, got ", count);
  TENON_CHECK(momentum >= 0 && momentum <= 1, op, ": expects momentum in [0, 1], got ", momentum);
  for (const auto& [running, batch] : {std::pair(&running_mean, &mean), {&running_variance, &variance}}) {
    TENON_CHECK(running->defined() && batch->defined(), op, ": undefined tensor");
    TENON_CHECK(running->shape() == batch->shape() && is_floating(running->dtype()), op,
                ": expects running statistics ", batch->shape(), ", got ", running->str());
    check_same_device(op, *running, *batch);
  }
  TENON_CHECK(running_mean.shape() == running_variance.shape(), op,
              ": expects a running variance for each running mean, got ", running_mean.shape(), " and ",
              running_variance.shape());
  check_same_dtype(op, running_mean, running_variance);
  check_same_device(op, running_mean, running_variance);
  const Tensor means = mean.to(float64), variances = variance.to(float64);
  TENON_DISPATCH(running_mean.device(), move_statistics,
                 make_loop<4>({&running_mean, &running_variance, &means, &variances}), running_mean.dtype(),
                 running_mean.raw(), running_variance.raw(), static_cast<const double*>(means.raw()),
                 static_cast<const double*>(variances.raw()), momentum,
                 static_cast<double>(count) / static_cast<double>(count - 1));
  running_mean.bump_version(op);
  running_variance.bump_version(op);
}

Normalized group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  check("group_norm", x, eps);
  check_groups("group_norm", x, groups);
  return forward("group_norm", x, groups, weight, bias, eps, {x.size(0), groups});
}

NormGradients group_norm_backward(const Tensor& g, const Tensor& x, int64_t groups, const Tensor& weight,
                                  const Tensor& mean, const Tensor& variance, double eps) {
  check("group_norm_backward", x, eps);
  check_groups("group_norm_backward", x, groups);
  return backward("group_norm_backward", g, x, groups, weight, mean, variance, eps, {x.size(0), groups});
}

Shape layer_norm_rows(const Tensor& x, int axes, const Tensor& weight, const Tensor& bias) {
  const char* op = "layer_norm";
  TENON_CHECK(x.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(x.dtype()), op, ": expects float32 or float64, got ", x.str());
  TENON_CHECK(axes >= 1 && axes <= x.rank(), op, ": expects to normalise over 1 to ", x.rank(), " axes of ",
              x.str(), ", got ", axes);
  Shape normalized;
  for (int i = x.rank() - axes; i < x.rank(); ++i) normalized.push_back(x.shape()[i]);
  TENON_CHECK(normalized.numel() > 0, op, ": no elements to normalise over in ", x.str());
  for (const Tensor* p : {&weight, &bias})
    TENON_CHECK(!p->defined() || p->shape() == normalized, op, ": expects weight and bias ", normalized,
                " for x ", x.shape(), ", got ", p->str());
  return {x.numel() / normalized.numel(), 1, normalized.numel()};
}

Tensor layer_norm(const Tensor& x, int axes, const Tensor& weight, const Tensor& bias, double eps) {
  Tensor rows = x.reshape(layer_norm_rows(x, axes, weight, bias));
  Tensor y = group_norm(rows, 1, Tensor(), Tensor(), eps).y.reshape(x.shape());
  if (weight.defined()) y = mul(y, weight);
  return bias.defined() ? add(y, bias) : y;
}

}  // namespace tenon

TENON_FORWARD(batch_norm)
TENON_FORWARD(batch_norm_backward)
TENON_FORWARD(batch_norm_eval)
TENON_FORWARD(batch_norm_relu)
TENON_FORWARD(batch_norm_relu_backward)
TENON_FORWARD(update_running_statistics)
TENON_FORWARD(group_norm)
TENON_FORWARD(group_norm_backward)
TENON_FORWARD(layer_norm)
