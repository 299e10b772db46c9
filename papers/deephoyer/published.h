// The paper's tables and those of its neighbours, as far as they are known, for the page of published against measured.
#pragma once

#include <string>
#include <vector>

#include "papers/deephoyer/recipes.h"

namespace tenon::deephoyer {

/// Where a published figure comes from.
enum class Origin {
  paper,    ///< P: the paper's table, recalled from the publication
  derived,  ///< P ✓: likewise, and the MACs were computed again from the structure and agree
  rerun,    ///< R: an independent run of the released code, without the dense start
};
const char* origin_tag(Origin origin);

struct Published {
  Network network = Network::lenet_300_100;
  bool structural = false;
  std::string method;
  double accuracy = 0;  ///< percent, on MNIST
  double percent = 0;   ///< of the weights, or of the MACs if structural
  std::string detail;   ///< weights layer by layer, or the structure; may be empty
  Origin origin = Origin::paper;
  std::string arm_prefix;  ///< arms that measure the same method begin so; empty: none does
};

const std::vector<Published>& published();

}  // namespace tenon::deephoyer
