// Streams: orders of device work beside the default one.
//
// Work of one stream happens in the order in which it was asked for. Work of two streams may overlap, unless an
// event orders it. Work asked for without a current stream belongs to the default stream: it starts after all
// that was asked for before on any stream, and all that is asked for later on any stream starts after it. So
// who never makes a Stream has one order, and synchronous copies see all that came before.
//
// The engine's allocator hands freed device memory on at once, which is right within one order. Who runs tensor
// ops on two streams at the same time has to wait for the one before the other may reuse its memory.
//
// The emulation puts the work of a stream off until something waits for it: a forgotten wait reads what was
// there before, every time.
#pragma once

#include <cstddef>
#include <memory>

#include "cuda/runtime/event.h"

namespace tenon::cuda {

/// Used by one host thread at a time. Throws Error without a device.
class Stream {
 public:
  Stream();
  /// Waits for the stream's work; an error of its kernels is lost.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Work asked for later on this stream starts after `event`, on whichever stream that was recorded. The host
  /// does not wait.
  void wait(const Event& event);
  /// Returns when all work of this stream is done. An error of one of its kernels surfaces here.
  void synchronize();

  /// Defined beside each implementation.
  struct State;
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

/// For its lifetime, what this host thread asks of the device (launches, asynchronous copies, events) goes to
/// `stream`, which must live longer. Scopes nest.
class CurrentStream {
 public:
  explicit CurrentStream(const Stream& stream);
  ~CurrentStream();
  CurrentStream(const CurrentStream&) = delete;
  CurrentStream& operator=(const CurrentStream&) = delete;

 private:
  const Stream* before_;
};

/// Copies on the current stream; they return at once. The host range must stay alive and untouched until the
/// copy is known to be done (Stream::synchronize, Event::synchronize). On a card, copies overlap with kernels
/// only from pinned host memory.
void copy_to_device_async(void* device_destination, const void* host_source, size_t bytes);
void copy_to_host_async(void* host_destination, const void* device_source, size_t bytes);
/// Sets device memory to zero on the current stream; returns at once.
void clear_async(void* device_destination, size_t bytes);

namespace detail {
/// Innermost CurrentStream of this host thread; nullptr for the default stream.
const Stream* current_stream();
}  // namespace detail

}  // namespace tenon::cuda
