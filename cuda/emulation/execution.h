// The CUDA execution model on the CPU, as kernels see it: thread indices, shared memory, barriers, warp
// collectives, integer atomics, and launch(). Included by cuda/runtime/kernel.h where nvcc is not the
// compiler.
//
// How it works. A grid's blocks are spread over host threads; a block runs on one host thread, as a set of
// fibers of which one runs at a time (cuda/emulation/block_runner.h). A barrier or collective is a
// rendezvous: the fiber is put aside until all that it waits for have arrived. What that finds: a barrier or
// collective that not all threads reach, reported with kernel, block, thread and source line; a missing
// barrier, by results that change with the schedule (TENON_CUDA_SCHEDULE_SEED, 0 is round robin); reads of
// shared memory before it is written, which is poisoned with NaN bytes. What it cannot show: relaxed memory
// orders, bank conflicts in time, speed.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/error.h"
#include "cuda/emulation/site.h"
#include "cuda/emulation/stream_work.h"
#include "cuda/runtime/device_runtime.h"

// The words of the language that C++ lacks.
// [words]
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// [/words]

// [shared]
/// One array per block and declaration. The address of the static names the declaration.
#define TENON_SHARED(T, name, count)  \
  static char name##_declaration = 0; \
  T* const name =                     \
      static_cast<T*>(::tenon::cuda::emulation::shared_array(&name##_declaration, sizeof(T) * (count)))
#define TENON_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::tenon::cuda::emulation::dynamic_shared())
// [/shared]

namespace tenon::cuda {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  friend constexpr bool operator==(const Dim3&, const Dim3&) = default;
};

// Set by the runner before it gives control to a thread's fiber. A block never leaves its host thread.
inline constinit thread_local Dim3 threadIdx{0, 0, 0};
inline constinit thread_local Dim3 blockIdx{0, 0, 0};
inline constinit thread_local Dim3 blockDim;
inline constinit thread_local Dim3 gridDim;
inline constexpr int warpSize = 32;

namespace emulation {

struct Launch {
  const char* name;
  Dim3 grid;
  Dim3 block;
  size_t shared_bytes;
};

/// Throws Error if a card would refuse the launch.
void check_launch(const Launch& launch);
/// Runs `body(context)` once for every thread of the grid. Throws the Error of the lowest block that failed.
void run_grid(const Launch& launch, void (*body)(void* context), void* context);

/// Chooses the order in which threads and blocks run: 0 is round robin, other seeds are random orders.
/// The initial seed is the environment variable TENON_CUDA_SCHEDULE_SEED, else 0.
void set_schedule_seed(uint64_t seed);
uint64_t schedule_seed();

void* shared_array(const void* declaration, size_t bytes);
void* dynamic_shared();

void block_barrier(const Site& site);
/// Waits for the lanes of `mask`, then returns the `value` given by `source_lane` (0..31, in `mask`).
uint64_t exchange(const char* what, unsigned mask, uint64_t value, int source_lane, const Site& site);
/// Waits for the lanes of `mask`, then returns a bit for each whose predicate was true.
unsigned ballot(const char* what, unsigned mask, bool predicate, const Site& site);
/// Waits for the lanes of `mask`; what they wrote before is seen by all of them after.
void warp_barrier(unsigned mask, const Site& site);
/// Lane of the running thread in its warp: its linear index in the block modulo 32.
int lane();

template <class T>
T exchange_value(const char* what, unsigned mask, T value, int source_lane, const Site& site) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(what, mask, bits, source_lane, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace emulation

/// See kernel.h. Without a current stream the call returns when the grid is done, on a stream before it began.
template <class... Params>
void launch(const char* name, void (*kernel)(Params...), Dim3 grid, Dim3 block, size_t shared_bytes,
            std::type_identity_t<Params>... args) {
  const emulation::Launch extents{name, grid, block, shared_bytes};
  emulation::check_launch(extents);
  detail::check_shared_memory(name, shared_bytes);
  detail::count_launch(name);
  emulation::submit([=] {
    auto thread = [&] { kernel(args...); };
    emulation::run_grid(
        extents, [](void* f) { (*static_cast<decltype(thread)*>(f))(); }, &thread);
  });
}

// ---- rendezvous -------------------------------------------------------------------------------------

inline void __syncthreads(const emulation::Site& site = emulation::Site::current()) {
  emulation::block_barrier(site);
}

inline void __syncwarp(unsigned mask = 0xffffffffu,
                       const emulation::Site& site = emulation::Site::current()) {
  emulation::warp_barrier(mask, site);
}

inline unsigned __ballot_sync(unsigned mask, bool predicate,
                              const emulation::Site& site = emulation::Site::current()) {
  return emulation::ballot("__ballot_sync", mask, predicate, site);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int source_lane, int width = warpSize,
              const emulation::Site& site = emulation::Site::current()) {
  const int segment = emulation::lane() & ~(width - 1);
  return emulation::exchange_value("__shfl_sync", mask, value, segment + (source_lane & (width - 1)), site);
}

template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   const emulation::Site& site = emulation::Site::current()) {
  const int lane = emulation::lane();
  const bool inside =
      (lane & (width - 1)) + static_cast<int>(delta) < width;  // else a lane keeps its own value
  return emulation::exchange_value("__shfl_down_sync", mask, value,
                                   inside ? lane + static_cast<int>(delta) : lane, site);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize,
                  const emulation::Site& site = emulation::Site::current()) {
  const int lane = emulation::lane();
  const bool inside = ((lane ^ lane_mask) & ~(width - 1)) <= (lane & ~(width - 1));
  return emulation::exchange_value("__shfl_xor_sync", mask, value, inside ? lane ^ lane_mask : lane, site);
}

// ---- approximations, which are exact here ------------------------------------------------------------

template <class T>
T fast_reciprocal(T x) {
  return 1 / x;
}
template <class T>
T fast_root(T x) {
  return std::sqrt(x);
}

// ---- integer atomics: each returns the old value ----------------------------------------------------

template <class T>
requires std::is_integral_v<T> T atomicAdd(T* address, std::type_identity_t<T> value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

template <class T>
requires std::is_integral_v<T> T atomicExch(T* address, std::type_identity_t<T> value) {
  return __atomic_exchange_n(address, value, __ATOMIC_RELAXED);
}

template <class T>
requires std::is_integral_v<T> T atomicMax(T* address, std::type_identity_t<T> value) {
  T old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (old < value &&
         !__atomic_compare_exchange_n(address, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}

}  // namespace tenon::cuda
