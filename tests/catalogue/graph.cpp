#include "core/ops/graph.h"

#include "autograd/ops/graph.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

struct Extents {
  int64_t graphs, relations, rows, columns, width;
  std::string str() const {
    return concat("[", graphs, ", ", relations, ", ", rows, ", ", columns, "] x ", width);
  }
};

// Past the rows and columns of the card's tile (8, 64), and strips that are and are not whole.
std::vector<Extents> extents(const Draw& d) {
  if (d.is(Size::normal)) return {{2, 2, 3, 4, 4}, {2, 1, 1, 5, 2}};
  if (d.is(Size::odd)) return {{3, 2, 7, 7, 17}, {1, 3, 9, 5, 3}, {1, 1, 2, 67, 2}};
  if (d.is(Size::one)) return {{1, 1, 1, 1, 1}};
  if (d.is(Size::empty)) return {{0, 2, 3, 3, 2}, {2, 2, 0, 3, 2}, {2, 2, 3, 0, 2}, {2, 2, 3, 3, 0}};
  return {{300, 2, 7, 7, 144}, {2, 2, 130, 100, 75}};
}

enum class Gate { none, same, other };

// The adjacency and the gate, which are no inputs: ops differentiate by features alone.
struct Drawn {
  Extents e;
  Array a, gate;
  Tensor adjacency, gates;

  // Weights of 0 and in [0.5, 1); a gate whose columns have one sign each, so that its sums are 0 or far from it,
  // and differences do not straddle the kink.
  Drawn(Draw& d, const Extents& extents_of) : e(extents_of) {
    adjacency = d.uniform({e.graphs, e.relations, e.rows, e.columns}, 0, 1);
    double* weights = adjacency.data<double>();
    for (int64_t i = 0; i < adjacency.numel(); ++i)
      if (weights[i] < 0.5) weights[i] = 0;
    gates = one_sign_columns(d);
    a = array_of(adjacency), gate = array_of(gates);
  }
  Tensor one_sign_columns(Draw& d) const {
    Tensor x = d.uniform({e.graphs, e.columns, e.relations * e.width}, 0.5, 1.5);
    for (int64_t i = 0; i < x.numel(); ++i)
      if (i % (e.relations * e.width) % 3 == 0) x.data<double>()[i] *= -1;
    return x;
  }
  static Array array_of(const Tensor& x) {
    Array out(x.shape());
    out.v = x.to_vector<double>();
    return out;
  }
  // As `like` is.
  Tensor adjacency_for(const Tensor& like) const { return adjacency.to(like.dtype()).to(like.device()); }
  Tensor gate_for(const Tensor& like, Gate kind) const {
    if (kind == Gate::none) return {};
    return kind == Gate::same ? like : gates.to(like.dtype()).to(like.device());
  }

  // Calls f(y, x, weight) with places in [B, M, D] and [B, N, R D] for all that the gate lets pass.
  template <class F>
  void for_each_term(const Array* open, F&& f) const {
    for (int64_t b = 0; b < e.graphs; ++b)
      for (int64_t r = 0; r < e.relations; ++r)
        for (int64_t m = 0; m < e.rows; ++m)
          for (int64_t d = 0; d < e.width; ++d) {
            auto weight = [&](int64_t n) { return a.at({b, r, m, n}); };
            auto place = [&](int64_t n) { return ((b * e.columns + n) * e.relations + r) * e.width + d; };
            double sum = 0;
            for (int64_t n = 0; open && n < e.columns; ++n) sum += weight(n) * (*open)[place(n)];
            if (open && !(sum > 0)) continue;
            for (int64_t n = 0; n < e.columns; ++n)
              f((b * e.rows + m) * e.width + d, place(n), weight(n) / static_cast<double>(e.relations));
          }
  }
};

std::vector<Case> propagate_cases(Draw& d) {
  std::vector<Case> cases;
  for (const Extents& e : extents(d))
    for (Gate kind : {Gate::none, Gate::same, Gate::other}) {
      const Drawn drawn(d, e);
      Case c;
      c.label = concat(e.str(), " gate ", static_cast<int>(kind));
      c.inputs = {kind == Gate::same ? drawn.one_sign_columns(d)
                                     : d.normal({e.graphs, e.columns, e.relations * e.width})};
      c.tensors = [=](const Tensors& in) {
        return Tensors{graph_propagate(drawn.adjacency_for(in[0]), in[0], drawn.gate_for(in[0], kind))};
      };
      c.variables = [=](const Variables& in) {
        const Tensor& x = in[0].value();
        return Variables{graph_propagate(drawn.adjacency_for(x), in[0], drawn.gate_for(x, kind))};
      };
      c.reference = [=](const Arrays& in) {
        Array y(Shape{e.graphs, e.rows, e.width});
        const Array* open = kind == Gate::none ? nullptr : kind == Gate::same ? in.data() : &drawn.gate;
        drawn.for_each_term(open, [&](int64_t to, int64_t from, double w) { y[to] += w * in[0][from]; });
        return Arrays{y};
      };
      cases.push_back(std::move(c));
    }
  return cases;
}

