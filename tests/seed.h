// The seed of this run's random inputs: TENON_TEST_SEED, or the time. main() prints it, so that a failure can
// be repeated.
#pragma once

#include <cstdint>

namespace tenon {

uint64_t test_seed();

}  // namespace tenon
