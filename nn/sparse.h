// Layers whose weight is a sparse matrix.
#pragma once

#include "autograd/ops/sparse.h"
#include "nn/module.h"

namespace tenon {

/// epilogue(x W^T + b): x [N, in] -> [N, out]. Parameters: `values` (of the pattern's shape) and `bias` [out],
/// or none. Gradients live on the pattern, so finetuning runs sparse too. The pattern belongs to the module's
/// structure, as a width does: a state holds the values alone and fits modules of the same pattern.
///
/// The result lies in memory feature by feature, which the product writes and the next one reads; so a chain
/// of such layers turns its activations round once, at its start.
class SparseLinear : public Module {
 public:
  /// Whether the product looks at all of its input, or skips what is 0 there (core/ops/sparse.h: spmspv). The latter goes
  /// sample by sample, and its result lies in memory as usual.
  enum class Inputs { all, nonzero };
  /// `weight` [out, in]; `bias` [out] or undefined. The values are taken as they are, not copied.
  explicit SparseLinear(const SparseMatrix& weight, const Tensor& bias = {},
                        Epilogue epilogue = Epilogue::none, Inputs inputs = Inputs::all);

  Variable forward(const Variable& x) override;
  const char* kind() const override { return "SparseLinear"; }
  /// Counts the multiply-accumulates that are carried out.
  Shape walk(const Shape& input, LayerUses& uses) const override;

  const SparsePattern& pattern() const { return pattern_; }
  Epilogue epilogue() const { return epilogue_; }
  Inputs inputs() const { return inputs_; }

  Variable values;
  Variable bias;  ///< undefined if the layer has none

 private:
  SparsePattern pattern_;  // on the device of the values
  Epilogue epilogue_;
  Inputs inputs_;
};

/// Convolution of stride 1 without groups, over one to three spatial axes: x [N, in, *] -> epilogue of [N, out, *].
/// Parameters as those of SparseLinear. On the host.
class SparseConv : public Module {
 public:
  /// `weight` [out, in * taps], the dense weight with its last axes made one; `kernel` has an extent for each
  /// spatial axis.
  SparseConv(const SparseMatrix& weight, const Dims& kernel, const ConvOptions& options = {},
             const Tensor& bias = {}, Epilogue epilogue = Epilogue::none);

  Variable forward(const Variable& x) override {
    return sparse_conv(pattern_, values, x, kernel_, bias, options_, epilogue_);
  }
  const char* kind() const override { return "SparseConv"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  const SparsePattern& pattern() const { return pattern_; }
  Epilogue epilogue() const { return epilogue_; }

  Variable values;
  Variable bias;  ///< undefined if the layer has none

 private:
  SparsePattern pattern_;
  Dims kernel_;
  ConvOptions options_;  // with an entry a spatial axis
  Epilogue epilogue_;
};

}  // namespace tenon
