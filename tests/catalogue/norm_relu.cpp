// Batch norm with a relu behind it, and with a residual.
#include <algorithm>

#include "autograd/ops/norm.h"
#include "core/ops/elementwise.h"
#include "core/ops/norm.h"
#include "tests/catalogue/naive_norm.h"

namespace tenon::catalogue {
namespace {

struct ReluVariant : NormVariant {
  bool residual;
};

std::vector<ReluVariant> relu_variants(Draw& d) {
  std::vector<ReluVariant> variants;
  for (const NormVariant& v : batch_variants(d))
    for (bool residual : {false, true}) variants.push_back({v, residual});
  return variants;
}

// Inputs x, then weight and bias, then residual, of which the last three may be missing. What the relu sees stays
// away from 0, where it has no derivative: a residual outweighs the rest by its size, and without one the bias does.
Tensors draw_before_relu(Draw& d, const ReluVariant& v) {
  Tensors in = {d.normal(drawn_shape(v))};
  auto of_size = [&](const Shape& shape, double size, const Tensor& around) {
    Tensor signs = sub(affine(greater(d.normal(shape), Tensor::scalar(0, float64)).to(float64), 2 * size, 0),
                       Tensor::scalar(size, float64));
    return around.defined() ? add(signs, around) : signs;
  };
  if (v.affine || !v.residual) {
    in.push_back(d.uniform({v.shape[1]}, 0.05, 0.1));
    in.push_back(of_size({v.shape[1]}, 1, Tensor()));
  }
  if (v.residual) in.push_back(of_size(drawn_shape(v), 8, d.uniform(drawn_shape(v), -1, 1)));
  return in;
}
bool with_weight(const ReluVariant& v) { return v.affine || !v.residual; }

template <class T>
struct BeforeRelu {
  T x, weight, bias, residual;
  BeforeRelu(const std::vector<T>& in, const ReluVariant& v) : x(seen(in[0], v)) {
    if (with_weight(v)) weight = in[1], bias = in[2];
    if (v.residual) residual = seen(in.back(), v);
  }
};

Array naive_relu(const Arrays& in, const ReluVariant& v) {
  Arrays inputs = {seen(in[0], v)};
  if (with_weight(v)) inputs.insert(inputs.end(), {in[1], in[2]});
  Sets sets(v.shape, 0);
  Array y = naive_apply(inputs, sets, naive_statistics(inputs[0], sets));
  const Array residual = v.residual ? seen(in.back(), v) : Array(v.shape);
  for (int64_t i = 0; i < y.numel(); ++i) y[i] = std::max(0.0, y[i] + residual[i]);
  return y;
}

const Register batch_norm_relu_row({
    .op = "batch_norm_relu",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ReluVariant& v : relu_variants(d)) {
            Case c;
            c.label = concat(v.label(), v.residual ? " with residual" : "");
            c.inputs = draw_before_relu(d, v);
            c.tensors = [=](const Tensors& given) {
              const BeforeRelu<Tensor> in(given, v);
              return Tensors{batch_norm_relu(in.x, in.weight, in.bias, in.residual, kEps).y};
            };
            c.variables = [=](const Variables& given) {
              const BeforeRelu<Variable> in(given, v);
              return Variables{batch_norm_relu(in.x, in.weight, in.bias, in.residual, kEps).y};
            };
            c.reference = [=](const Arrays& in) { return Arrays{naive_relu(in, v)}; };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "batch_norm_relu";
          auto refusals =
              shared_refusals(op, [](Tensor x, Tensor w, Tensor b) { batch_norm_relu(x, w, b, Tensor()); });
          const Tensor x = Tensor::zeros({2, 4, 3});
          refusals.push_back({"residual",
                              [=] {
                                batch_norm_relu(x, Tensor(), Tensor(), Tensor::zeros({2, 4, 1}));
                              },
                              {op, "residual [2, 4, 3]", "[2, 4, 1]"}});
          return refusals;
        },
    .tolerance_reason = kToleranceReason,
});

const Register batch_norm_relu_backward_row({
    .op = "batch_norm_relu_backward",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ReluVariant& v : relu_variants(d)) {
            Case c;
            c.label = concat(v.label(), v.residual ? " with residual" : "");
            // The result y is given: any numbers, some of them above 0.
            const Tensor y = d.integers(drawn_shape(v), -1, 2, float64);
            c.inputs = {d.normal(drawn_shape(v)), d.normal(drawn_shape(v))};
            if (v.affine) c.inputs.push_back(d.normal({v.shape[1]}));
            auto y_like = [=](const Tensor& x) { return seen(y.to(x.dtype()).to(x.device()), v); };
            c.tensors = [=](const Tensors& in) {
              const Tensor x = seen(in[1], v);
              Normalized s = batch_norm(x, Tensor(), Tensor(), kEps);
              auto [norm, residual] = batch_norm_relu_backward(
                  seen(in[0], v), x, y_like(in[1]), at_or_none(in, 2), s.mean, s.variance, v.residual, kEps);
              Tensors out = {norm.x, norm.weight, norm.bias};
              if (v.residual) out.push_back(residual);
              return out;
            };
            c.variables = [=](const Variables& in) {
              const Variable x = seen(in[1], v);
              Normalized s = batch_norm(x.value(), Tensor(), Tensor(), kEps);
              return batch_norm_relu_backward(seen(in[0], v), x, y_like(in[1].value()), at_or_none(in, 2),
                                              s.mean, s.variance, v.residual, kEps);
            };
            c.reference = [=](const Arrays& in) {
              Arrays inputs = in;
              inputs[0] = seen(in[0], v), inputs[1] = seen(in[1], v);
              Array open(y.shape());
              open.v = y.to_vector<double>();
              open = seen(open, v);
              for (int64_t i = 0; i < open.numel(); ++i)
                if (open[i] <= 0) inputs[0][i] = 0;
              Arrays out = naive_backward(inputs, 0);
              if (v.residual) out.push_back(inputs[0]);
              return out;
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "batch_norm_relu_backward";
          auto call = [](Tensor g, Tensor x, Tensor y, Tensor w, Tensor mean) {
            batch_norm_relu_backward(g, x, y, w, mean, statistic(4), false);
          };
          auto refusals =
              shared_refusals(op, [=](Tensor x, Tensor w, Tensor) { call(x, x, x, w, statistic(4)); });
          const Tensor x = Tensor::zeros({2, 4, 3}), none;
          refusals.push_back({"gradient",
                              [=] {
                                call(Tensor::zeros({2, 4}), x, x, none, statistic(4));
                              },
                              {op, "gradient [2, 4, 3]", "[2, 4]"}});
          refusals.push_back(
              {"no result", [=] { call(x, x, none, none, statistic(4)); }, {op, "undefined result"}});
          refusals.push_back({"result",
                              [=] { call(x, x, Tensor::zeros({1}), none, statistic(4)); },
                              {op, "result [2, 4, 3]", "[1]"}});
          refusals.push_back({"mean", [=] { call(x, x, x, none, statistic(3)); }, {op, "mean [4]", "[3]"}});
          return refusals;
        },
    .tolerance = 2e-6,
    .tolerance_reason = "as batch_norm_backward",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(batch_norm_relu)
TENON_ROW(batch_norm_relu_backward)
