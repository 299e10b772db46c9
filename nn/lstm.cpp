#include "nn/lstm.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/view.h"
#include "nn/init.h"
#include "nn/linear.h"

namespace tenon {

LstmState lstm_step(const Variable& input_part, const LstmState& state, const Variable& weight_hh) {
  return lstm_cell(input_part + linear(state.hidden, weight_hh, Variable()), state.cell);
}

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
    // All steps at once. One node splits them, whose gradient is put together once; a `select` for each step
    // would add up as many gradients of the whole.
    const std::vector<Variable> input_parts =
        split(linear(y, layer.weight_ih, layer.bias_ih + layer.bias_hh), 1,
              std::vector<int64_t>(static_cast<size_t>(x.size(1)), 1));
    std::vector<Variable> hidden;
    for (const Variable& part : input_parts) {
      state = lstm_step(squeeze(part, 1), state, layer.weight_hh);
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
