#include "autograd/ops/norm.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/elementwise.h"
#include "core/ops/norm.h"

namespace tenon {
namespace {

Variable plus(const Variable& a, const Variable& b) { return !a.defined() ? b : !b.defined() ? a : a + b; }

// The rule of y = normalize(x, weight, bias), whichever the normalisation: `backward(g, x, weight)` is its
// backward op.
template <class Backward>
Variable record_norm(const char* op, Tensor y, const Variable& x, const Variable& weight,
                     const Variable& bias, Backward backward) {
  return record(op, std::move(y), {x, weight, bias},
                [x = Saved(x), w = SavedOptional(weight), backward](const Variable& g, Gradients& out) {
                  PoolVector<Variable> gradients = backward(g, x(), w());
                  for (int i = 0; i < 3; ++i)
                    if (out.needed(i)) out.set(i, gradients[static_cast<size_t>(i)]);
                });
}

// The gradients of (dx, dweight, dbias) = backward(g, x, weight). With r = 1/sqrt(variance + eps), h = (x -
// mean) r, p = weight g, M the mean over a set and S the sum over all but the channels, the backward is
//   dx = P(p) = r (p - M[p] - h M[p h]),    dweight = S[g h],    dbias = S[g]
// Let a, u, t be the gradients of dx, dweight, dbias. P is symmetric: <a, P(p)> = <P(a), p>. Hence
//   to g:       weight P(a) + u h + t
//   to weight:  S[g P(a)]
// For x write <a, dx> = count r (A - alpha beta), with A = M[a p] - M[a] M[p], alpha = M[a h], beta = M[p h].
// A change k of h reaches x as P(k), and dr/dx = -r^2 h / count. Hence
//   to x:       P(u g - r (beta a + alpha p)) - r^2 (A - alpha beta) h
// All numbers are viewed as [N, groups, channels of a group, *], batch norm as groups of one channel.
struct SecondOrder {
  int64_t groups;
  Dims set_axes;
  double eps;

  Variable split(const Variable& v) const {
    return reshape(
        v, {v.size(0), groups, v.size(1) / groups, v.numel() / std::max<int64_t>(1, v.size(0) * v.size(1))});
  }
  Variable split_channels(const Variable& v) const { return reshape(v, {1, groups, v.size(0) / groups, 1}); }
  Variable over_set(const Variable& v) const { return mean(v, set_axes, true); }

  // Gradients of g, x and weight; undefined where nothing came.
  struct Result {
    Variable g, x, weight;
    void set(Gradients& out) const {
      int i = 0;
      for (const Variable& gradient : {g, x, weight}) {
        if (out.needed(i) && gradient.defined()) out.set(i, gradient);
        ++i;
      }
    }
  };

  Result operator()(const Variable& given_g, const Variable& given_x, const Variable& weight,
                    std::span<const Variable> incoming) const {
    const Shape shape = given_x.shape();
    if (given_x.value().is_empty()) return {};
    const Variable g = split(given_g), x = split(given_x);
    const Variable centred = x - over_set(x);
    const Variable r = rsqrt(over_set(square(centred)) + eps);
    const Variable h = centred * r;
    const Variable p = weight.defined() ? g * split_channels(weight) : g;
    auto project = [&](const Variable& k) { return r * (k - over_set(k) - h * over_set(k * h)); };

    Variable to_g, to_weight, k, to_x;
    if (incoming[0].defined()) {
      const Variable a = split(incoming[0]);
      const Variable pa = project(a);
      const Variable alpha = over_set(a * h), beta = over_set(p * h);
      to_g = weight.defined() ? pa * split_channels(weight) : pa;
      to_weight = g * pa;
      k = -(r * (beta * a + alpha * p));
      to_x = -(square(r) * (over_set(a * p) - over_set(a) * over_set(p) - alpha * beta) * h);
    }
    if (incoming[1].defined()) {
      const Variable u = split_channels(incoming[1]);
      to_g = plus(to_g, u * h);
      k = plus(k, u * g);
    }
    if (incoming[2].defined()) to_g = plus(to_g, expand(split_channels(incoming[2]), g.shape()));
    if (k.defined()) to_x = plus(to_x, project(k));

    auto whole = [&](const Variable& v) { return v.defined() ? reshape(v, shape) : v; };
    if (to_weight.defined()) to_weight = reshape(sum(to_weight, {0, 3}), {shape[1]});
    return {whole(to_g), whole(to_x), to_weight};
  }
};

PoolVector<Variable> record_backward(const char* op, const NormGradients& gradients, const Variable& g,
                                     const Variable& x, const Variable& weight, SecondOrder rule) {
  const Variable inputs[] = {g, x, weight};
  return record_many(
      op, {gradients.x, gradients.weight, gradients.bias}, inputs,
      [g = Saved(g), x = Saved(x), w = SavedOptional(weight), rule](
          std::span<const Variable> incoming, Gradients& out) { rule(g(), x(), w(), incoming).set(out); });
}

}  // namespace

NormalizedVariable batch_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps) {
  Normalized result = batch_norm(x.value(), value_or_none(weight), value_or_none(bias), eps);
  auto backward = [mean = Saved(result.mean), variance = Saved(result.variance), eps](
                      const Variable& g, const Variable& v, const Variable& w) {
    return batch_norm_backward(g, v, w, mean().value(), variance().value(), eps);
  };
  return {record_norm("batch_norm", result.y, x, weight, bias, backward), result.mean, result.variance};
}

PoolVector<Variable> batch_norm_backward(const Variable& g, const Variable& x, const Variable& weight,
                                         const Tensor& mean, const Tensor& variance, double eps) {
  return record_backward(
      "batch_norm_backward",
      batch_norm_backward(g.value(), x.value(), value_or_none(weight), mean, variance, eps), g, x, weight,
      {x.size(1), {0, 2, 3}, eps});
}

