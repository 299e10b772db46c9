#include "core/ops/recurrent.h"

#include <cmath>

#include "autograd/ops/recurrent.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

double naive_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// What one unit computes; gates in the order i, f, g, o.
struct Unit {
  double i, f, g, o, next;
  Unit(const Array& gates, const Array& cell, int64_t row, int64_t k) {
    const int64_t h = cell.shape[1];
    i = naive_sigmoid(gates.at({row, k}));
    f = naive_sigmoid(gates.at({row, h + k}));
    g = std::tanh(gates.at({row, 2 * h + k}));
    o = naive_sigmoid(gates.at({row, 3 * h + k}));
    next = f * cell.at({row, k}) + i * g;
  }
};

struct Extents {
  int64_t rows, hidden;
};

// Rows that fill vectors and rows that do not, cut into chunks within a row and between rows.
std::vector<Extents> extents(Draw& d) {
  std::vector<Extents> out = {{d.extent(2, 3, 70), d.extent(4, 17, 307)}};
  if (d.is(Size::large)) out.push_back({1, 20011});
  if (d.is(Size::empty)) out.push_back({3, 0});
  return out;
}

const Register lstm_cell_row({
    .op = "lstm_cell",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const Extents& e : extents(d)) {
            const int64_t n = e.rows, h = e.hidden;
            Case c;
            c.label = concat("[", n, ", 4 x ", h, "]");
            c.inputs = {d.normal({n, 4 * h}), d.normal({n, h})};
            c.tensors = [](const Tensors& in) {
              const LstmCell next = lstm_cell(in[0], in[1]);
              return Tensors{next.hidden, next.cell};
            };
            c.variables = [](const Variables& in) {
              const LstmState next = lstm_cell(in[0], in[1]);
              return Variables{next.hidden, next.cell};
            };
            c.reference = [n, h](const Arrays& in) {
              Array hidden({n, h}), cell({n, h});
              for (int64_t row = 0; row < n; ++row)
                for (int64_t k = 0; k < h; ++k) {
                  const Unit u(in[0], in[1], row, k);
                  cell.at({row, k}) = u.next;
                  hidden.at({row, k}) = u.o * std::tanh(u.next);
                }
              return Arrays{hidden, cell};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "lstm_cell";
          const Tensor gates = Tensor::zeros({2, 12}), cell = Tensor::zeros({2, 3});
          auto refusals = binary_refusals(op, [](const Tensor& a, const Tensor& c) { lstm_cell(a, c); });
          auto refuse = [&](const char* label, const Tensor& a, const Tensor& c,
                            std::vector<std::string> message) {
            message.push_back(op);
            refusals.push_back({label, [=] { lstm_cell(a, c); }, message});
          };
          refuse("integers", gates.to(int64), cell.to(int64), {"float32 or float64", "int64"});
          refuse("gates", Tensor::zeros({2, 9}), cell, {"[N, 4 H]", "[2, 9]", "[2, 3]"});
          refuse("rows", Tensor::zeros({3, 12}), cell, {"[N, 4 H]", "[3, 12]", "[2, 3]"});
          refuse("rank", gates, Tensor::zeros({2, 3, 1}), {"[N, H]", "[2, 3, 1]"});
          return refusals;
        },
    .tolerance_reason = "the functions' ulps, once through the other",
});

const Register lstm_cell_backward_row({
    .op = "lstm_cell_backward",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const Extents& e : extents(d)) {
            const int64_t n = e.rows, h = e.hidden;
            Case c;
            c.label = concat("[", n, ", 4 x ", h, "]");
            c.inputs = {d.normal({n, h}), d.normal({n, h}), d.normal({n, 4 * h}), d.normal({n, h})};
            c.tensors = [](const Tensors& in) {
              const LstmCellGradients g = lstm_cell_backward(in[0], in[1], in[2], in[3]);
              return Tensors{g.gates, g.cell};
            };
            c.variables = [](const Variables& in) {
              const auto g = lstm_cell_backward(in[0], in[1], in[2], in[3]);
              return Variables{g[0], g[1]};
            };
            c.reference = [n, h](const Arrays& in) {
              Array gates({n, 4 * h}), cell({n, h});
              for (int64_t row = 0; row < n; ++row)
                for (int64_t k = 0; k < h; ++k) {
                  const Unit u(in[2], in[3], row, k);
                  const double p = in[0].at({row, k}), t = std::tanh(u.next);
                  const double s = in[1].at({row, k}) + p * u.o * (1 - t * t);
                  gates.at({row, k}) = s * u.g * u.i * (1 - u.i);
                  gates.at({row, h + k}) = s * in[3].at({row, k}) * u.f * (1 - u.f);
                  gates.at({row, 2 * h + k}) = s * u.i * (1 - u.g * u.g);
                  gates.at({row, 3 * h + k}) = p * t * u.o * (1 - u.o);
                  cell.at({row, k}) = s * u.f;
                }
              return Arrays{gates, cell};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "lstm_cell_backward";
          const Tensor gates = Tensor::zeros({2, 12}), cell = Tensor::zeros({2, 3});
          auto refusals = binary_refusals(
              op, [cell](const Tensor& a, const Tensor& c) { lstm_cell_backward(cell, cell, a, c); });
          auto refuse = [&](const char* label, const Tensor& p, const Tensor& q,
                            std::vector<std::string> message) {
            message.push_back(op);
            refusals.push_back({label, [=] { lstm_cell_backward(p, q, gates, cell); }, message});
          };
          refuse("undefined gradient", cell, Tensor(), {"undefined gradient"});
          refuse("gradient's dtype", cell.to(float64), cell, {"float64", "float32"});
          refuse("gradient's shape", cell, gates, {"[2, 3]", "[2, 12]"});
          refusals.push_back(
              {"gates", [=] { lstm_cell_backward(cell, cell, cell, cell); }, {op, "[N, 4 H]", "[2, 3]"}});
          return refusals;
        },
    .tolerance_reason = "the functions' ulps, once through the other",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(lstm_cell)
TENON_ROW(lstm_cell_backward)
