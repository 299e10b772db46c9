// The networks of NAS-Bench-101: a cell, repeated in stacks behind a stem.
#pragma once

#include <memory>
#include <vector>

#include "core/random.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "papers/neural_predictor/cell.h"

namespace tenon::neural_predictor {

/// A convolution without bias whose outputs keep the extent, batch norm, ReLU. Weights are normal with variance
/// 1 / fan_in.
class ConvNormRelu : public Module {
 public:
  ConvNormRelu(int64_t in, int64_t out, int64_t kernel, Generator& generator, int64_t more_padding = 0);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "ConvNormRelu"; }

 private:
  std::shared_ptr<Conv2d> conv_;
  std::shared_ptr<BatchNorm2d> norm_;
};

/// One cell: x [N, in, H, W] -> [N, out, H, W]. An inner vertex adds what comes along its edges, truncated to its
/// channels (vertex_channels) where it comes from an inner vertex, and projected to them, by a convolution of its own,
/// where it comes from the input. The output concatenates what comes from inner vertices, and adds a projection of the
/// input if there is that edge.
class CellBlock : public Module {
 public:
  CellBlock(const Cell& cell, int64_t in, int64_t out, Generator& generator);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "CellBlock"; }

 private:
  /// Nothing for a vertex without an edge from the input, and for a pool.
  using Convolutions = std::array<std::shared_ptr<ConvNormRelu>, kMaxVertices>;

  Variable sum_at(int vertex, const std::vector<Variable>& values) const;

  Cell cell_;
  std::array<int64_t, kMaxVertices> channels_;
  Convolutions projections_, operations_;
};

/// Stem, stacks of cells with a max pool that halves the extents before each but the first, mean over the image,
/// classifier: x [N, colours, H, W] -> logits [N, classes].
class CellNetwork : public Module {
 public:
  /// The stem pads images by `border` more pixels than keep their extent.
  CellNetwork(const Cell& cell, const Backbone& backbone, Generator& generator, int64_t border = 0);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "CellNetwork"; }

 private:
  std::shared_ptr<ConvNormRelu> stem_;
  std::vector<std::vector<std::shared_ptr<CellBlock>>> stacks_;
  std::shared_ptr<Linear> classifier_;
};

}  // namespace tenon::neural_predictor
