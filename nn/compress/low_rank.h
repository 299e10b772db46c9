// Low rank: a convolution's weight read as a matrix, its rank, and the two thin convolutions that a factored weight
// becomes.
//
//              matrix of weight [n, c, kh, kw]       first convolution             second convolution
//   channel    W[o, (i, y, x)]     n x c kh kw       kh x kw of c -> k             1 x 1 of k -> n
//   spatial    W[(i, y), (o, x)]   c kh x n kw       kh x 1  of c -> k             1 x kw of k -> n
//   decoupled  W_o[i, (y, x)]      n of c x kh kw    1 x 1   of c -> n k           kh x kw of n k -> n in n groups
//
// channel: Zhang et al., 2016. spatial: Jaderberg et al., 2014. decoupled: Guo et al., 2018, whose k paths of a pointwise
// and a depthwise convolution, summed, are one grouped convolution over k channels a group. At full rank all three
// compute what the convolution did.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ops/linalg.h"
#include "nn/conv.h"

namespace tenon {

enum class LowRankScheme { channel, spatial, decoupled };
/// "channel", "spatial", "decoupled"
const char* name_of(LowRankScheme scheme);

// ---- weights as matrices, on Tensor and on Variable -------------------------------------------------------------------

/// weight [n, c, kh, kw] to its matrix: [rows, cols], of `decoupled` [n, c, kh kw].
template <class X>
X low_rank_matrix(LowRankScheme scheme, const X& weight);
/// The weight of shape `weight` whose matrix this is.
template <class X>
X low_rank_weight(LowRankScheme scheme, const X& matrix, const Shape& weight);
/// The lesser extent of the matrix: the rank at which nothing is lost.
int64_t full_rank(LowRankScheme scheme, const Shape& weight);

/// u diag(|s|) v^T, the matrix of a decomposition whose s may have any sign.
template <class X>
X product(const SvdOf<X>& factors);

/// The weights of the two convolutions.
template <class X>
struct LowRankPairOf {
  X first, second;
};
/// Pair whose product is low_rank_weight(product(factors)), sqrt(|s|) on either side. factors: as svd gives them for the
/// matrix, cut to any rank k >= 1: u [.., rows, k], s [.., k], v [.., cols, k].
template <class X>
LowRankPairOf<X> low_rank_pair(LowRankScheme scheme, const SvdOf<X>& factors, const Shape& weight);
/// Pair whose product is low_rank_weight(left right^T): left [.., rows, k], right [.., cols, k]. Views where memory allows.
template <class X>
LowRankPairOf<X> low_rank_halves(LowRankScheme scheme, const X& left, const X& right, const Shape& weight);
/// How the two convolutions are applied: stride, padding and dilation go to the half whose taps run along the axis.
struct LowRankOptions {
  Dims first_kernel, second_kernel;
  ConvOptions first, second;
};
/// Throws Error if the convolution has groups.
LowRankOptions low_rank_options(LowRankScheme scheme, const Conv2d& conv);

// ---- ranks ------------------------------------------------------------------------------------------------------------

/// How many singular values, largest first, stay; at least one always does.
struct RankRule {
  enum class Kind {
    energy,          ///< the fewest whose dropped squares are at most `value` of all squares
    nuclear,         ///< likewise of the values themselves, not squared
    value,           ///< those >= `value`
    relative_value,  ///< those >= `value` times the largest
    fraction,        ///< floor(`value` times all)
    fixed,           ///< `value` of them, or all if there are fewer
  };
  Kind kind = Kind::energy;
  double value = 0;
};
/// The rank that `rule` leaves of s, descending: [k], or [n, k] for n matrices, of which the largest rank counts.
/// Throws Error if the value makes no sense for the kind.
int64_t rank_of(const RankRule& rule, const Tensor& s);

/// Multiply-accumulates for one sample [1, c, h, w]: of the convolution, and of its pair of rank k. The first
/// convolution of a strided spatial pair strides along height alone, so it works on the full width.
int64_t dense_macs(const Conv2d& conv, const Shape& input);
int64_t low_rank_macs(LowRankScheme scheme, const Conv2d& conv, const Shape& input, int64_t rank);
/// The largest rank whose pair has fewer multiply-accumulates than the convolution; 0 if none has.
int64_t break_even_rank(LowRankScheme scheme, const Conv2d& conv, const Shape& input);

// ---- networks ---------------------------------------------------------------------------------------------------------

/// Two convolutions one after the other, "first" without a bias and "second" with that of the convolution they stand for.
class LowRankConv2d : public Module {
 public:
  /// The pair in place of `conv`, which has no groups: strides, padding and dilation go to the half whose taps run along
  /// the axis. The weights are those of `pair`, the bias a copy.
  LowRankConv2d(LowRankScheme scheme, const Conv2d& conv, const LowRankPairOf<Tensor>& pair);
  /// The same with random weights of rank k, for training from scratch: He-normal with fan-out, as in nn/models/resnet.h.
  LowRankConv2d(LowRankScheme scheme, const Conv2d& conv, int64_t rank, Generator& generator);
  Variable forward(const Variable& x) override { return second_->forward(first_->forward(x)); }
  const char* kind() const override { return "LowRankConv2d"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  LowRankScheme scheme() const { return scheme_; }
  int64_t rank() const { return rank_; }
  Conv2d& first() const { return *first_; }
  Conv2d& second() const { return *second_; }
  /// Stride, padding and dilation of the convolution that the pair stands for.
  const ConvOptions& options() const { return options_; }

 private:
  LowRankScheme scheme_;
  int64_t rank_;
  ConvOptions options_;
  std::shared_ptr<Conv2d> first_, second_;
};

/// The weight [n, c, kh, kw] of the one convolution that computes what a pair does.
Tensor recomposed_weight(const LowRankConv2d& pair);
/// That convolution.
std::shared_ptr<Conv2d> recomposed(const LowRankConv2d& pair);

/// A convolution somewhere in a network.
struct NamedConv {
  std::string name;  ///< "layer1.0.conv1"
  Conv2d* conv;
};
/// All Conv2d without groups, in order.
std::vector<NamedConv> named_convs(Module& net);

/// SVDs of the matrices of these convolutions, batched.
std::vector<Svd> low_rank_svds(LowRankScheme scheme, const std::vector<NamedConv>& convs);

/// Puts the pair of rank `rank` in the place of convolution `name` of the network, whose SVD this is.
std::shared_ptr<LowRankConv2d> decompose(Module& net, const std::string& name, LowRankScheme scheme,
                                         const Svd& full, int64_t rank);

}  // namespace tenon
