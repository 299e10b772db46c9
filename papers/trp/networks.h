// The networks of the paper, which of their convolutions are decomposed, and at which ranks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "nn/compress/low_rank.h"
#include "nn/sequential.h"

namespace tenon::trp {

/// One of nn/models/resnet.h's by name ("resnet56b": bottlenecks, as the authors' code has it), with fresh weights, drawn
/// from the seed alone, for images [C, H, W]. Throws Error as make_named_resnet.
std::shared_ptr<Sequential> make_network(const std::string& name, const Shape& image, int64_t classes,
                                         int64_t seed);

/// What is cut in training: all convolutions but the first one and the shortcuts'.
std::vector<NamedConv> trained_convs(Module& net);

/// Multiply-accumulates of the convolutions alone, for one image [C, H, W]: the shortcuts' count, the classifier does not.
int64_t conv_macs(Module& net, const Shape& image);

/// Rank by the name of the layer, of those that are decomposed.
using Ranks = std::map<std::string, int64_t>;
Json ranks_json(const Ranks& ranks);
Ranks ranks_of(const Json& json);

/// A convolution that may be decomposed.
struct Candidate {
  NamedConv layer;
  Svd factors;                          ///< the weight's matrix is u diag(s) v^T; rank k keeps the first k
  Tensor values;                        ///< by which a rank is chosen, descending: the singular values
  int64_t macs = 0, macs_per_rank = 0;  ///< of the convolution, and of a pair of rank 1
  Tensor mean_response;  ///< m, where u is a basis of responses (nn/compress/responses.h); else undefined
};

/// All such convolutions of a network.
struct Candidates {
  LowRankScheme scheme = LowRankScheme::spatial;
  int64_t network_macs = 0;  ///< conv_macs of the network as it is
  std::vector<Candidate> layers;

  /// The ranks that `rule` leaves. A layer whose pair would need as much as the convolution stays dense and is not listed.
  Ranks by_rule(const RankRule& rule) const;
  /// The ranks of the energy rule that drops the least while the network needs at most `macs`; nothing if even ranks of one
  /// need more.
  std::optional<Ranks> by_macs(int64_t macs) const;
  /// conv_macs of the network decomposed at these ranks.
  int64_t macs_at(const Ranks& ranks) const;
  /// Puts the pairs into the network that the candidates are of. Where there is a mean response m, the pair's bias
  /// m - u u^T m goes into the running mean of the batch norm behind, where a bias b is -b.
  void decompose(Module& net, const Ranks& ranks) const;
};

/// Puts pairs of these ranks with random weights into the network: to train them from scratch, or to load others.
void decompose_fresh(Module& net, LowRankScheme scheme, const Ranks& ranks, Generator& generator);

/// By the singular value decompositions of the weights, in one batched call. `strided`: those with a stride too.
Candidates candidates_of(Module& net, LowRankScheme scheme, const Shape& image, bool strided);
/// By the responses to `images` [N, C, H, W] (nn/compress/responses.h), under the channel scheme. The convolutions have no
/// bias, as those of a residual network.
Candidates candidates_by_responses(Module& net, const Shape& image, bool strided, const Tensor& images);

}  // namespace tenon::trp
