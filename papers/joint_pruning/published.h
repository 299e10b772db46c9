// The tables of the paper, layer by layer, for the page of published against measured.
#pragma once

#include <string>
#include <vector>

#include "papers/joint_pruning/networks.h"

namespace tenon::joint_pruning {

/// A layer's shares in percent: of the weights, of the activations that it hands on, of the MACs.
struct PublishedLayer {
  std::string name;
  double weights, activations, macs;
};

struct Published {
  Network network;
  double dense_accuracy, accuracy;  ///< percent
  std::vector<PublishedLayer> layers;
  PublishedLayer total;
  std::string arm;  ///< that measures it here; may be of another data set, or be missing
};

/// Tables of the integral-pruning text and version 1 (origin IP).
const std::vector<Published>& published();

}  // namespace tenon::joint_pruning
