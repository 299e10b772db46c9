// Kernels that measure the card's ceilings. Each is the best of ten runs by the card's clock.
//
// Arithmetic: a thread keeps 8 chains of multiply-adds, which hides their latency of 4 cycles even where a
// scheduler has few warps; 1024 passes of 8 chains by 256 threads of 40,000 blocks are 168 GFLOP, 2.5 ms at
// 67 TFLOP/s, and so many waves of blocks that the last one, not full, costs under 1 %.
// Memory: arrays of 256 MiB, five times the second-level cache of an H100; a thread moves 16 bytes at a time.
#include <algorithm>
#include <cmath>

#include "bench/card.h"
#include "core/math.h"
#include "cuda/runtime/event.h"
#include "cuda/runtime/kernel.h"
#include "cuda/runtime/scratch.h"

namespace tenon::bench {
namespace {

using namespace cuda;  // where the emulation keeps threadIdx and its like

constexpr int kChains = 8, kPasses = 1024;
constexpr unsigned kBlock = 256, kBlocks = 40000;

__global__ void multiply_adds_kernel(float* sink, float scale, float shift) {
  float chain[kChains];
  for (int c = 0; c < kChains; ++c) chain[c] = shift * static_cast<float>(c + static_cast<int>(threadIdx.x));
  for (int pass = 0; pass < kPasses; ++pass)
    for (int c = 0; c < kChains; ++c) chain[c] = math::fma(chain[c], scale, shift);
  float total = 0;
  for (int c = 0; c < kChains; ++c) total += chain[c];
  if (total == -1) *sink = total;  // never, but the compiler cannot know
}

struct alignas(16) Quad {
  float v[4];
};
constexpr int64_t kQuads = int64_t{1} << 24;  // 256 MiB

constexpr int kReads = 16;  // a thread, side by side with its neighbours'
__global__ void read_kernel(float* sink, const Quad* x) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  const int64_t first = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  float total = 0;
  for (int k = 0; k < kReads; ++k) {
    const Quad q = x[first + k * step];
    total += q.v[0] + q.v[1] + q.v[2] + q.v[3];
  }
  if (total == -1) *sink = total;
}

__global__ void copy_kernel(Quad* y, const Quad* x) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  y[i] = x[i];
}

__global__ void triad_kernel(Quad* z, const Quad* x, const Quad* y) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const Quad a = x[i], b = y[i];
  Quad sum;
  for (int k = 0; k < 4; ++k) sum.v[k] = a.v[k] + 0.5f * b.v[k];
  z[i] = sum;
}

template <class Launch>
double best_seconds(Launch launch_once) {
  double best = INFINITY;
  launch_once();
  for (int run = 0; run < 10; ++run) {
    cuda::Event start, end;
    start.record();
    launch_once();
    end.record();
    best = std::min(best, cuda::milliseconds_between(start, end) * 1e-3);
  }
  return best;
}

}  // namespace

double card_flops_per_second() {
  const cuda::Scratch sink(sizeof(float));
  const double flops = 2.0 * kChains * kPasses * kBlock * kBlocks;
  return flops / best_seconds([&] {
           cuda::launch("multiply_adds", multiply_adds_kernel, {kBlocks}, {kBlock}, 0, sink.as<float>(),
                        0.999f, 0.001f);
         });
}

double card_bytes_per_second() {
  constexpr size_t kBytes = kQuads * sizeof(Quad);
  constexpr unsigned kWhole = kQuads / kBlock;
  const cuda::Scratch sink(sizeof(float)), a(kBytes), b(kBytes), c(kBytes);
  Quad *const pa = a.as<Quad>(), *const pb = b.as<Quad>(), *const pc = c.as<Quad>();
  cuda::launch("copy", copy_kernel, {kWhole}, {kBlock}, 0, pb, pa);  // touches the pages
  const double read = best_seconds(
      [&] { cuda::launch("read", read_kernel, {kWhole / kReads}, {kBlock}, 0, sink.as<float>(), pa); });
  const double copy = best_seconds([&] { cuda::launch("copy", copy_kernel, {kWhole}, {kBlock}, 0, pb, pa); });
  const double triad =
      best_seconds([&] { cuda::launch("triad", triad_kernel, {kWhole}, {kBlock}, 0, pc, pa, pb); });
  const double bytes = static_cast<double>(kBytes);
  return std::max({bytes / read, 2 * bytes / copy, 3 * bytes / triad});
}

}  // namespace tenon::bench
