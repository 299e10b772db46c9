#include "core/ops/norm.h"

#include <cmath>

#include "autograd/ops/norm.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// Large, so that sets of two nearly equal numbers stay smooth on the scale of gradcheck's differences.
constexpr double kEps = 0.1;

// ---- references
// -------------------------------------------------------------------------------------------------- Which
// set, and which channel, each element of x [N, C, *] belongs to; groups = 0 means batch norm.
struct Sets {
  std::vector<int64_t> set, channel;
  Shape shape;  // of the statistics
  double count = 0;
  Sets(const Shape& x, int64_t groups) : shape(groups ? Shape{x[0], groups} : Shape{x[1]}) {
    for_each_index(x, [&](const Dims& at) {
      set.push_back(groups ? at[0] * groups + at[1] / (x[1] / groups) : at[1]);
      channel.push_back(at[1]);
    });
    if (!set.empty()) count = static_cast<double>(set.size()) / static_cast<double>(shape.numel());
  }
};

struct Statistics {
  Array mean, variance;
};

Statistics naive_statistics(const Array& x, const Sets& sets) {
  Statistics s{Array(sets.shape), Array(sets.shape)};
  auto set = [&](int64_t i) { return sets.set[static_cast<size_t>(i)]; };
  for (int64_t i = 0; i < x.numel(); ++i) s.mean[set(i)] += x[i] / sets.count;
  for (int64_t i = 0; i < x.numel(); ++i)
    s.variance[set(i)] += std::pow(x[i] - s.mean[set(i)], 2) / sets.count;
  return s;
}

// inputs: x, then weight and bias if there are any
Array naive_apply(const Arrays& in, const Sets& sets, const Statistics& s) {
  Array y(in[0].shape);
  for (int64_t i = 0; i < y.numel(); ++i) {
    int64_t set = sets.set[static_cast<size_t>(i)], c = sets.channel[static_cast<size_t>(i)];
    y[i] = (in[0][i] - s.mean[set]) / std::sqrt(s.variance[set] + kEps);
    if (in.size() > 1) y[i] = y[i] * in[1][c] + in[2][c];
  }
  return y;
}

// inputs: g, x, then weight if there is one
Arrays naive_backward(const Arrays& in, int64_t groups) {
  const Array &g = in[0], &x = in[1];
  Sets sets(x.shape, groups);
  Statistics s = naive_statistics(x, sets);
  Array dx(x.shape), dweight({x.shape[1]}), dbias({x.shape[1]}), mean_p(sets.shape), mean_ph(sets.shape);
  auto r = [&](int64_t set) { return 1 / std::sqrt(s.variance[set] + kEps); };
  auto visit = [&](const std::function<void(int64_t, int64_t, int64_t, double, double)>& f) {
    for (int64_t i = 0; i < x.numel(); ++i) {
      int64_t set = sets.set[static_cast<size_t>(i)], c = sets.channel[static_cast<size_t>(i)];
      f(i, set, c, (x[i] - s.mean[set]) * r(set), in.size() > 2 ? g[i] * in[2][c] : g[i]);
    }
  };
  visit([&](int64_t i, int64_t set, int64_t c, double h, double p) {
    mean_p[set] += p / sets.count;
    mean_ph[set] += p * h / sets.count;
    dweight[c] += g[i] * h;
    dbias[c] += g[i];
  });
  visit([&](int64_t i, int64_t set, int64_t, double h, double p) {
    dx[i] = r(set) * (p - mean_p[set] - h * mean_ph[set]);
  });
  return {dx, dweight, dbias};
}

// ---- batch and group norm ---------------------------------------------------------------------------

struct Variant {
  Shape shape;
  int64_t groups;
  bool affine;
  bool channels_last;  // in memory: drawn as [N, *, C] and seen as [N, C, *]
  std::string label() const {
    return concat(shape, groups ? concat(" groups ", groups) : "", affine ? " affine" : "",
                  channels_last ? " channels last" : "");
  }
};

