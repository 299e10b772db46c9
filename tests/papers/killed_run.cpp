#include "tests/papers/killed_run.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "core/parallel.h"
#include "core/random.h"
#include "tests/seed.h"
#include "tests/temporary_folder.h"

namespace {

// Just before and just after something came to stand on the disk. The victim dies at one of them.
std::atomic<int64_t> moments{0}, last_moment{-1};

void pass_moment() {
  if (++moments == last_moment) raise(SIGKILL);
}

}  // namespace

// These two stand in the place of the C library's: a file comes to stand when it is renamed (core/atomic_file.h), a line of
// the log when it is forced to the disk (papers/experiment/run_folder.h).
extern "C" int rename(const char* from, const char* to) noexcept {
  pass_moment();
  const int result = renameat(AT_FDCWD, from, AT_FDCWD, to);
  pass_moment();
  return result;
}
extern "C" int fdatasync(int descriptor) {
  pass_moment();
  const auto result = static_cast<int>(syscall(SYS_fdatasync, descriptor));
  pass_moment();
  return result;
}

namespace tenon::test {
namespace {

constexpr const char* kFolderVariable = "TENON_TEST_KILLED_RUN";
constexpr const char* kMomentVariable = "TENON_TEST_KILLED_AT";

// Starts the victim, which dies at its `moment`-th moment. False if it was done before.
bool is_killed_at(const std::string& victim, const std::filesystem::path& folder, int64_t moment) {
  std::fflush(stdout);  // or the child writes what waits there once more
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    setenv(kFolderVariable, folder.c_str(), 1);
    setenv(kMomentVariable, std::to_string(moment).c_str(), 1);
    freopen("/dev/null", "w", stdout);
    execl("/proc/self/exe", "tests", "--no-skip", ("--test-case=" + victim).c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return true;
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  return false;
}

int64_t wanted_kills() {
  const char* const text = std::getenv("TENON_TEST_KILLS");
  return text == nullptr ? 10 : std::max<int64_t>(std::atoll(text), 1);
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
  const char* const folder = std::getenv(kFolderVariable);
  if (folder == nullptr) return;
  moments = 0;
  last_moment = std::atoll(std::getenv(kMomentVariable));
  run(folder, 1);
}

void check_killed_run(const std::string& victim, int files, const RunIn& run) {
  const TemporaryFolder temporary;
  const std::filesystem::path whole = temporary.path() / "whole", broken = temporary.path() / "broken";
  moments = 0;
  run(whole, 2);
  // An epoch has six moments, and each victim is to come farther than the last one.
  const int64_t far_enough = std::min<int64_t>(12, moments / 4);
  const auto farthest = static_cast<uint32_t>(std::max(2 * moments / wanted_kills(), far_enough));
  Generator random(test_seed());
  int killed = 0;
  while (is_killed_at(victim, broken, 1 + random.next_below(farthest))) ++killed;
  CHECK(killed >= 2);
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
