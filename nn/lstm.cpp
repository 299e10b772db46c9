#include "nn/lstm.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "nn/init.h"
#include "nn/linear.h"

namespace tenon {

namespace {

// The gates of all steps, x_t + W h_t for step t, where x_t is the input's part and h_t the hidden state before the step.
// With g_t for the gradient of the gates:
//
//   dx_t = g_t,    dh_t = W^T g_t,    dW = sum of g_t h_t^T over the steps
//
// dW is one product over all steps, once they are done, in place of a product and a sum of matrices for each: the steps
// leave their h_t on the way back, and the node that split the input's parts, the last on that way, has all g_t. Where
// the walk back is recorded itself, each step gives its own share, by functions on Variables.
class Gates {
 public:
  // `parts` [N, T, 4 hidden]
  Gates(const Variable& parts, const Variable& weight)
      : weight_(weight), turned_(weight.value().t().contiguous()), left_(std::make_shared<States>()) {
    const int64_t steps = parts.size(1);
    left_->resize(static_cast<size_t>(steps));
    PoolVector<Tensor> steps_parts;
    for (int64_t t = 0; t < steps; ++t) steps_parts.push_back(parts.value().select(1, t));
    const Variable inputs[] = {parts, weight};
    parts_ = record_many(
        "lstm_parts", steps_parts, inputs,
        [left = left_, like = steps_parts[0].shape()](std::span<const Variable> g, Gradients& out) {
          std::vector<Variable> all(g.begin(), g.end());
          const Variable* const one = &*std::ranges::find_if(all, &Variable::defined);
          const Variable zeros(Tensor::zeros(like, one->dtype(), one->device()));
          for (Variable& each : all)
            if (!each.defined()) each = zeros;
          const Variable together = stack(all, 1);
          if (out.needed(0)) out.set(0, together);
          if (out.needed(1) && !recording()) out.set(1, weight_gradient(together, *left));
        });
  }

  // Those of step t, after the hidden state h.
  Variable operator()(size_t t, const Variable& h) const {
    Tensor gates = matmul(h.value(), turned_);
    binary_into(Binary::add, gates, parts_[t].value(), gates);
    return record("lstm_gates", std::move(gates), {parts_[t], h, weight_},
                  [h = Saved(h), w = Saved(weight_), left = left_, t](const Variable& g, Gradients& out) {
                    out.set(0, g);
                    if (out.needed(1)) out.set(1, matmul(g, w()));
                    if (!out.needed(2)) return;
                    if (recording()) {
                      out.set(2, matmul(transpose(g, 0, 1), h()));
                    } else {
                      (*left)[t] = h().value();
                    }
                  });
  }

 private:
  using States = PoolVector<Tensor>;

  static Variable weight_gradient(const Variable& g, States& left) {
    // A step that the walk did not reach has no gradient, and left nothing.
    const auto some = std::ranges::find_if(left, &Tensor::defined);
    if (some == left.end()) return {};
    const Tensor zeros = Tensor::zeros(some->shape(), some->dtype(), some->device());
    std::vector<Tensor> hidden;
    for (Tensor& h : left) hidden.push_back(h.defined() ? std::exchange(h, Tensor()) : zeros);
    const int64_t rows = g.size(0) * g.size(1);
    return matmul(transpose(reshape(g, {rows, g.size(2)}), 0, 1),
                  Variable(stack(hidden, 1).reshape({rows, zeros.size(1)})));
  }

  Variable weight_;
  Tensor turned_;  // as it is multiplied
  PoolVector<Variable> parts_;
  std::shared_ptr<States> left_;
};

}  // namespace

LSTM::LSTM(int64_t in, int64_t hidden, int64_t layers, Generator& generator) : in_(in), hidden_(hidden) {
  TENON_CHECK(in >= 1 && hidden >= 1 && layers >= 1, "LSTM: expects extents >= 1, got in ", in, ", hidden ",
              hidden, ", layers ", layers);
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  for (int64_t l = 0; l < layers; ++l) {
    auto parameter = [&](const char* name, const Shape& shape) {
      Variable p = add_parameter(name + std::to_string(l), Tensor::empty(shape));
      init::uniform(p.value(), generator, -bound, bound);
      return p;
    };
    Layer layer;
    layer.weight_ih = parameter("weight_ih_", {4 * hidden, l == 0 ? in : hidden});
    layer.weight_hh = parameter("weight_hh_", {4 * hidden, hidden});
    layer.bias_ih = parameter("bias_ih_", {4 * hidden});
    layer.bias_hh = parameter("bias_hh_", {4 * hidden});
    layers_.push_back(layer);
  }
}

std::pair<Variable, std::vector<LstmState>> LSTM::run(const Variable& x, std::vector<LstmState> states) {
  TENON_CHECK(x.rank() == 3 && x.size(2) == in_ && x.size(1) >= 1, "LSTM: expects [N, T >= 1, ", in_,
              "], got ", x.shape());
  TENON_CHECK(states.empty() || states.size() == layers_.size(), "LSTM: expects ", layers_.size(),
              " states, got ", states.size());
  const Shape state_shape{x.size(0), hidden_};
  if (states.empty()) {
    Variable zeros(Tensor::zeros(state_shape, x.dtype(), x.device()));
    states.assign(layers_.size(), {zeros, zeros});
  }
  Variable y = x;
  for (size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    LstmState& state = states[l];
    TENON_CHECK(state.hidden.shape() == state_shape && state.cell.shape() == state_shape,
                "LSTM: a state expects ", state_shape, ", got ", state.hidden.shape(), " and ",
                state.cell.shape());
    // The input's part for all steps at once.
    const Gates gates(linear(y, layer.weight_ih, layer.bias_ih + layer.bias_hh), layer.weight_hh);
    std::vector<Variable> hidden;
    for (int64_t t = 0; t < x.size(1); ++t) {
      state = lstm_cell(gates(static_cast<size_t>(t), state.hidden), state.cell);
      hidden.push_back(state.hidden);
    }
    y = stack(hidden, 1);
  }
  return {y, states};
}

Shape LSTM::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() == 3 && input[2] == in_, "LSTM: walk: expects [N, T, ", in_, "], got ", input);
  int64_t weights = 0;
  for (const Layer& layer : layers_) weights += layer.weight_ih.numel() + layer.weight_hh.numel();
  Shape output{input[0], input[1], hidden_};
  uses.push_back({this, input, output, input[0] * input[1] * weights});
  return output;
}

}  // namespace tenon
