#include "core/ops/norm.h"

#include <cmath>

#include "autograd/ops/norm.h"
#include "tests/catalogue/naive_norm.h"

namespace tenon::catalogue {
namespace {

// ---- batch and group norm ---------------------------------------------------------------------------

std::vector<NormVariant> group_variants(Draw& d) {
  if (d.is(Size::large))
    return {{{2, 4, 130, 130}, 2, true, false}, {{2, 6, 90, 90}, 3, true, true}, {{800, 60}, 4, true, false}};
  if (d.is(Size::empty)) return {{{0, 4, 2}, 2, true, false}};
  if (d.is(Size::one)) return {{{1, 1, 1}, 1, true, false}};
  int64_t n = d.extent(2, 3, 0), s = d.extent(2, 3, 0);
  return {{{n, 4}, 2, true, false},
          {{n, 4, s}, 1, false, false},
          {{n, 4, s, 2}, 2, true, false},
          {{n, 4, s, 2}, 2, true, true},
          {{n, 3, s}, 3, true, false}};
}

using Variants = std::vector<NormVariant> (*)(Draw&);

template <class TensorForm, class VariableForm>
Row forward_row(const char* op, Variants variants, TensorForm tensor_form, VariableForm variable_form,
                std::function<std::vector<Refusal>()> refusals) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const NormVariant& v : variants(d)) {
      Case c;
      c.label = v.label();
      c.inputs = {d.normal(drawn_shape(v))};
      if (v.affine) c.inputs.push_back(d.normal({v.shape[1]})), c.inputs.push_back(d.normal({v.shape[1]}));
      c.tensors = [=](const Tensors& in) {
        Normalized out = tensor_form(seen(in[0], v), v.groups, at_or_none(in, 1), at_or_none(in, 2));
        return Tensors{out.y};
      };
      c.variables = [=](const Variables& in) {
        return Variables{variable_form(seen(in[0], v), v.groups, at_or_none(in, 1), at_or_none(in, 2)).y};
      };
      c.reference = [=](const Arrays& in) {
        Arrays inputs = in;
        inputs[0] = seen(in[0], v);
        Sets sets(v.shape, v.groups);
        return Arrays{naive_apply(inputs, sets, naive_statistics(inputs[0], sets))};
      };
      cases.push_back(c);
      Case statistics = c;  // to callers they are tensors, without a history
      statistics.label += " statistics";
      statistics.tensors = [=](const Tensors& in) {
        Normalized out = tensor_form(seen(in[0], v), v.groups, Tensor(), Tensor());
        return Tensors{out.mean, out.variance};
      };
      statistics.variables = nullptr;
      statistics.reference = [=](const Arrays& in) {
        Statistics s = naive_statistics(seen(in[0], v), Sets(v.shape, v.groups));
        return Arrays{s.mean, s.variance};
      };
      cases.push_back(statistics);
    }
    return cases;
  };
  row.refusals = refusals;
  row.tolerance_reason = kToleranceReason;
  return row;
}

template <class TensorForm, class VariableForm>
Row backward_row(const char* op, Variants variants, TensorForm tensor_form, VariableForm variable_form,
                 std::function<std::vector<Refusal>()> refusals) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const NormVariant& v : variants(d)) {
      Case c;
      c.label = v.label();
      c.inputs = {d.normal(drawn_shape(v)), d.normal(drawn_shape(v))};
      if (v.affine) c.inputs.push_back(d.normal({v.shape[1]}));
      c.tensors = [=](const Tensors& in) {
        NormGradients out = tensor_form(seen(in[0], v), seen(in[1], v), v.groups, at_or_none(in, 2));
        return Tensors{out.x, out.weight, out.bias};
      };
      c.variables = [=](const Variables& in) {
        return variable_form(seen(in[0], v), seen(in[1], v), v.groups, at_or_none(in, 2));
      };
      c.reference = [=](const Arrays& in) {
        Arrays inputs = in;
        inputs[0] = seen(in[0], v);
        inputs[1] = seen(in[1], v);
        return naive_backward(inputs, v.groups);
      };
      cases.push_back(c);
    }
    return cases;
  };
  row.refusals = refusals;
  row.tolerance = 2e-6;
  row.tolerance_reason =
      "three terms, each with a few roundings, relative to gradients up to 30 for small variances";
  return row;
}