std::vector<Case> propagate_transposed_cases(Draw& d) {
  std::vector<Case> cases;
  for (const Extents& e : extents(d))
    for (Gate kind : {Gate::none, Gate::other}) {
      const Drawn drawn(d, e);
      Case c;
      c.label = concat(e.str(), " gate ", static_cast<int>(kind));
      c.inputs = {d.normal({e.graphs, e.rows, e.width})};
      c.tensors = [=](const Tensors& in) {
        return Tensors{
            graph_propagate_transposed(drawn.adjacency_for(in[0]), in[0], drawn.gate_for(in[0], kind))};
      };
      c.variables = [=](const Variables& in) {
        const Tensor& g = in[0].value();
        return Variables{graph_propagate_transposed(drawn.adjacency_for(g), in[0], drawn.gate_for(g, kind))};
      };
      c.reference = [=](const Arrays& in) {
        Array z(Shape{e.graphs, e.columns, e.relations * e.width});
        const Array* open = kind == Gate::none ? nullptr : &drawn.gate;
        drawn.for_each_term(open, [&](int64_t from, int64_t to, double w) { z[to] += w * in[0][from]; });
        return Arrays{z};
      };
      cases.push_back(std::move(c));
    }
  return cases;
}

using Op = Tensor (*)(const Tensor&, const Tensor&, const Tensor&);

// `fitting` is an operand [2, 3, ..] that fits the adjacency [2, 2, 3, 3], `other` one that does not.
std::vector<Refusal> refusals(const char* op, Op call, const char* name, const Shape& fitting,
                              const Shape& other) {
  const Tensor a = Tensor::ones({2, 2, 3, 3}), x = Tensor::ones(fitting), none;
  const std::string prefix = op;
  std::vector<Refusal> out = {
      {"undefined adjacency", [=] { call(none, x, none); }, {prefix, "undefined adjacency"}},
      {"undefined operand", [=] { call(a, none, none); }, {prefix, "undefined", name}},
      {"integers", [=] { call(a.to(int64), x.to(int64), none); }, {prefix, "int64"}},
      {"mixed dtypes", [=] { call(a.to(float64), x, none); }, {prefix, "float32", "float64"}},
      {"rank", [=] { call(a.select(0, 0), x, none); }, {prefix, "[B, R, M, N]", "[2, 3, 3]"}},
      {"no relation",
       [=] {
         call(Tensor::ones({2, 0, 3, 3}), x, none);
       },
       {prefix, "R >= 1"}},
      {"operand", [=] { call(a, Tensor::ones(other), none); }, {prefix, name, other.str(), "[2, 2, 3, 3]"}},
      {"gate's shape",
       [=] {
         call(a, x, Tensor::ones({2, 3, 2}));
       },
       {prefix, "gate", "[2, 3, 8]", "[2, 3, 2]"}},
      {"gate's dtype",
       [=] {
         call(a, x, Tensor::ones({2, 3, 8}, float64));
       },
       {prefix, "float64"}},
  };
#ifndef TENON_CUDA_OFF
  out.push_back({"mixed devices", [=] { call(a.to(Device::cuda()), x, none); }, {prefix, "cuda"}});
#endif
  return out;
}

const Register propagate_row({
    .op = "graph_propagate",
    .cases = propagate_cases,
    .refusals =
        [] {
          return refusals("graph_propagate",
                          [](const Tensor& a, const Tensor& x, const Tensor& gate) {
                            return graph_propagate(a, x, gate);
                          },
                          "x", {2, 3, 8}, {2, 3, 7});
        },
    .tolerance = 3e-6,
    .tolerance_reason = "sums of at most 100 products",
});

const Register propagate_transposed_row({
    .op = "graph_propagate_transposed",
    .cases = propagate_transposed_cases,
    .refusals =
        [] {
          return refusals("graph_propagate_transposed",
                          [](const Tensor& a, const Tensor& g, const Tensor& gate) {
                            return graph_propagate_transposed(a, g, gate);
                          },
                          "g", {2, 3, 4}, {2, 2, 4});
        },
    .tolerance = 3e-6,
    .tolerance_reason = "sums of at most 130 products",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(graph_propagate)
TENON_ROW(graph_propagate_transposed)
