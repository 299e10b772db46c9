// What kernels ask of a card's memory, counted in builds with COUNTERS=1 (make cuda-counters).
//
// There the kernels are compiled with -fsanitize=thread, which puts a call before each load and store, and the
// functions that are called are ours (cuda/emulation/access_callbacks.cpp). They note who touched what, from
// which call. The n-th access of a lane from one call, counted from the last barrier of the block, and the n-th
// of its neighbours from the same call are taken for one instruction of the warp. That is what the lanes of a
// card do if none takes another path through a loop; where they part, the count is a little different from a
// card's. What the compiler keeps in registers is not counted here, and neither is it there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tenon::cuda::emulation {

#if defined(TENON_COUNTERS)
inline constexpr bool kAccessesCounted = true;
#else
inline constexpr bool kAccessesCounted = false;
#endif

/// Accesses of warps to one kind of memory.
struct Accesses {
  uint64_t requests = 0;  ///< loads or stores of a warp
  /// What they take: lines of 128 bytes of global memory, or passes over the 32 banks of shared memory, of 4
  /// bytes each, in which a bank gives one word (to any number of lanes).
  uint64_t taken = 0;
  uint64_t least = 0;  ///< what the same bytes take if they lie side by side

  Accesses& operator+=(const Accesses& other);
};

struct KernelCounts {
  uint64_t launches = 0;
  uint64_t blocks = 0;
  uint64_t barriers = 0;     ///< of blocks
  uint64_t collectives = 0;  ///< of warps
  Accesses global_loads = {}, global_stores = {}, shared_loads = {}, shared_stores = {};

  KernelCounts& operator+=(const KernelCounts& other);
};

/// By name of the kernel, since the program started or the last reset; empty in builds without counters.
std::map<std::string, KernelCounts> kernel_counts();
void reset_kernel_counts();
void add_to_kernel_counts(const std::string& kernel, const KernelCounts& counts);

/// The accesses of one block after the other.
class AccessLog {
 public:
  /// Shared memory is [shared, shared + shared_bytes); global memory is the device's.
  void begin_block(int threads, const void* shared, size_t shared_bytes);
  /// `site` tells the instruction. Other memory than the two kinds is ignored.
  void note(int thread, const void* address, size_t bytes, bool store, const void* site);
  /// Makes warp accesses of what was noted since the last call, when all threads have come to the same point.
  void settle();

  KernelCounts counts;

 private:
  struct Access {
    const void* site;
    uint32_t ordinal;  // among the lane's from this site
    int lane;
    uintptr_t address;
    size_t bytes;
    bool store, shared;
  };
  using Lanes = std::vector<Access>;  // of one instruction
  static void add_global(const Lanes& lanes, Accesses& to);
  void add_shared(const Lanes& lanes, Accesses& to) const;

  std::vector<std::vector<Access>> noted_;  // by thread
  uintptr_t shared_begin_ = 0;
  size_t shared_bytes_ = 0;
};

}  // namespace tenon::cuda::emulation
