#include "core/ops/lists.h"

#include <cmath>

#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// The numbers of one element of an entry: a is updated, b read, s are the states.
struct Element {
  double a, b;
  double s[3];
};

// What a call is given: lists a, b and states[k], each a tensor an entry.
struct Lists {
  Tensors a, b;
  std::vector<Tensors> states;
  std::vector<int64_t> step_counts;
};

struct Variant {
  std::string label;
  int states = 0;
  std::function<void(const Lists&)> call;
  std::function<void(Element&, int64_t t)> formula;  // t: step count of the entry
};

// Entry i has made i + 1 steps.
constexpr int kEntries = 3;

// Same layout as `like`: a state must lie in memory as what is updated.
Tensor laid_out_as(const Tensor& x, const Tensor& like) {
  Tensor out = Tensor::empty_strided(like.shape(), like.strides(), like.dtype(), like.device());
  out.copy_(x);
  return out;
}

// Inputs stand in the order a0 b0 s0.., a1 b1 s1.. ; results are all a and all states, entry by entry.
Case make_case(Draw& d, const Variant& v) {
  const int64_t m = d.extent(4, 13, 300), n = d.extent(6, 37, 500);
  Case c;
  c.label = v.label;
  for (const Shape& shape : {Shape{m, n}, Shape{n}, Shape{m, 1, n}}) {
    c.inputs.push_back(d.normal(shape));
    c.inputs.push_back(d.normal(shape));
    // Kept apart from 0: a variance that cancels to nothing would only test rounding.
    if (v.states > 0) c.inputs.push_back(d.uniform(shape, 1, 2));
    for (int k = 1; k < v.states; ++k) c.inputs.push_back(d.uniform(shape, 0.1, 0.5));
  }
  const size_t per_entry = 2 + static_cast<size_t>(v.states);
  c.tensors = [=](const Tensors& in) {
    Lists lists;
    lists.states.resize(static_cast<size_t>(v.states));
    for (size_t i = 0; i < kEntries; ++i) {
      lists.a.push_back(in[i * per_entry].clone());
      lists.b.push_back(in[i * per_entry + 1]);
      for (size_t k = 0; k < lists.states.size(); ++k)
        lists.states[k].push_back(laid_out_as(in[i * per_entry + 2 + k], lists.a[i]));
      lists.step_counts.push_back(static_cast<int64_t>(i) + 1);
    }
    v.call(lists);
    Tensors out;
    for (size_t i = 0; i < kEntries; ++i) {
      out.push_back(lists.a[i]);
      for (const Tensors& state : lists.states) out.push_back(state[i]);
    }
    return out;
  };
  c.reference = [=](const Arrays& in) {
    Arrays out;
    for (size_t i = 0; i < kEntries; ++i) {
      Arrays entry(in.begin() + static_cast<long>(i * per_entry),
                   in.begin() + static_cast<long>((i + 1) * per_entry));
      for (int64_t j = 0; j < entry[0].numel(); ++j) {
        Element e{entry[0][j], entry[1][j], {}};
        for (size_t k = 0; k + 2 < per_entry; ++k) e.s[k] = entry[2 + k][j];
        v.formula(e, static_cast<int64_t>(i) + 1);
        entry[0][j] = e.a;
        for (size_t k = 0; k + 2 < per_entry; ++k) entry[2 + k][j] = e.s[k];
      }
      out.push_back(entry[0]);
      out.insert(out.end(), entry.begin() + 2, entry.end());
    }
    return out;
  };
  return c;
}

using Call =
    std::function<void(TensorList a, TensorList b, TensorList state, std::span<const int64_t> counts)>;