// y = max(0, batch_norm(x) + residual)      with p = g where y > 0: dresidual = p, the others as of batch_norm for p
NormalizedVariable batch_norm_relu(const Variable& x, const Variable& weight, const Variable& bias,
                                   const Variable& residual, double eps) {
  Normalized result =
      batch_norm_relu(x.value(), value_or_none(weight), value_or_none(bias), value_or_none(residual), eps);
  Variable y = record(
      "batch_norm_relu", result.y, {x, weight, bias, residual},
      [x = Saved(x), w = SavedOptional(weight), mean = Saved(result.mean), variance = Saved(result.variance),
       with_residual = residual.defined(), eps](const Variable& g, Gradients& out) {
        const PoolVector<Variable> gradients = batch_norm_relu_backward(
            g, x(), out.output().value(), w(), mean().value(), variance().value(), with_residual, eps);
        for (size_t i = 0; i < gradients.size(); ++i)
          if (out.needed(static_cast<int>(i))) out.set(static_cast<int>(i), gradients[i]);
      },
      Keep{.outputs = true});
  return {y, result.mean, result.variance};
}

// The rule of batch_norm_backward at p = g where y > 0, whose gradient is let through likewise.
PoolVector<Variable> batch_norm_relu_backward(const Variable& g, const Variable& x, const Tensor& y,
                                              const Variable& weight, const Tensor& mean,
                                              const Tensor& variance, bool with_residual, double eps) {
  NormReluGradients gradients = batch_norm_relu_backward(g.value(), x.value(), y, value_or_none(weight), mean,
                                                         variance, with_residual, eps);
  PoolVector<Tensor> outputs = {gradients.norm.x, gradients.norm.weight, gradients.norm.bias};
  if (with_residual) outputs.push_back(gradients.residual);
  const Variable inputs[] = {g, x, weight};
  return record_many(
      "batch_norm_relu_backward", outputs, inputs,
      [g = Saved(g), x = Saved(x), w = SavedOptional(weight), y = Saved(y),
       rule = SecondOrder{x.size(1), {0, 2, 3}, eps}](std::span<const Variable> incoming, Gradients& out) {
        SecondOrder::Result to = rule(relu_backward(g(), y()), x(), w(), incoming.first(3));
        if (incoming.size() > 3 && incoming[3].defined()) to.g = plus(to.g, incoming[3]);
        if (to.g.defined()) to.g = relu_backward(to.g, y());
        to.set(out);
      });
}

// y = w h + b, h = (x - mean) r with given mean, r      dx = g w r, dw = S[g h], db = S[g]
Variable batch_norm_eval(const Variable& x, const Variable& weight, const Variable& bias, const Tensor& mean,
                         const Tensor& variance, double eps) {
  Tensor y = batch_norm_eval(x.value(), value_or_none(weight), value_or_none(bias), mean, variance, eps);
  Shape one_a_channel = Dims::filled(x.rank(), 1);
  one_a_channel[1] = x.size(1);
  Dims others;
  for (int i = 0; i < x.rank(); ++i)
    if (i != 1) others.push_back(i);
  // Copies of their own: running statistics change in place.
  Variable m(mean.to(float64).clone().to(x.dtype()).reshape(one_a_channel));
  Variable r(rsqrt(affine(variance.to(float64), 1, eps)).to(x.dtype()).reshape(one_a_channel));
  return record("batch_norm_eval", std::move(y), {x, weight, bias},
                [x = Saved(x), w = SavedOptional(weight), m, r, one_a_channel, others](const Variable& g,
                                                                                       Gradients& out) {
                  Variable scale = w().defined() ? reshape(w(), one_a_channel) * r : r;
                  if (out.needed(0)) out.set(0, g * scale);
                  if (out.needed(1)) out.set(1, sum(g * ((x() - m) * r), others));
                  if (out.needed(2)) out.set(2, sum(g, others));
                });
}

NormalizedVariable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias,
                              double eps) {
  Normalized result = group_norm(x.value(), groups, value_or_none(weight), value_or_none(bias), eps);
  auto backward = [mean = Saved(result.mean), variance = Saved(result.variance), groups, eps](
                      const Variable& g, const Variable& v, const Variable& w) {
    return group_norm_backward(g, v, groups, w, mean().value(), variance().value(), eps);
  };
  return {record_norm("group_norm", result.y, x, weight, bias, backward), result.mean, result.variance};
}

PoolVector<Variable> group_norm_backward(const Variable& g, const Variable& x, int64_t groups,
                                         const Variable& weight, const Tensor& mean, const Tensor& variance,
                                         double eps) {
  return record_backward(
      "group_norm_backward",
      group_norm_backward(g.value(), x.value(), groups, value_or_none(weight), mean, variance, eps), g, x,
      weight, {groups, {2, 3}, eps});
}

// Composed of ops that know how to go back.
Variable layer_norm(const Variable& x, int axes, const Variable& weight, const Variable& bias, double eps) {
  Variable rows = reshape(x, layer_norm_rows(x.value(), axes, value_or_none(weight), value_or_none(bias)));
  Variable y = reshape(group_norm(rows, 1, Variable(), Variable(), eps).y, x.shape());
  if (weight.defined()) y = y * weight;
  return bias.defined() ? y + bias : y;
}

}  // namespace tenon

TENON_BACKWARD(batch_norm)
TENON_BACKWARD(batch_norm_backward)
TENON_BACKWARD(batch_norm_eval)
TENON_BACKWARD(batch_norm_relu)
TENON_BACKWARD(batch_norm_relu_backward)
TENON_BACKWARD(group_norm)
TENON_BACKWARD(group_norm_backward)
TENON_BACKWARD(layer_norm)
