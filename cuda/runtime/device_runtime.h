// The small interface between the engine and a CUDA device: raw memory, copies, synchronisation, and the
// count of kernels launched. It is all that core/ needs to know of a device; what kernels need stands in
// cuda/runtime/kernel.h.
//
// One of three implementations is chosen when Tenon is built:
//   CUDA=native    (TENON_CUDA_NATIVE)    thin wrappers on the CUDA runtime
//   CUDA=emulated  (TENON_CUDA_EMULATED)  cuda/emulation, which runs the same kernels on the CPU
//   CUDA=off       (TENON_CUDA_OFF)       available() is false, everything else throws Error
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tenon::cuda {

/// "native", "emulated" or "off".
const char* build_mode();
/// True if a device can be used: always in an emulated build, only if a card answers in a native one.
bool available();
/// Where that is false, why: the words of the driver, or that the build has no device. Else "".
std::string why_unavailable();
/// "emulated CUDA device (CPU)", or the card's name.
std::string device_name();

/// Bytes of shared memory that every card gives a block without being asked; static arrays must stay within them.
constexpr size_t kSharedUnasked = 48 * 1024;
/// Bytes that a launch may ask for, as dynamic shared memory, static arrays counted in: 99 to 227 KB on cards from Ampere
/// on.
size_t shared_memory_limit();

/// At least `bytes` (> 0) of device memory, 256-byte aligned; nullptr if the device has not that much left.
/// The host must not touch it other than through the copies below.
void* raw_allocate(size_t bytes);
/// Gives back what raw_allocate(bytes) returned. Device work on it must have been synchronised with.
void raw_release(void* pointer, size_t bytes) noexcept;

/// Copies between host and device memory; they return when the copy is done. Copies and kernels happen in the
/// order in which they were asked for. The emulation throws Error if a device range is not device memory.
void copy_to_device(void* device_destination, const void* host_source, size_t bytes);
void copy_to_host(void* host_destination, const void* device_source, size_t bytes);
/// Ranges of different allocations, or not overlapping.
void copy_on_device(void* destination, const void* source, size_t bytes);

/// Waits for all device work. An error of an earlier kernel surfaces here, at a copy, or at the next launch.
void synchronize();

/// Kernels launched since the program started, calls of libraries among them: tests assert with it that a kernel really
/// ran.
uint64_t launch_count();
/// Calls that one of NVIDIA's libraries, or its twin in the emulation, has served (cuda/library/products.h).
uint64_t library_calls();
/// Name of the kernel launched last, or of the library called after it ("cublas"); "" if none.
const char* last_kernel();

/// Emulated builds only, elsewhere without effect: while the guard is on, device memory is mapped without
/// access outside kernels and copies, so that a host access ends in a segmentation fault at the faulty line.
/// Process-wide; meant for tests (no other host thread may run Tenon code during a guarded launch).
/// Returns what it was before.
bool set_memory_guard(bool on);

namespace detail {
/// Called by launch() of cuda/runtime/kernel.h: throws Error if a block asks for more than there is.
void check_shared_memory(const char* name, size_t bytes);
/// Called by launch() of cuda/runtime/kernel.h. `name` must be a string literal.
void count_launch(const char* name);
/// Called by cuda/library/, likewise: counts as a launch, too.
void count_library_call(const char* library);
/// Native builds only: the cudaStream_t that launches of this host thread go to (cuda/runtime/stream.h).
void* native_stream();
}  // namespace detail

}  // namespace tenon::cuda
