// Figures that the experiments are held against, with where they come from.
#pragma once

#include <string>
#include <vector>

namespace tenon::neural_predictor {

/// Where a figure comes from.
enum class Origin {
  abstract,  ///< the paper's abstract
  code,      ///< quoted in a public re-implementation
  recalled,  ///< remembered from a publication
  measured,  ///< measured on the same table before, by another program
};
const char* origin_mark(Origin origin);

/// The mean test accuracy of a baseline's pick, %, of 300 runs (standard error at most 0.015).
struct ReferencePoint {
  int64_t trained;
  double accuracy;
};
struct ReferenceCurve {
  std::string arm;
  std::vector<ReferencePoint> points;
};
const std::vector<ReferenceCurve>& reference_curves();

/// A published statement beside which a measured figure is set.
struct Published {
  std::string quantity, value;
  Origin origin;
  std::string arm;     ///< the arm that compares; "" for none
  std::string metric;  ///< of the arm: a name in ArmFacts::metrics, or "n=200" for the curve
};
const std::vector<Published>& published();

}  // namespace tenon::neural_predictor
