// The papers' tables, for the page of published against measured.
#pragma once

#include <string>
#include <vector>

#include "papers/trp/recipes.h"

namespace tenon::trp {

/// Where a published figure comes from.
enum class Origin {
  paper,   ///< P: a table of the IJCAI paper
  code,    ///< C: the README of the authors' code, of the workshop paper's time
  figure,  ///< F: read off Figure 3 of the IJCAI paper
};
const char* origin_tag(Origin origin);

struct Published {
  Row row = Row::ijcai;
  std::string network;  ///< a name that make_network knows
  std::string method;
  double accuracy = 0;  ///< percent, top-1
  double speed_up = 1;  ///< dense over remaining floating-point operations
  Origin origin = Origin::paper;
  std::string
      arm;  ///< arms that measure the same method are called so, with "-" and e behind; empty: none does
};

const std::vector<Published>& published();

}  // namespace tenon::trp