// Refusals that all share. `partner` says whether the op reads a second list, `counts` whether it takes step
// counts.
std::vector<Refusal> shared_refusals(const char* op, const Call& call, bool partner, bool counts,
                                     int states) {
  auto with = [=](Tensor a, Tensor b, Tensor s, int64_t count) {
    return [=] {
      const Tensors as{a}, bs{b}, ss{s};
      const int64_t n[] = {count};
      call(as, partner ? TensorList(bs) : TensorList(), states ? TensorList(ss) : TensorList(), n);
    };
  };
  const Tensor x = Tensor::zeros({2, 3});
  std::vector<Refusal> out = {
      {"undefined", with(Tensor(), x, x, 1), {op, "undefined"}},
      {"integers", with(Tensor::zeros({2, 3}, int64), x, x, 1), {op, "float32 or float64", "int64"}},
      {"mixed entries",
       [=] {
         const Tensors as{x, Tensor::zeros({2}, float64)};
         const int64_t n[] = {1, 1};
         call(as, partner ? TensorList(as) : TensorList(), states ? TensorList(as) : TensorList(), n);
       },
       {op, "one dtype", "float64"}}};
  if (partner) {
    out.push_back({"shape", with(x, Tensor::zeros({3, 2}), x, 1), {op, "expects shape [2, 3]", "[3, 2]"}});
    out.push_back({"dtype", with(x, Tensor::zeros({2, 3}, float64), x, 1), {op, "float32", "float64"}});
    out.push_back({"length",
                   [=] {
                     const Tensors as{x, Tensor::zeros({4})}, bs{x};
                     const int64_t n[] = {1, 1};
                     call(as, bs, states ? TensorList(as) : TensorList(), n);
                   },
                   {op, "one length", "2", "1"}});
  }
  if (states) {
    out.push_back({"layout of a state", with(x, x, Tensor::zeros({3, 2}).t(), 1), {op, "state", "strides"}});
    out.push_back({"shape of a state", with(x, x, Tensor::zeros({6}), 1), {op, "[2, 3]", "[6]"}});
  }
  if (counts) out.push_back({"step count", with(x, x, x, 0), {op, "start at 1", "0"}});
  const Tensor gaps = Tensor::zeros({2, 6}).slice(1, 0, 6, 2);
  if (std::string(op) != "lists_norm2")
    out.push_back({"gaps", with(gaps, gaps, gaps, 1), {op, "dense", "strides"}});
  return out;
}

Row lists_row(const char* op, std::vector<Variant> variants, std::vector<Refusal> refusals) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const Variant& v : variants) cases.push_back(make_case(d, v));
    return cases;
  };
  row.refusals = [=] { return refusals; };
  return row;
}

// ---- plain lists ------------------------------------------------------------------------------------

TensorList none() { return {}; }

const Register axpy(lists_row("lists_axpy",
                              {{"", 0, [](const Lists& l) { lists_axpy(0.3, l.b, l.a); },
                                [](Element& e, int64_t) { e.a += 0.3 * e.b; }}},
                              shared_refusals(
                                  "lists_axpy", [](auto a, auto b, auto, auto) { lists_axpy(1, b, a); }, true,
                                  false, 0)));

const Register lerp(lists_row("lists_lerp",
                              {{"", 0, [](const Lists& l) { lists_lerp(l.a, l.b, 0.1); },
                                [](Element& e, int64_t) { e.a += 0.1 * (e.b - e.a); }}},
                              shared_refusals(
                                  "lists_lerp", [](auto a, auto b, auto, auto) { lists_lerp(a, b, 1); }, true,
                                  false, 0)));

const Register scale(lists_row(
    "lists_scale",
    {{"", 0, [](const Lists& l) { lists_scale(l.a, -1.7); }, [](Element& e, int64_t) { e.a *= -1.7; }}},
    shared_refusals(
        "lists_scale", [](auto a, auto, auto, auto) { lists_scale(a, 2); }, false, false, 0)));

const Register fill(
    lists_row("lists_fill",
              {{"", 0, [](const Lists& l) { lists_fill(l.a, 2.5); }, [](Element& e, int64_t) { e.a = 2.5; }}},
              shared_refusals(
                  "lists_fill", [](auto a, auto, auto, auto) { lists_fill(a, 2); }, false, false, 0)));

