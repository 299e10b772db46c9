// The paper's tables, for the page of published against measured.
#pragma once

#include <string>
#include <vector>

namespace tenon::autogrow {

/// How sure a figure is.
enum class Origin {
  survey,      ///< S: quoted by a public survey of growing methods that names the paper's table
  remembered,  ///< R: remembered, not checked again against the paper's text
};
const char* origin_tag(Origin origin);

struct Published {
  std::string table;  ///< "initialisers, c-AutoGrow"
  std::string family, data;
  std::string what;   ///< "GauInit", "K = 3"
  std::string found;  ///< "42-42-42"
  double accuracy = 0;
  double delta = 0;  ///< to the found network from scratch, points; NaN where none is known
  Origin net = Origin::survey, delta_origin = Origin::survey;
  std::string arm;  ///< that measures the like of it here; empty: none does
};

/// In the order of the paper's tables.
const std::vector<Published>& published();

}  // namespace tenon::autogrow
