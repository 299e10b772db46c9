#include "tests/seed.h"

#include <chrono>
#include <cstdlib>

namespace tenon {

uint64_t test_seed() {
  static const uint64_t seed = [] {
    if (const char* text = std::getenv("TENON_TEST_SEED"))
      return static_cast<uint64_t>(std::strtoull(text, nullptr, 10));
    return static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) % 1000000;
  }();
  return seed;
}

}  // namespace tenon
