// Times of computations that are compared with each other.
#pragma once

#include <functional>
#include <vector>

namespace tenon::experiment {

/// Median milliseconds of each contestant. On one thread, of processor time: a busy machine makes a thread wait, and that is
/// not counted. On several, of the clock on the wall, since a team is done when its last thread is. They take turns, so that what still disturbs them disturbs all alike; the first `warm` rounds are not
/// counted. A turn is as many calls as take 0.2 milliseconds, one at least, so that what is called for microseconds finds its
/// numbers in the caches, as if it ran alone, and not those of the others. Throws Error unless runs >= 1 and threads >= 1.
std::vector<double> median_ms(const std::vector<std::function<void()>>& contestants, int runs = 41,
                              int warm = 3, int threads = 1);

}  // namespace tenon::experiment
