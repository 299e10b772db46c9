#include "papers/experiment/interrupt.h"

#include <csignal>

namespace tenon::experiment {

namespace {

volatile std::sig_atomic_t requested = 0;
struct sigaction previous_interrupt, previous_terminate;

// SA_RESETHAND has restored the default action by now, so a second signal kills.
extern "C" void request_stop(int) { requested = 1; }

}  // namespace

InterruptGuard::InterruptGuard() {
  requested = 0;
  struct sigaction action = {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESETHAND | SA_RESTART;  // restart: a read or write under way is no error
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_interrupt);
  sigaction(SIGTERM, &action, &previous_terminate);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &previous_interrupt, nullptr);
  sigaction(SIGTERM, &previous_terminate, nullptr);
  requested = 0;
}

bool stop_requested() { return requested != 0; }

}  // namespace tenon::experiment
