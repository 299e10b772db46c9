// Ctrl-C: a request first, a kill second.
#include "papers/experiment/interrupt.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "doctest/doctest.h"

using namespace tenon::experiment;

TEST_CASE("interrupt: the first signal asks, the guard's end forgets") {
  CHECK_FALSE(stop_requested());
  {
    const InterruptGuard guard;
    CHECK_FALSE(stop_requested());
    std::raise(SIGINT);
    CHECK(stop_requested());
  }
  CHECK_FALSE(stop_requested());
  {
    const InterruptGuard guard;
    std::raise(SIGTERM);
    CHECK(stop_requested());
  }
}

TEST_CASE("interrupt: a second signal kills") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const InterruptGuard guard;
    std::raise(SIGINT);
    std::raise(SIGINT);
    _exit(0);  // not reached
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
}
