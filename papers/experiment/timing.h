// Times of computations that are compared with each other.
#pragma once

#include <functional>
#include <vector>

namespace tenon::experiment {

/// Median milliseconds of each contestant. They take turns, so that a noisy neighbour hits all alike, and run on one
/// thread; the first `warm` rounds are not counted. Throws Error unless runs >= 1.
std::vector<double> median_ms(const std::vector<std::function<void()>>& contestants, int runs = 41,
                              int warm = 3);

}  // namespace tenon::experiment
