// Spreads the blocks of a grid over host threads, and hands a kernel's calls to the runner of its block.
#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/execution.h"

#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <numeric>
#include <string_view>

#include "core/parallel.h"
#include "cuda/emulation/block_runner.h"
#include "cuda/emulation/device_memory.h"

namespace tenon::cuda::emulation {
namespace {

uint64_t seed_from_environment() {
  const char* text = std::getenv("TENON_CUDA_SCHEDULE_SEED");
  if (text == nullptr || *text == '\0') return 0;
  const std::string_view digits(text);
  uint64_t seed = 0;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  TENON_CHECK(status == std::errc() && end == digits.data() + digits.size(),
              "TENON_CUDA_SCHEDULE_SEED: expects a number, got '", digits, "'");
  return seed;
}

std::atomic<uint64_t>& seed() {
  static std::atomic<uint64_t> value{seed_from_environment()};
  return value;
}

// The blocks that a runner runs come one after the other. Where races are looked for there are two that take
// turns, with nothing that orders the blocks of the one with those of the other.
constexpr size_t kRunners = kRacesChecked ? 2 : 1;

// A step with no divisor in common with n: k -> (start + k * step) mod n then visits every block once.
uint64_t coprime_step(uint64_t random, uint64_t n) {
  uint64_t step = random % n | 1;
  while (std::gcd(step, n) != 1) step += 2;
  return step;
}

}  // namespace

void set_schedule_seed(uint64_t value) { seed() = value; }
uint64_t schedule_seed() { return seed(); }

// The limits that every card has (CUDA programming guide, technical specifications per compute capability).
void check_launch(const Launch& launch) {
  const Dim3 g = launch.grid, b = launch.block;
  TENON_CHECK(b.x >= 1 && b.y >= 1 && b.z >= 1 && uint64_t{b.x} * b.y * b.z <= 1024 && b.z <= 64,
              "launch of '", launch.name, "': a block has 1 to 1024 threads, got ", b.x, " x ", b.y, " x ",
              b.z);
  TENON_CHECK(g.x >= 1 && g.y >= 1 && g.z >= 1 && g.x <= 0x7fffffffu && g.y <= 65535 && g.z <= 65535,
              "launch of '", launch.name, "': a grid has 1 to 2^31-1 x 65535 x 65535 blocks, got ", g.x,
              " x ", g.y, " x ", g.z);
}

void run_grid(const Launch& launch, void (*body)(void*), void* context) {
  const Dim3 grid = launch.grid;
  const int64_t blocks = int64_t{grid.x} * grid.y * grid.z;
  const uint64_t order = schedule_seed();
  const uint64_t n = static_cast<uint64_t>(blocks);
  const uint64_t step = order == 0 ? 1 : coprime_step(order * 0x9e3779b97f4a7c15u >> 32, n);

  std::mutex mutex;
  std::exception_ptr error;
  std::atomic<uint64_t> failed{std::numeric_limits<uint64_t>::max()};  // lowest block that failed

  if (kAccessesCounted) add_to_kernel_counts(launch.name, {.launches = 1});
  const DeviceAccess access;
  // Some 64 chunks: enough to balance blocks of uneven length over the host threads. If races are looked for, one.
  const int64_t chunk = kRacesChecked ? blocks : (blocks + 63) / 64;
  parallel_for(blocks, chunk, [&](int64_t begin, int64_t end) {
    static thread_local std::array<BlockRunner, kRunners> runners;
    for (BlockRunner& runner : runners) runner.begin_grid();
    for (uint64_t k = static_cast<uint64_t>(begin); k < static_cast<uint64_t>(end); ++k) {
      const uint64_t block = static_cast<uint64_t>(static_cast<unsigned __int128>(k) * step % n);
      if (block > failed) continue;
      const Dim3 index{static_cast<unsigned>(block % grid.x), static_cast<unsigned>(block / grid.x % grid.y),
                       static_cast<unsigned>(block / grid.x / grid.y)};
      try {
        runners[k % kRunners].run(launch, body, context, index, order == 0 ? 0 : order + (block << 32));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (block < failed) {
          failed = block;
          error = std::current_exception();
        }
      }
    }
    for (BlockRunner& runner : runners) runner.end_grid();
  });
  if (error) std::rethrow_exception(error);
}

void* shared_array(const void* declaration, size_t bytes) {
  return BlockRunner::current("shared array").shared_array(declaration, bytes);
}
void* dynamic_shared() {
  void* const memory = BlockRunner::current("dynamic shared memory").dynamic_shared();
  TENON_CHECK(memory != nullptr, "dynamic shared memory: the launch asked for none");
  return memory;
}
void block_barrier(const Site& site) { BlockRunner::current("__syncthreads").block_barrier(site); }
uint64_t exchange(const char* what, unsigned mask, uint64_t value, int source_lane, const Site& site) {
  return BlockRunner::current(what).exchange(what, mask, value, source_lane, site);
}
unsigned ballot(const char* what, unsigned mask, bool predicate, const Site& site) {
  return BlockRunner::current(what).ballot(what, mask, predicate, site);
}
void warp_barrier(unsigned mask, const Site& site) {
  BlockRunner::current("__syncwarp").warp_barrier(mask, site);
}
int lane() { return BlockRunner::current("lane").lane(); }

}  // namespace tenon::cuda::emulation

#endif