std::vector<Refusal> clamp_refusals() {
  auto out = shared_refusals(
      "lists_clamp", [](auto a, auto, auto, auto) { lists_clamp(a, 0, 1); }, false, false, 0);
  out.push_back({"range", [] { lists_clamp(none(), 1, 0); }, {"lists_clamp", "low <= high"}});
  return out;
}
const Register clamp_row(lists_row("lists_clamp",
                                   {{"", 0, [](const Lists& l) { lists_clamp(l.a, -0.5, 0.75); },
                                     [](Element& e, int64_t) {
                                       e.a = std::fmin(std::fmax(e.a, -0.5), 0.75);
                                     }}},
                                   clamp_refusals()));

Row norm2_row() {
  Row row;
  row.op = "lists_norm2";
  row.cases = [](Draw& d) {
    Case c;
    c.inputs = {d.normal({d.extent(3, 7, 700), d.extent(4, 37, 1000)}), d.normal({d.extent(2, 5, 3)})};
    c.tensors = [](const Tensors& in) {
      return Tensors{Tensor::scalar(lists_norm2(in), in[0].dtype(), in[0].device())};
    };
    c.reference = [](const Arrays& in) {
      double sum = 0;
      for (const Array& x : in)
        for (double v : x.v) sum += v * v;
      return Arrays{Array({}, std::sqrt(sum))};
    };
    return std::vector<Case>{c};
  };
  row.refusals = [] {
    return shared_refusals(
        "lists_norm2", [](auto a, auto, auto, auto) { lists_norm2(a); }, false, false, 0);
  };
  return row;
}
const Register norm2_register(norm2_row());

// ---- optimiser steps --------------------------------------------------------------------------------

Variant sgd(const char* label, SgdStep s) {
  const bool momentum = s.momentum != 0;
  return {label, momentum,
          [=](const Lists& l) {
            sgd_step(l.a, l.b, momentum ? TensorList(l.states[0]) : none(), l.step_counts, s);
          },
          [=](Element& e, int64_t t) {
            double g = e.b + s.weight_decay * e.a;
            if (momentum) {
              e.s[0] = t == 1 ? g : s.momentum * e.s[0] + (1 - s.dampening) * g;
              g = s.nesterov ? g + s.momentum * e.s[0] : e.s[0];
            }
            e.a -= s.lr * g;
          }};
}

std::vector<Refusal> sgd_refusals() {
  SgdStep with;
  with.momentum = 0.9;
  auto call = [=](auto a, auto b, auto s, auto n) { sgd_step(a, b, s, n, with); };
  auto out = shared_refusals("sgd_step", call, true, true, 1);
  SgdStep nesterov;
  nesterov.nesterov = true;
  out.push_back(
      {"nesterov", [=] { sgd_step(none(), none(), none(), {}, nesterov); }, {"sgd_step", "momentum > 0"}});
  return out;
}
const Register sgd_register(
    lists_row("sgd_step",
              {sgd("plain", {.lr = 0.1}), sgd("decay", {.lr = 0.1, .weight_decay = 0.2}),
               sgd("momentum", {.lr = 0.1, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.1}),
               sgd("nesterov", {.lr = 0.1, .momentum = 0.8, .weight_decay = 0.1, .nesterov = true})},
              sgd_refusals()));