const Register batch_norm_row(forward_row(
    "batch_norm", batch_variants,
    [](const Tensor& x, int64_t, const Tensor& w, const Tensor& b) { return batch_norm(x, w, b, kEps); },
    [](const Variable& x, int64_t, const Variable& w, const Variable& b) {
      return batch_norm(x, w, b, kEps);
    },
    [] {
      auto refusals =
          shared_refusals("batch_norm", [](Tensor x, Tensor w, Tensor b) { batch_norm(x, w, b); });
      Tensor x = Tensor::zeros({2, 4, 3});
      refusals.push_back({"bias",
                          [=] {
                            batch_norm(x, Tensor(), Tensor::zeros({2, 2}));
                          },
                          {"batch_norm", "bias [4]", "[2, 2]"}});
      refusals.push_back({"no elements",
                          [] {
                            batch_norm(Tensor::zeros({0, 4}), Tensor(), Tensor());
                          },
                          {"batch_norm", "no elements", "[0, 4]"}});
      refusals.push_back(
          {"eps", [=] { batch_norm(x, Tensor(), Tensor(), -1); }, {"batch_norm", "eps >= 0", "-1"}});
      return refusals;
    }));

const Register batch_norm_backward_row(backward_row(
    "batch_norm_backward", batch_variants,
    [](const Tensor& g, const Tensor& x, int64_t, const Tensor& w) {
      Normalized s = batch_norm(x, Tensor(), Tensor(), kEps);
      return batch_norm_backward(g, x, w, s.mean, s.variance, kEps);
    },
    [](const Variable& g, const Variable& x, int64_t, const Variable& w) {
      Normalized s = batch_norm(x.value(), Tensor(), Tensor(), kEps);
      return batch_norm_backward(g, x, w, s.mean, s.variance, kEps);
    },
    [] {
      const char* op = "batch_norm_backward";
      auto refusals = shared_refusals(
          op, [](Tensor x, Tensor w, Tensor) { batch_norm_backward(x, x, w, statistic(4), statistic(4)); });
      Tensor x = Tensor::zeros({2, 4, 3});
      refusals.push_back(
          {"gradient",
           [=] {
             batch_norm_backward(Tensor::zeros({2, 4}), x, Tensor(), statistic(4), statistic(4));
           },
           {op, "gradient [2, 4, 3]", "[2, 4]"}});
      refusals.push_back({"mean",
                          [=] { batch_norm_backward(x, x, Tensor(), statistic(3), statistic(4)); },
                          {op, "mean [4]", "[3]"}});
      refusals.push_back({"variance",
                          [=] { batch_norm_backward(x, x, Tensor(), statistic(4), Tensor()); },
                          {op, "variance [4]", "undefined"}});
      return refusals;
    }));

const Register group_norm_row(forward_row(
    "group_norm", group_variants,
    [](const Tensor& x, int64_t groups, const Tensor& w, const Tensor& b) {
      return group_norm(x, groups, w, b, kEps);
    },
    [](const Variable& x, int64_t groups, const Variable& w, const Variable& b) {
      return group_norm(x, groups, w, b, kEps);
    },
    [] {
      auto refusals =
          shared_refusals("group_norm", [](Tensor x, Tensor w, Tensor b) { group_norm(x, 2, w, b); });
      auto refuse = [&](const char* label, Shape shape, int64_t groups, std::vector<std::string> message) {
        message.push_back("group_norm");
        refusals.push_back(
            {label, [=] { group_norm(Tensor::zeros(shape), groups, Tensor(), Tensor()); }, message});
      };
      refuse("groups", {2, 4, 3}, 3, {"divide 4 channels", "got 3"});
      refuse("no groups", {2, 4, 3}, 0, {"got 0"});
      refuse("no elements", {2, 4, 0}, 2, {"no elements", "[2, 4, 0]"});
      return refusals;
    }));

