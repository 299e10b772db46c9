// The trace of memory: what was live at the peak, and what it was made for.
#include "core/memory_trace.h"

#include <doctest/doctest.h>

#include "autograd/ops/conv.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/cpu/scratch.h"
#include "core/error.h"
#include "core/parallel.h"
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

TEST_CASE("memory trace: scratch of a kernel has a name, on whichever thread it is made") {
  const int before = num_threads();
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    const MemoryTrace trace;
    const MemoryLabel layer("layer");
    parallel_for(2, 1, [](int64_t, int64_t) { const cpu::Scratch<float> sums(kLarge / 4); });
    CHECK(trace.peak().by_maker()[0].first == "layer/scratch");
    CHECK(memory_path() == "layer");
  }
  set_num_threads(before);
}

TEST_CASE("memory trace: a convolution's scratch is in the report") {
  const Variable x(Tensor::ones({1, 4, 8, 8, 8}), true), w(Tensor::ones({144, 4, 3, 3, 3}), true);
  const auto holds_scratch = [](const MemoryTrace& trace, const std::string& maker) {
    for (const auto& [made_for, bytes] : trace.peak().by_maker())
      if (made_for == maker && bytes > 0) return true;
    return false;
  };
  Variable y;
  {
    const MemoryTrace trace;
    const MemoryLabel layer("layer");
    y = conv(x, w, {}, {.padding = {1, 1, 1}});
    CHECK(holds_scratch(trace, "layer/scratch"));
  }
}
