// Accounting: weights, non-zeros and multiply-accumulates of a network, layer by layer.
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace tenon {

/// One use of a layer. Biases are parameters but neither weights nor MACs.
struct LayerAccount {
  std::string name;  ///< "conv1"
  std::string kind;  ///< "Conv2d"
  Shape weight;      ///< shape of the weight; rank 0 if the layer has none
  Shape output;
  int64_t weights = 0;  ///< elements of the weight (0 for norms: their scale is not a weight of the network)
  int64_t nonzero = 0;  ///< of these, not 0
  int64_t parameters = 0;    ///< all parameters, biases and scales included
  int64_t macs = 0;          ///< dense, for the given input
  int64_t macs_nonzero = 0;  ///< those of non-zero weights: macs * nonzero / weights
};

struct Account {
  std::vector<LayerAccount> layers;  ///< in order of use; a layer used twice is there twice
  /// Sums over layers. Weights and parameters of a layer that is used twice count once, its MACs twice.
  int64_t weights = 0, nonzero = 0, parameters = 0, macs = 0, macs_nonzero = 0;
  Shape output;
};

/// Walks the shapes of `net` from `input` (give one sample: [1, 3, 32, 32]). Nothing is computed but the
/// counts of non-zero weights. Throws Error if a module has no walk or the shape does not fit.
Account account(Module& net, const Shape& input);

}  // namespace tenon