const Register group_norm_backward_row(backward_row(
    "group_norm_backward", group_variants,
    [](const Tensor& g, const Tensor& x, int64_t groups, const Tensor& w) {
      Normalized s = group_norm(x, groups, Tensor(), Tensor(), kEps);
      return group_norm_backward(g, x, groups, w, s.mean, s.variance, kEps);
    },
    [](const Variable& g, const Variable& x, int64_t groups, const Variable& w) {
      Normalized s = group_norm(x.value(), groups, Tensor(), Tensor(), kEps);
      return group_norm_backward(g, x, groups, w, s.mean, s.variance, kEps);
    },
    [] {
      const char* op = "group_norm_backward";
      Tensor s = Tensor::ones({2, 2}, float64);
      auto refusals =
          shared_refusals(op, [=](Tensor x, Tensor w, Tensor) { group_norm_backward(x, x, 2, w, s, s); });
      Tensor x = Tensor::zeros({2, 4, 3});
      refusals.push_back({"groups",
                          [=] { group_norm_backward(x, x, 3, Tensor(), s, s); },
                          {op, "divide 4 channels", "got 3"}});
      refusals.push_back(
          {"mean", [=] { group_norm_backward(x, x, 4, Tensor(), s, s); }, {op, "mean [2, 4]", "[2, 2]"}});
      return refusals;
    }));

// ---- batch norm in evaluation -----------------------------------------------------------------------

