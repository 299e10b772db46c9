// Counting multiplications where weights and activations are sparse, in two ways:
//   product   non-zero weights x positions x mean density of the incoming activation
//   pairs     those multiplications of which both factors differ from 0, counted one by one
// The published tables of convolutional networks equal the first to rounding; MLP-3's does not, since surviving weights sit
// on pixels that are used.
#pragma once

#include "papers/joint_pruning/networks.h"

namespace tenon::joint_pruning {

struct LayerCount {
  std::string name;
  int64_t weights = 0, nonzero = 0;
  double dense_macs = 0;  ///< of one image
  /// Of one image, counted where the published tables count ConvNet-5's convolutions: at the extents behind the pooling.
  double published_macs = 0;
  double incoming = 1;  ///< mean share of non-zero elements in the layer's input
  double outgoing =
      1;  ///< the same in what it hands on, behind its activation, pooling and mask; 1 for the logits
  int64_t outputs = 0;  ///< elements of its own output, before any pooling
  double pairs = 0;     ///< of one image, mean

  double weight_share() const { return static_cast<double>(nonzero) / static_cast<double>(weights); }
  double product_share() const { return weight_share() * incoming; }
  double pair_share() const { return pairs / dense_macs; }
};

struct NetCount {
  std::vector<LayerCount> layers;
  double dense_macs() const;
  double weight_share() const;
  /// Mean density over all outputs, logits included, each output counting once: the "acti %" of the tables.
  double activation_share() const;
  double product_share() const;            ///< of all MACs, as the network performs them
  double published_product_share() const;  ///< of all MACs, as the tables count them
  double pair_share() const;
  /// Mean pairs of one image over the layers from number `first` on.
  double pairs_from(size_t first) const;
  double products_from(size_t first) const;
};

/// Counts over `images` [N, ...], in evaluation mode (no dropout), with the masks as they are set. All counts are of
/// integers and exact.
NetCount count(MaskedNet& net, const Tensor& images);

}  // namespace tenon::joint_pruning
