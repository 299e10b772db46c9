// Ctrl-C as a request: training loops look at stop_requested() between steps, write a checkpoint and return.
#pragma once

#include "core/error.h"

namespace tenon::experiment {

/// Thrown between two steps when the user asked to stop; what was finished is on disk.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// While it lives, the first SIGINT or SIGTERM only sets stop_requested(); a second one kills the process as
/// usual. One at a time; the destructor restores the handlers that were there and clears the request.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// True once a signal has asked the running InterruptGuard's program to stop.
bool stop_requested();

}  // namespace tenon::experiment
