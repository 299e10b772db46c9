// Runs a test case that must not survive in a process of its own: this program again, from its start, since
// ThreadSanitizer ignores all order after the fork of a process that has threads.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

/// A test case that only run_planted(name) runs; its body begins with begin_planted().
#define TENON_PLANTED(name) TEST_CASE("planted: " name* doctest::skip())

namespace tenon::cuda {

struct ChildEnd {
  bool survived;       ///< ran to its end, every check held, and no sanitizer complained
  bool faulted;        ///< ended by a segmentation fault
  std::string report;  ///< what it wrote to stderr
};

inline ChildEnd run_planted(const std::string& name) {
  const std::string filter = "--test-case=planted: " + name;
  std::FILE* const report = std::tmpfile();
  REQUIRE(report != nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const int nowhere = open("/dev/null", O_WRONLY);
    if (dup2(nowhere, STDOUT_FILENO) < 0 || dup2(fileno(report), STDERR_FILENO) < 0) _exit(2);
    execl("/proc/self/exe", "tests", "--no-skip", "--no-colors", filter.c_str(), static_cast<char*>(nullptr));
    _exit(2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  ChildEnd end{WIFEXITED(status) && WEXITSTATUS(status) == 0,
               WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, ""};
  std::rewind(report);
  for (int c; (c = std::fgetc(report)) != EOF;) end.report += static_cast<char>(c);
  std::fclose(report);
  REQUIRE(end.report.find(name + " starts\n") != std::string::npos);  // else no such test case ran
  return end;
}

/// A planted test case begins with it: says that it runs, and leaves a segmentation fault to the system.
inline void begin_planted() {
  std::fprintf(stderr, "%s starts\n", doctest::getContextOptions()->currentTest->m_name);
  std::signal(SIGSEGV, SIG_DFL);
}

}  // namespace tenon::cuda
