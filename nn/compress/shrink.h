// Shrinking: from a network with zeros to a smaller dense network that computes the same.
//
// In a chain of fully connected and convolutional layers, a unit (neuron, filter) goes
//   - if nothing reads it: its columns in the next layer are all 0;
//   - if it is constant: its own weights are all 0, so that it emits f(b_j), f being the activations behind
//     it. The next layer's bias takes over f(b_j) times the sum of the columns that read it:
//         b_next <- b_next + f(b_j) * sum_block W_next[:, j, block]
//     which is exact unless the next layer is a convolution with zero padding; there only f(b_j) = 0 is
//     removed.
// Either may leave other units unread or constant, so both rules run until nothing changes (specification:
// DeepHoyer, section 2.6). Inputs that nothing reads go too. A layer keeps at least one unit.
#pragma once

#include <memory>
#include <vector>

#include "nn/sequential.h"

namespace tenon {

/// Keeps some indices of axis 1: features [N, F] or channels [N, C, ...].
class SelectFeatures : public Module {
 public:
  /// `indices` int64 [K], each in [0, extent).
  SelectFeatures(const Tensor& indices, int64_t extent);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "SelectFeatures"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  const Tensor& indices() const { return indices_.value(); }
  int64_t extent() const { return extent_; }

 private:
  Variable indices_;  // a buffer
  int64_t extent_;
};

struct ShrunkLayer {
  std::string name;
  std::vector<int64_t> units;  ///< outputs that live, as indices of the original layer; ascending
};

struct Shrunk {
  std::shared_ptr<Sequential> network;
  std::vector<int64_t> inputs;  ///< input features (or channels) that are read, as the chain receives them
  std::vector<ShrunkLayer> layers;  ///< in order
};

/// Shrinks a chain of Linear, Conv2d, activations, Dropout, MaxPool2d, AvgPool2d without padding, and Flatten,
/// whose inputs have the shape `input` (with a batch axis). The chain itself is left as it is; modules without
/// parameters are shared with the result. The result has the layers' names, and takes the same inputs: where
/// not all of them are read, a SelectFeatures "select" before its first layer keeps those that are. What was
/// shrunk can be shrunk again. Throws Error that names the module if the chain holds another kind, or a grouped
/// convolution.
Shrunk shrink(const Sequential& chain, const Shape& input);

}  // namespace tenon