Variant adam(const char* label, bool amsgrad, AdamStep s) {
  return {label, amsgrad ? 3 : 2,
          [=](const Lists& l) {
            adam_step(l.a, l.b, l.states[0], l.states[1], amsgrad ? TensorList(l.states[2]) : none(),
                      l.step_counts, s);
          },
          [=](Element& e, int64_t t) {
            double g = e.b + (s.decoupled ? 0 : s.weight_decay * e.a);
            if (s.decoupled) e.a -= s.lr * s.weight_decay * e.a;
            e.s[0] = s.beta1 * e.s[0] + (1 - s.beta1) * g;
            e.s[1] = s.beta2 * e.s[1] + (1 - s.beta2) * g * g;
            double v = e.s[1];
            if (amsgrad) v = e.s[2] = std::fmax(e.s[2], v);
            double m_hat = e.s[0] / (1 - std::pow(s.beta1, t)), v_hat = v / (1 - std::pow(s.beta2, t));
            e.a -= s.lr * m_hat / (std::sqrt(v_hat) + s.eps);
          }};
}
const Register adam_register(lists_row(
    "adam_step",
    {adam("plain", false, {.lr = 0.01}),
     adam("coupled", false, {.lr = 0.01, .beta1 = 0.8, .eps = 0.1, .weight_decay = 0.3}),
     adam("decoupled", false, {.lr = 0.01, .weight_decay = 0.3, .decoupled = true}),
     adam("amsgrad", true, {.lr = 0.01, .beta2 = 0.9, .weight_decay = 0.1})},
    shared_refusals(
        "adam_step", [](auto a, auto b, auto s, auto n) { adam_step(a, b, s, s, none(), n, {.lr = 0.1}); },
        true, true, 2)));

Variant rmsprop(const char* label, RmspropStep s) {
  const bool momentum = s.momentum != 0;
  return {label, 1 + momentum + s.centred,
          [=](const Lists& l) {
            rmsprop_step(l.a, l.b, l.states[0], momentum ? TensorList(l.states[1]) : none(),
                         s.centred ? TensorList(l.states.back()) : none(), s);
          },
          [=](Element& e, int64_t) {
            double g = e.b + s.weight_decay * e.a;
            double& mean = momentum ? e.s[2] : e.s[1];
            e.s[0] = s.alpha * e.s[0] + (1 - s.alpha) * g * g;
            if (s.centred) mean = s.alpha * mean + (1 - s.alpha) * g;
            double u = g / (std::sqrt(e.s[0] - (s.centred ? mean * mean : 0)) + s.eps);
            if (momentum) u = e.s[1] = s.momentum * e.s[1] + u;
            e.a -= s.lr * u;
          }};
}
const Register rmsprop_register(
    lists_row("rmsprop_step",
              {rmsprop("plain", {.lr = 0.1}),
               rmsprop("momentum", {.lr = 0.1, .alpha = 0.9, .weight_decay = 0.1, .momentum = 0.7}),
               rmsprop("centred", {.lr = 0.1, .centred = true}),
               rmsprop("both", {.lr = 0.1, .weight_decay = 0.2, .momentum = 0.9, .centred = true})},
              shared_refusals(
                  "rmsprop_step",
                  [](auto a, auto b, auto s, auto) { rmsprop_step(a, b, s, none(), none(), {.lr = 0.1}); },
                  true, false, 1)));

Variant adadelta(const char* label, AdadeltaStep s) {
  return {label, 2, [=](const Lists& l) { adadelta_step(l.a, l.b, l.states[0], l.states[1], s); },
          [=](Element& e, int64_t) {
            double g = e.b + s.weight_decay * e.a;
            e.s[0] = s.rho * e.s[0] + (1 - s.rho) * g * g;
            double u = std::sqrt(e.s[1] + s.eps) / std::sqrt(e.s[0] + s.eps) * g;
            e.s[1] = s.rho * e.s[1] + (1 - s.rho) * u * u;
            e.a -= s.lr * u;
          }};
}
const Register adadelta_register(
    lists_row("adadelta_step",
              {adadelta("plain", {}), adadelta("decay", {.lr = 0.5, .rho = 0.95, .weight_decay = 0.1})},
              shared_refusals(
                  "adadelta_step", [](auto a, auto b, auto s, auto) { adadelta_step(a, b, s, s, {}); }, true,
                  false, 2)));

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(lists_axpy)
TENON_ROW(lists_lerp)
TENON_ROW(lists_scale)
TENON_ROW(lists_fill)
TENON_ROW(lists_clamp)
TENON_ROW(lists_norm2)
TENON_ROW(sgd_step)
TENON_ROW(adam_step)
TENON_ROW(rmsprop_step)
TENON_ROW(adadelta_step)