const Register batch_norm_eval_row({
    .op = "batch_norm_eval",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          std::vector<NormVariant> variants = batch_variants(d);
          if (d.is(Size::empty))
            variants.push_back({{0, 3, 2}, 0, true, false});  // an empty batch is allowed here
          for (const NormVariant& v : variants) {
            Case c;
            c.label = v.label();
            // The statistics are not differentiable: they are no inputs of the case.
            Tensor mean = d.normal({v.shape[1]}), variance = d.uniform({v.shape[1]}, 0.5, 2);
            c.inputs = {d.normal(drawn_shape(v))};
            if (v.affine)
              c.inputs.push_back(d.normal({v.shape[1]})), c.inputs.push_back(d.normal({v.shape[1]}));
            c.tensors = [=](const Tensors& in) {
              const Device device = in[0].device();
              return Tensors{batch_norm_eval(seen(in[0], v), at_or_none(in, 1), at_or_none(in, 2),
                                             mean.to(device), variance.to(device), kEps)};
            };
            c.variables = [=](const Variables& in) {
              const Device device = in[0].value().device();
              return Variables{batch_norm_eval(seen(in[0], v), at_or_none(in, 1), at_or_none(in, 2),
                                               mean.to(device), variance.to(device), kEps)};
            };
            c.reference = [=](const Arrays& in) {
              Arrays inputs = in;
              inputs[0] = seen(in[0], v);
              Statistics s{Array({v.shape[1]}), Array({v.shape[1]})};
              s.mean.v = mean.to_vector<double>();
              s.variance.v = variance.to_vector<double>();
              return Arrays{naive_apply(inputs, Sets(v.shape, 0), s)};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "batch_norm_eval";
          auto refusals = shared_refusals(
              op, [](Tensor x, Tensor w, Tensor b) { batch_norm_eval(x, w, b, statistic(4), statistic(4)); });
          Tensor x = Tensor::zeros({2, 4, 3});
          refusals.push_back({"mean",
                              [=] { batch_norm_eval(x, Tensor(), Tensor(), statistic(2), statistic(4)); },
                              {op, "mean [4]", "[2]"}});
          refusals.push_back(
              {"variance",
               [=] { batch_norm_eval(x, Tensor(), Tensor(), statistic(4), Tensor::zeros({4}, int32)); },
               {op, "variance [4]", "int32"}});
          return refusals;
        },
    .tolerance_reason = kToleranceReason,
});

const Register update_row({
    .op = "update_running_statistics",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (double momentum : {0.0, 0.1, 1.0}) {
            Case c;
            int64_t n = d.extent(4, 17, 5000);
            c.label = concat("momentum ", momentum);
            c.inputs = {d.normal({n}), d.uniform({n}, 0, 2), d.normal({n}), d.uniform({n}, 0, 2)};
            c.tensors = [=](const Tensors& in) {
              Tensor mean = in[0].clone(), variance = in[1].clone();
              update_running_statistics(mean, variance, in[2], in[3], 5, momentum);
              return Tensors{mean, variance};
            };
            c.reference = [=](const Arrays& in) {
              Array mean = in[0], variance = in[1];
              for (int64_t i = 0; i < mean.numel(); ++i) {
                mean[i] = (1 - momentum) * in[0][i] + momentum * in[2][i];
                variance[i] = (1 - momentum) * in[1][i] + momentum * in[3][i] * 5 / 4;
              }
              return Arrays{mean, variance};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "update_running_statistics";
          auto call = [](Tensor running, int64_t count, double momentum) {
            return [=] {
              update_running_statistics(running, running, statistic(3), statistic(3), count, momentum);
            };
          };
          return std::vector<Refusal>{
              {"undefined", call(Tensor(), 5, 0.1), {op, "undefined"}},
              {"shape", call(Tensor::zeros({2}), 5, 0.1), {op, "[3]", "[2]"}},
              {"dtype", call(Tensor::zeros({3}, int64), 5, 0.1), {op, "int64"}},
              {"count", call(Tensor::zeros({3}), 1, 0.1), {op, "at least 2", "got 1"}},
              {"momentum", call(Tensor::zeros({3}), 5, 2), {op, "[0, 1]", "got 2"}}};
        },
});

// ---- layer norm -------------------------------------------------------------------------------------

const Register layer_norm_row({
    .op = "layer_norm",
    .cases =
        [](Draw& d) {
          struct LayerVariant {
            Shape shape;
            int axes;
            bool affine;
          };
          int64_t m = d.extent(3, 5, 0), n = d.is(Size::empty) ? 3 : d.extent(4, 7, 0);
          std::vector<LayerVariant> variants = {{{m, n}, 1, true}, {{m, n}, 1, false}, {{m, 2, n}, 2, true}};
          if (!d.is(Size::empty)) variants.push_back({{n}, 1, true});
          if (d.is(Size::large)) variants = {{{1000, 70}, 1, true}, {{3, 20, 30, 50}, 3, true}};
          std::vector<Case> cases;
          for (const LayerVariant& v : variants) {
            Case c;
            c.label = concat(v.shape, " over ", v.axes, v.affine ? " affine" : "");
            Shape normalized;
            for (int i = v.shape.rank() - v.axes; i < v.shape.rank(); ++i) normalized.push_back(v.shape[i]);
            c.inputs = {d.normal(v.shape)};
            if (v.affine) c.inputs.push_back(d.normal(normalized)), c.inputs.push_back(d.normal(normalized));
            c.tensors = [=](const Tensors& in) {
              return Tensors{layer_norm(in[0], v.axes, at_or_none(in, 1), at_or_none(in, 2), kEps)};
            };
            c.variables = [=](const Variables& in) {
              return Variables{layer_norm(in[0], v.axes, at_or_none(in, 1), at_or_none(in, 2), kEps)};
            };
            c.reference = [=](const Arrays& in) {
              Array y(v.shape);
              const int64_t length = normalized.numel();
              for (int64_t row = 0; row < y.numel() / length; ++row) {
                double mean = 0, variance = 0, count = static_cast<double>(length);
                for (int64_t i = 0; i < length; ++i) mean += in[0][row * length + i] / count;
                for (int64_t i = 0; i < length; ++i)
                  variance += std::pow(in[0][row * length + i] - mean, 2) / count;
                for (int64_t i = 0; i < length; ++i) {
                  double h = (in[0][row * length + i] - mean) / std::sqrt(variance + kEps);
                  y[row * length + i] = v.affine ? h * in[1][i] + in[2][i] : h;
                }
              }
              return Arrays{y};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "layer_norm";
          auto refusals = unary_refusals(op, [](const Tensor& x) { layer_norm(x, 1, Tensor(), Tensor()); });
          Tensor x = Tensor::zeros({2, 3});
          refusals.push_back(
              {"axes", [=] { layer_norm(x, 3, Tensor(), Tensor()); }, {op, "1 to 2 axes", "got 3"}});
          refusals.push_back({"no axes", [=] { layer_norm(x, 0, Tensor(), Tensor()); }, {op, "got 0"}});
          refusals.push_back(
              {"weight", [=] { layer_norm(x, 1, Tensor::zeros({2}), Tensor()); }, {op, "[3]", "[2]"}});
          refusals.push_back({"no elements",
                              [] {
                                layer_norm(Tensor::zeros({2, 0}), 1, Tensor(), Tensor());
                              },
                              {op, "no elements"}});
          return refusals;
        },
    .tolerance_reason = kToleranceReason,
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(batch_norm)
TENON_ROW(batch_norm_backward)
TENON_ROW(batch_norm_eval)
TENON_ROW(update_running_statistics)
TENON_ROW(group_norm)
TENON_ROW(group_norm_backward)
TENON_ROW(layer_norm)
