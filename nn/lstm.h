// LSTM: long short-term memory (Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000).
#pragma once

#include <utility>
#include <vector>

#include "autograd/ops/recurrent.h"
#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// A stack of LSTM layers over x [N, T, in]; forward returns the hidden states of the last layer, [N, T,
/// hidden]. Parameters of layer l: `weight_ih_l` [4 hidden, in or hidden], `weight_hh_l` [4 hidden, hidden],
/// `bias_ih_l`, `bias_hh_l` [4 hidden], l being the number; all U[-b, b) with b = 1 / sqrt(hidden) (PyTorch's
/// names, order and default).
class LSTM : public Module {
 public:
  LSTM(int64_t in, int64_t hidden, int64_t layers = 1, Generator& generator = default_generator());

  Variable forward(const Variable& x) override { return run(x).first; }
  /// Also takes and returns the states of all layers; none given means zeros.
  std::pair<Variable, std::vector<LstmState>> run(const Variable& x, std::vector<LstmState> states = {});
  const char* kind() const override { return "LSTM"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

 private:
  struct Layer {
    Variable weight_ih, weight_hh, bias_ih, bias_hh;
  };
  int64_t in_, hidden_;
  std::vector<Layer> layers_;
};

}  // namespace tenon
