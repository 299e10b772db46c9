// The trace of memory: what was live at the peak, and what it was made for.
#include "core/memory_trace.h"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/error.h"
#include "core/tensor.h"

using namespace tenon;

namespace {
// Of the caching allocator's own sizes.
constexpr int64_t kLarge = 1 << 16, kSmall = 1 << 12;
Tensor floats(int64_t bytes) { return Tensor::empty({bytes / 4}); }
}  // namespace

TEST_CASE("memory trace: blocks live at the peak, by label") {
  const Tensor older = floats(kLarge);
  MemoryTrace trace;
  {
    const MemoryLabel layer("layer");
    const Tensor a = floats(kSmall);
    const MemoryLabel op("op");
    const Tensor b = floats(kLarge);
  }
  const Tensor after = floats(kSmall);  // when the peak is over
  const MemoryTrace::Peak peak = trace.peak();
  REQUIRE(peak.blocks.size() == 2);
  CHECK(peak.blocks[0].made_for == "layer/op");
  CHECK(peak.blocks[0].bytes == kLarge);
  CHECK(peak.blocks[1].made_for == "layer");
  CHECK(peak.older_bytes >= static_cast<size_t>(kLarge));
  CHECK(peak.bytes == peak.older_bytes + kLarge + kSmall);
}

TEST_CASE("memory trace: older blocks that are freed before the peak do not count") {
  Tensor older = floats(kLarge);
  MemoryTrace trace;
  const size_t before = trace.peak().bytes;
  older = Tensor();
  const Tensor a = floats(2 * kLarge);
  CHECK(trace.peak().bytes == before + kLarge);
  CHECK(trace.peak().older_bytes == before - kLarge);
}

TEST_CASE("memory trace: recorded ops and the way back have names; one trace at a time") {
  const Variable x(Tensor::ones({1 << 14}), true);
  const MemoryTrace trace;
  CHECK_THROWS_AS(MemoryTrace(), Error);
  const Variable y = exp(x);
  backward(sum(y));
  std::string makers;
  for (const LiveBlock& block : trace.peak().blocks) makers += block.made_for + " ";
  CHECK(makers.find("exp ") != std::string::npos);
  CHECK(makers.find("backward/exp") != std::string::npos);
}
