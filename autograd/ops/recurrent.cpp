#include "autograd/ops/recurrent.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/recurrent.h"

namespace tenon {
namespace {

Variable or_zeros(const Variable& gradient, const Variable& like) {
  return gradient.defined() ? gradient : Variable(Tensor::zeros(like.shape(), like.dtype(), like.device()));
}

// The gradients of (dgates, dcell) = backward(p, q, gates, cell); write u = (ua, ub, ud, ue) and v for those of dgates and
// dcell. Then <u, dgates> + <v, dcell> = q K + p M, where K and M are the derivatives of cell' and hidden' = o t along
// (u, v). With i' = i (1 - i) and the like, g' = 1 - g^2, t = tanh(cell'), t' = 1 - t^2:
//   K = ua g i' + ub c f' + ud i g' + v f,     M = ue t o' + K o t'
// Hence K goes to q, and M to p. Through cell' flows w = p (K o t'' + ue t' o'), and from K s = q + p o t', so
//   to a:  s (ua g i'' + ud g' i') + w g i'         to b:  s (ub c f'' + v f') + w c f'
//   to d:  s (ua g' i' + ud i g'') + w i g'         to e:  p (K t' o' + ue t o'')
//   to c:  s ub f' + w f
struct SecondOrder {
  Variable p, q, gates, cell;

  void operator()(const Variable& u, const Variable& v, Gradients& out) const {
    // A function of one gate, with its first and second derivative.
    struct Gate {
      Variable y, first, second;
    };
    const auto sigmoid_of = [](const Variable& x) {
      const Variable y = sigmoid(x), first = y * (1.0 - y);
      return Gate{y, first, first * (1.0 - 2.0 * y)};
    };
    const auto tanh_of = [](const Variable& x) {
      const Variable y = tanh(x), first = 1.0 - square(y);
      return Gate{y, first, -2.0 * (y * first)};
    };
    const std::vector<int64_t> parts(4, cell.size(1));
    const std::vector<Variable> x = split(gates, 1, parts), along = split(u, 1, parts);
    const Gate i = sigmoid_of(x[0]), f = sigmoid_of(x[1]), g = tanh_of(x[2]), o = sigmoid_of(x[3]);
    const Gate t = tanh_of(f.y * cell + i.y * g.y);
    const Variable &ua = along[0], &ub = along[1], &ud = along[2], &ue = along[3], &c = cell;

    const Variable k = ua * g.y * i.first + ub * c * f.first + ud * i.y * g.first + v * f.y;
    if (out.needed(0)) out.set(0, ue * t.y * o.first + k * o.y * t.first);
    if (out.needed(1)) out.set(1, k);
    const Variable s = q + p * o.y * t.first;
    const Variable w = p * (k * o.y * t.second + ue * t.first * o.first);
    if (out.needed(2))
      out.set(2, cat({s * (ua * g.y * i.second + ud * g.first * i.first) + w * g.y * i.first,
                      s * (ub * c * f.second + v * f.first) + w * c * f.first,
                      s * (ua * g.first * i.first + ud * i.y * g.second) + w * i.y * g.first,
                      p * (k * t.first * o.first + ue * t.y * o.second)},
                     1));
    if (out.needed(3)) out.set(3, s * ub * f.first + w * f.y);
  }
};

}  // namespace

// The formulas stand in core/cpu/recurrent.h.
LstmState lstm_cell(const Variable& gates, const Variable& cell) {
  const LstmCell next = lstm_cell(gates.value(), cell.value());
  const Variable inputs[] = {gates, cell};
  const PoolVector<Variable> outputs =
      record_many("lstm_cell", {next.hidden, next.cell}, inputs,
                  [gates = Saved(gates), cell = Saved(cell)](std::span<const Variable> g, Gradients& out) {
                    const PoolVector<Variable> d =
                        lstm_cell_backward(or_zeros(g[0], cell()), or_zeros(g[1], cell()), gates(), cell());
                    for (int i = 0; i < 2; ++i)
                      if (out.needed(i)) out.set(i, d[static_cast<size_t>(i)]);
                  });
  return {outputs[0], outputs[1]};
}

PoolVector<Variable> lstm_cell_backward(const Variable& g_hidden, const Variable& g_cell,
                                        const Variable& gates, const Variable& cell) {
  const LstmCellGradients d =
      lstm_cell_backward(g_hidden.value(), g_cell.value(), gates.value(), cell.value());
  const Variable inputs[] = {g_hidden, g_cell, gates, cell};
  return record_many("lstm_cell_backward", {d.gates, d.cell}, inputs,
                     [p = Saved(g_hidden), q = Saved(g_cell), gates = Saved(gates), cell = Saved(cell)](
                         std::span<const Variable> incoming, Gradients& out) {
                       SecondOrder{p(), q(), gates(), cell()}(or_zeros(incoming[0], gates()),
                                                              or_zeros(incoming[1], cell()), out);
                     });
}

}  // namespace tenon

TENON_BACKWARD(lstm_cell)
TENON_BACKWARD(lstm_cell_backward)