// No empty batch: batch norm over no elements is refused. Its empty tensors have no channels.
std::vector<Variant> batch_variants(Draw& d) {
  if (d.is(Size::large))
    return {{{2, 3, 130, 130}, 0, true, false},
            {{2, 3, 130, 130}, 0, true, true},
            {{600, 70}, 0, true, false},
            {{5000, 3, 4}, 0, true, false}};
  if (d.is(Size::empty)) return {{{3, 0, 2}, 0, true, false}};
  int64_t n = d.extent(2, 3, 0), c = d.extent(3, 2, 0), s = d.extent(3, 5, 0);
  return {{{n, c}, 0, true, false},
          {{n, c, s}, 0, false, false},
          {{n, c, s, 2}, 0, true, false},
          {{n, c, s, 2}, 0, true, true},
          {{n, 1, 2, s, 2}, 0, true, false}};
}

std::vector<Variant> group_variants(Draw& d) {
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

Shape drawn_shape(const Variant& v) {
  if (!v.channels_last) return v.shape;
  Shape shape{v.shape[0]};
  for (int i = 2; i < v.shape.rank(); ++i) shape.push_back(v.shape[i]);
  shape.push_back(v.shape[1]);
  return shape;
}

Dims to_channels_first(const Variant& v) {
  Dims order{0, v.shape.rank() - 1};
  for (int i = 1; i + 1 < v.shape.rank(); ++i) order.push_back(i);
  return order;
}

Tensor seen(const Tensor& x, const Variant& v) {
  return v.channels_last ? x.permute(to_channels_first(v)) : x;
}
Variable seen(const Variable& x, const Variant& v) {
  return v.channels_last ? permute(x, to_channels_first(v)) : x;
}

// The array of a drawn tensor, reordered to [N, C, *].
Array seen(const Array& x, const Variant& v) {
  if (!v.channels_last) return x;
  Array y(v.shape);
  int64_t inner = x.numel() / std::max<int64_t>(1, v.shape[0] * v.shape[1]);
  for (int64_t n = 0; n < v.shape[0]; ++n)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t c = 0; c < v.shape[1]; ++c)
        y[(n * v.shape[1] + c) * inner + i] = x[(n * inner + i) * v.shape[1] + c];
  return y;
}

template <class T>
T at_or_none(const std::vector<T>& in, size_t i) {
  return i < in.size() ? in[i] : T();
}

const char* const kToleranceReason = "x - mean and one fused multiply-add, relative to results of about 4";

using Variants = std::vector<Variant> (*)(Draw&);

template <class TensorForm, class VariableForm>
Row forward_row(const char* op, Variants variants, TensorForm tensor_form, VariableForm variable_form,
                std::function<std::vector<Refusal>()> refusals) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const Variant& v : variants(d)) {
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
    for (const Variant& v : variants(d)) {
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

// Refusals of the arguments that every normalisation takes.
std::vector<Refusal> shared_refusals(const char* op,
                                     const std::function<void(Tensor x, Tensor w, Tensor b)>& call) {
  auto refusals = unary_refusals(op, [call](const Tensor& x) { call(x, Tensor(), Tensor()); });
  Tensor x = Tensor::zeros({2, 4, 3});
  refusals.push_back(
      {"rank", [=] { call(Tensor::zeros({4}), Tensor(), Tensor()); }, {op, "[N, C, *]", "[4]"}});
  refusals.push_back({"weight", [=] { call(x, Tensor::zeros({3}), Tensor()); }, {op, "weight [4]", "[3]"}});
  refusals.push_back({"weight's dtype",
                      [=] { call(x, Tensor::zeros({4}, float64), Tensor()); },
                      {op, "float32", "float64"}});
  return refusals;
}

Tensor statistic(int64_t n) { return Tensor::ones({n}, float64); }

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

// ---- batch norm with relu ------------------------------------------------------------------------------

struct ReluVariant : Variant {
  bool residual;
};

std::vector<ReluVariant> relu_variants(Draw& d) {
  std::vector<ReluVariant> variants;
  for (const Variant& v : batch_variants(d))
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
          std::vector<Variant> variants = batch_variants(d);
          if (d.is(Size::empty))
            variants.push_back({{0, 3, 2}, 0, true, false});  // an empty batch is allowed here
          for (const Variant& v : variants) {
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
TENON_ROW(batch_norm_relu)
TENON_ROW(batch_norm_relu_backward)
TENON_ROW(update_running_statistics)
TENON_ROW(group_norm)
TENON_ROW(group_norm_backward)
TENON_ROW(layer_norm)
