// Pooling layers. Extents of the results and the formulas: core/ops/pool.h.
#pragma once

#include "autograd/ops/pool.h"
#include "nn/module.h"

namespace tenon {

/// What pooling layers over windows share. Each list of the options has one entry a spatial axis, or one for
/// all.
class PoolLayer : public Module {
 public:
  const char* kind() const override { return kind_; }
  Shape walk(const Shape& input, LayerUses& uses) const override;
  const PoolOptions& options() const { return options_; }

 protected:
  PoolLayer(const char* kind, int spatial, const PoolOptions& options);
  void check_rank(const Variable& x) const;

 private:
  const char* kind_;
  int spatial_;
  PoolOptions options_;
};

template <int spatial>
class MaxPoolNd : public PoolLayer {
 public:
  explicit MaxPoolNd(const PoolOptions& options)
      : PoolLayer(spatial == 1   ? "MaxPool1d"
                  : spatial == 2 ? "MaxPool2d"
                                 : "MaxPool3d",
                  spatial, options) {}
  Variable forward(const Variable& x) override {
    check_rank(x);
    return max_pool(x, options()).first;
  }
};
using MaxPool1d = MaxPoolNd<1>;
using MaxPool2d = MaxPoolNd<2>;
using MaxPool3d = MaxPoolNd<3>;

template <int spatial>
class AvgPoolNd : public PoolLayer {
 public:
  explicit AvgPoolNd(const PoolOptions& options)
      : PoolLayer(spatial == 1   ? "AvgPool1d"
                  : spatial == 2 ? "AvgPool2d"
                                 : "AvgPool3d",
                  spatial, options) {}
  Variable forward(const Variable& x) override {
    check_rank(x);
    return avg_pool(x, options());
  }
};
using AvgPool1d = AvgPoolNd<1>;
using AvgPool2d = AvgPoolNd<2>;
using AvgPool3d = AvgPoolNd<3>;

/// Mean of windows that share the input evenly: [N, C, *in] to [N, C, *out].
class AdaptiveAvgPool : public Module {
 public:
  explicit AdaptiveAvgPool(const Dims& out) : out_(out) {}
  Variable forward(const Variable& x) override { return adaptive_avg_pool(x, out_); }
  const char* kind() const override { return "AdaptiveAvgPool"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

 private:
  Dims out_;
};

/// Mean over all spatial axes: [N, C, *] to [N, C, 1, ...].
class GlobalAvgPool : public Module {
 public:
  Variable forward(const Variable& x) override { return global_avg_pool(x); }
  const char* kind() const override { return "GlobalAvgPool"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;
};

}  // namespace tenon
