#include "tests/papers/killed_run.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "core/parallel.h"
#include "tests/temporary_folder.h"

namespace tenon::test {
namespace {

constexpr const char* kFolderVariable = "TENON_TEST_KILLED_RUN";

int64_t lines_in(const std::filesystem::path& path) {
  const std::string text = text_of(path);
  return std::count(text.begin(), text.end(), '\n');
}

// Starts the victim and kills it at that line of its log. False if it was done before.
bool killed_at(const std::string& victim, const std::filesystem::path& folder, int64_t lines) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    setenv(kFolderVariable, folder.c_str(), 1);
    freopen("/dev/null", "w", stdout);
    execl("/proc/self/exe", "tests", "--no-skip", ("--test-case=" + victim).c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  bool ended = false;
  while (!(ended = waitpid(child, &status, WNOHANG) == child) && lines_in(folder / "log.jsonl") < lines)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (ended) return false;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

}  // namespace

void train_in(const std::filesystem::path& folder, int threads,
              const std::function<void(experiment::RunFolder& run, std::ostream& progress)>& train) {
  const int before = num_threads();
  set_num_threads(threads);
  std::ostringstream progress;
  experiment::RunFolder run(folder, Json::object({{"data", "made up"}}), true);
  train(run, progress);
  set_num_threads(before);
}

void be_killed(const RunIn& run) {
  if (const char* folder = std::getenv(kFolderVariable)) run(folder, 1);
}

void check_killed_run(const std::string& victim, const std::vector<int64_t>& lines, int files,
                      const RunIn& run) {
  const TemporaryFolder temporary;
  const std::filesystem::path whole = temporary.path() / "whole", broken = temporary.path() / "broken";
  run(whole, 2);
  int killed = 0;
  for (int64_t at : lines) killed += killed_at(victim, broken, at) ? 1 : 0;
  CHECK(killed >= 2);
  run(broken, 1);
  CHECK(text_of(whole / "log.jsonl") == text_of(broken / "log.jsonl"));
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(whole / "arms")) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "checkpoint.safetensors") continue;
    INFO(entry.path().string());
    ++found;
    CHECK(text_of(entry.path()) == text_of(broken / std::filesystem::relative(entry.path(), whole)));
  }
  CHECK(found == files);
}

}  // namespace tenon::test
