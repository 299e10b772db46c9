// Layers in singular form: the weight of a convolution or of a fully connected layer is replaced by the factors of its
// singular value decomposition, and these are what is trained.
//
//     M = u diag(|s|) v^T        u [rows, r], s [r] of any sign, v [columns, r]
//
// H. Yang et al., "Learning Low-rank Deep Neural Networks via Singular Vector Orthogonality Regularization and Singular
// Value Sparsification", CVPR-W 2020. No decomposition is computed while training: s is the spectrum, as long as the
// penalty of regularisers.h keeps u and v orthonormal.
//
// A layer can be executed in two ways, which give the same outputs and the same gradients:
//   pair         two thin layers one after the other: r (rows + columns) multiply-adds a position
//   recomposed   M is built once a step, and the dense layer runs: rows * columns a position, and from G = dL/dM
//                du = G v diag|s|    dv = G^T u diag|s|    ds_i = sign(s_i) u_i^T G v_i
// In either |s| goes whole to one half, so that no derivative of a root meets s = 0; inference splits it as sqrt(|s|).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/compress/low_rank.h"
#include "nn/linear.h"
#include "nn/sequential.h"

namespace tenon::svd_training {

enum class Path { cheaper, pair, recomposed };

/// What factored layers share: parameters `u`, `s`, `v`, and `bias` if the layer that they stand for has one.
class SvdLayer : public Module {
 public:
  int64_t rank() const { return s.size(0); }
  int64_t full_rank() const { return std::min(u.size(0), v.size(0)); }
  SvdOf<Variable> factors() const { return {u, s, v}; }
  /// Takes other factors of rank 1 to full rank; gradients are dropped. Throws Error if the shapes do not fit.
  void set_factors(const Svd& factors);
  /// By default the way of fewer multiply-adds.
  void set_path(Path path) { path_ = path; }
  /// Is the pair the way of an input of this shape?
  virtual bool takes_pair(const Shape& input) const = 0;
  /// M, [rows, columns].
  Tensor matrix() const;
  /// The layer of one weight: M itself.
  virtual std::shared_ptr<Module> recomposed() const = 0;
  /// The two thin layers, sqrt(|s|) folded into both.
  virtual std::shared_ptr<Module> folded() const = 0;

  Variable u, s, v;
  Variable bias;  ///< undefined if the layer has none

 protected:
  SvdLayer(const Svd& factors, const Variable& like_bias);
  /// u |s|: the half that carries the magnitude.
  Variable scaled_u() const;
  bool prefers_pair(int64_t pair_macs, int64_t dense_macs) const {
    return path_ == Path::pair || (path_ == Path::cheaper && pair_macs < dense_macs);
  }

 private:
  Path path_ = Path::cheaper;
};

/// A convolution in one of the schemes of nn/compress/low_rank.h, `channel` or `spatial`.
class SvdConv2d : public SvdLayer {
 public:
  /// In place of `conv`, which has no groups; the bias is copied, the weight is not looked at.
  SvdConv2d(LowRankScheme scheme, const Conv2d& conv, const Svd& factors);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "SvdConv2d"; }
  /// Counts the multiply-adds of the way that forward takes.
  Shape walk(const Shape& input, LayerUses& uses) const override;
  bool takes_pair(const Shape& input) const override;
  std::shared_ptr<Module> recomposed() const override;
  std::shared_ptr<Module> folded() const override;

  LowRankScheme scheme() const { return scheme_; }
  const Shape& weight_shape() const { return geometry_.weight.shape(); }

 private:
  // Multiply-adds for one sample: of the convolution, and of a pair of rank 1, in which the pair's are linear.
  struct Costs {
    Shape input;
    int64_t dense = 0, of_rank_1 = 0;
  };
  std::shared_ptr<Conv2d> dense_conv() const;
  const Costs& costs_for(const Shape& input) const;

  LowRankScheme scheme_;
  Conv2d geometry_;  // the convolution that this stands for; its weight has a shape and no memory
  LowRankOptions options_;
  mutable Costs costs_;  // of the last input's shape
};

/// A fully connected layer: M is in x out, y = ((x u) |s|) v^T + b.
class SvdLinear : public SvdLayer {
 public:
  /// In place of `linear`; the bias is copied, the weight is not looked at.
  SvdLinear(const Linear& linear, const Svd& factors);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "SvdLinear"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;
  bool takes_pair(const Shape& input) const override;
  std::shared_ptr<Module> recomposed() const override;
  std::shared_ptr<Module> folded() const override;
};

/// How factors begin.
enum class Start {
  dense,  ///< the SVD of the weights that are there, of a new network or of a trained one
  random,  ///< the authors' code: u, v Kaiming-normal, s ~ N(0, 1); of linear layers Xavier-uniform and U[0, 1)
};

/// A factored layer somewhere in a network.
struct NamedSvdLayer {
  std::string name;  ///< "layer1.0.conv1"
  SvdLayer* layer;
};
/// In order.
std::vector<NamedSvdLayer> svd_layers(Module& net);

/// Puts factored layers of full rank in the place of all convolutions, the stem, strided ones and shortcuts too; or, if the
/// network has none, of all fully connected layers. `generator` is drawn from for a random start alone.
void factorise(Module& net, LowRankScheme scheme, Start start, Generator& generator);

/// The factors of every layer anew from the SVD of its matrix: the outputs stay, u and v become orthonormal to rounding,
/// and s the true spectrum.
void standardise(Module& net);

/// Multiply-adds of one image [C, H, W] in all convolutions, each in its cheaper way; if there are none, in all layers.
int64_t inference_macs(Module& net, const Shape& image);

/// Puts in the place of every factored layer what computes the same without factors, for images [C, H, W]: the two thin
/// layers where they are cheaper, else the one.
void fold_factors(Module& net, const Shape& image);

/// Gives every factored layer the rank that it has in `state`, so that load_state takes it.
void fit_ranks(Module& net, const State& state);

}  // namespace tenon::svd_training
