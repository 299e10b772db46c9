// The paper's Figure 2: what gradient descent on Hoyer-Square alone does to twenty weights.
#pragma once

#include <cstdint>
#include <vector>

namespace tenon::deephoyer {

/// The path of weights w ~ N(0, 1) under w <- w - rate dHS/dw, in float64.
struct ToyPath {
  std::vector<double> hoyer_square;          ///< before every step, and at the end
  std::vector<double> tau;                   ///< S2 / S1, the size below which a weight is pushed to zero
  std::vector<double> norm;                  ///< sqrt(S2)
  std::vector<std::vector<double>> weights;  ///< weights[i]: |w_i| at the recorded steps
  std::vector<double> recorded;              ///< which steps those are
};

ToyPath toy_path(uint64_t seed, int64_t count = 20, int64_t steps = 6000, double rate = 1e-3);

}  // namespace tenon::deephoyer
