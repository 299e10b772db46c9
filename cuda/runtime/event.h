// A mark in the order of device work: the host or a stream can wait for it, and the device's time between two
// of them can be read.
#pragma once

#include <memory>

namespace tenon::cuda {

/// Created unrecorded; what waits for it then has nothing to wait for. Throws Error without a device.
class Event {
 public:
  Event();
  ~Event();
  Event(Event&&) noexcept;
  Event& operator=(Event&&) noexcept;

  /// Moves the mark to here: behind all work that this host thread has asked for so far on its current stream
  /// (cuda/runtime/stream.h), or on the default one.
  void record();
  /// Returns when the device has come past the mark.
  void synchronize() const;

  /// Defined beside each implementation.
  struct State;
  const std::shared_ptr<State>& state() const { return state_; }

 private:
  std::shared_ptr<State> state_;
};

/// Milliseconds of the device's time from one mark to another; waits for `end`. Both must have been recorded.
/// The card's clock resolves about 0.5 us; the emulation reads the host's clock, and its times are those of
/// the emulation.
double milliseconds_between(const Event& start, const Event& end);

}  // namespace tenon::cuda
