// Normalisation layers: batch, group and layer norm. Formulas: core/ops/norm.h.
#pragma once

#include "autograd/ops/norm.h"
#include "nn/module.h"

namespace tenon {

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  ///< of the running statistics: running <- (1 - momentum) running + momentum batch
};

/// What batch norms share. In training mode the batch's own statistics normalise, and the running ones
/// follow; in evaluation mode the running ones do. Parameters `weight` (1) and `bias` (0), buffers
/// `running_mean` (0) and `running_var` (1), all [channels].
class BatchNorm : public Module {
 public:
  Variable forward(const Variable& x) override;
  /// relu(forward(x) + residual), in one op while training. `residual` may be undefined.
  Variable forward_relu(const Variable& x, const Variable& residual = {});
  const char* kind() const override { return kind_; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  double eps() const { return options_.eps; }
  double momentum() const { return options_.momentum; }
  void set_momentum(double momentum) { options_.momentum = momentum; }

  Variable weight, bias, running_mean, running_var;

 protected:
  BatchNorm(const char* kind, int rank, int64_t channels, const BatchNormOptions& options);

 private:
  void check_shape(const Shape& shape) const;
  Variable follow(const Variable& x, const NormalizedVariable& normalized);
  const char* kind_;
  int rank_;  // of the input; 0: [N, C] or [N, C, L]
  BatchNormOptions options_;
};

/// [N, C] or [N, C, L]
class BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(int64_t channels, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm1d", 0, channels, options) {}
};
/// [N, C, H, W]
class BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(int64_t channels, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm2d", 4, channels, options) {}
};
/// [N, C, D, H, W]
class BatchNorm3d : public BatchNorm {
 public:
  explicit BatchNorm3d(int64_t channels, const BatchNormOptions& options = {})
      : BatchNorm("BatchNorm3d", 5, channels, options) {}
};

/// The running statistics of every batch norm of `net` anew: means over batches of up to `batch` of `images` of what each
/// batch shows. A network whose weights were cut needs it before it is judged: its old statistics are those of other
/// activations. No weight changes, and nothing is recorded; other layers act as in training.
void estimate_statistics(Module& net, const Tensor& images, int64_t batch);

/// Groups of neighbouring channels of each sample. Parameters `weight` (1) and `bias` (0), [channels].
class GroupNorm : public Module {
 public:
  GroupNorm(int64_t groups, int64_t channels, double eps = 1e-5);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "GroupNorm"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  Variable weight, bias;

 private:
  int64_t groups_;
  double eps_;
};

/// The last axes of each item. Parameters `weight` (1) and `bias` (0) of their shape.
class LayerNorm : public Module {
 public:
  explicit LayerNorm(const Shape& shape, double eps = 1e-5);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "LayerNorm"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  Variable weight, bias;

 private:
  double eps_;
};

}  // namespace tenon
