// What is published of the method and of its neighbours, for the page of published against measured.
#pragma once

#include <string>
#include <vector>

namespace tenon::svd_training {

/// Where a published figure comes from. The paper's own tables were not at hand.
enum class Origin {
  quoted,     ///< 2nd: quoted by a later paper (SPARK, tables 1 and 2)
  neighbour,  ///< 2nd: another method, in the same tables
};
const char* origin_tag(Origin origin);

struct Published {
  std::string network, data, method;
  std::string before, after;  ///< accuracy % of the full network and of the compressed one
  double macs_cut = 0;        ///< percent of the FLOPs
  Origin origin = Origin::quoted;
};
const std::vector<Published>& published();

}  // namespace tenon::svd_training
