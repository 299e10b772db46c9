// Denormals are zeros inside the guard, on every thread of a loop, and numbers again behind it.
#include "core/denormals.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>

#include "core/parallel.h"

using namespace tenon;

#if defined(__SSE2__)
namespace {

// Chunks in which half the least normal number is not 0.
int denormal_chunks() {
  std::atomic<int> count = 0;
  parallel_for(64, 1, [&](int64_t, int64_t) {
    volatile float least = std::numeric_limits<float>::min();
    volatile float half = least * 0.5F;
    count += half != 0;
  });
  return count;
}

}  // namespace

TEST_CASE("denormals: zeros while the guard lives, on all threads") {
  const int threads = num_threads();
  for (int n : {1, 2, 7}) {
    set_num_threads(n);
    CHECK(denormal_chunks() == 64);
    {
      const FlushDenormals flush;
      CHECK(denormal_chunks() == 0);
      volatile float denormal = std::numeric_limits<float>::denorm_min();
      volatile float product = denormal * 1e30F;
      CHECK(product == 0);
    }
    CHECK(denormal_chunks() == 64);
  }
  set_num_threads(threads);
}
#endif
