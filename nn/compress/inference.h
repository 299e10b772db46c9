// Inference: from a trained network to one that computes the same in fewer passes over memory.
//
// A batch norm in evaluation mode is a scale and a shift of each channel, so it goes into the convolution before it:
//     w'[o] = w[o] s[o],  b'[o] = (b[o] - mean[o]) s[o] + bias[o],  s = weight / sqrt(running_var + eps)
// (of a pair of thin convolutions, into the second). A ReLU behind, and the shortcut of a residual block, are done by the
// convolution on its sums before it writes them (core/ops/conv.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/compress/low_rank.h"
#include "nn/sequential.h"

namespace tenon {

/// y = epilogue(conv(x) + bias + residual). Its numbers are buffers: it is not trained.
class InferenceConv : public Module {
 public:
  InferenceConv(Tensor weight, Tensor bias, const ConvOptions& options, Epilogue epilogue);
  Variable forward(const Variable& x) override { return forward(x, {}); }
  /// `residual` has the shape of the result, or is undefined.
  Variable forward(const Variable& x, const Variable& residual);
  const char* kind() const override { return "InferenceConv"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

 private:
  Variable weight_, bias_;
  ConvOptions options_;
  Epilogue epilogue_;
};

/// The network for inference: a chain of InferenceConv, of residual blocks made of them, and of modules shared with `net`
/// where there is nothing to fold. `net` may hold Conv2d (and 1d, 3d), batch norms, ReLU, LowRankConv2d, ResidualBlock
/// and chains of these, beside modules of any kind. Later changes to `net` do not reach it.
std::shared_ptr<Sequential> compile_inference(const Sequential& net);

/// How the two forms of one LowRankConv2d compare.
struct PairTiming {
  std::string name;
  int64_t rank = 0;
  double pair_seconds = 0, dense_seconds = 0;  ///< medians of alternating runs
  bool pair_is_faster() const { return pair_seconds < dense_seconds; }
};

/// Times every LowRankConv2d of the network against the convolution that it stands for, at the sizes that an input of
/// shape `input` has there, and puts that convolution in its place where it is faster. In `repeats` alternating runs, on the host.
std::vector<PairTiming> keep_faster_forms(Sequential& net, const Shape& input, int repeats = 11);

}  // namespace tenon
