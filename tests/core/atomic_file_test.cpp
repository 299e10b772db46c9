// Atomic files: the old file survives everything but a commit.
#include "core/atomic_file.h"

#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "core/error.h"
#include "doctest/doctest.h"
#include "tests/temporary_folder.h"

using namespace tenon;

namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

// While it lives, no file can grow beyond `bytes`: writes fail as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : previous_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &previous_) == 0);
    const rlimit limit = {bytes, previous_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, previous_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit previous_ = {};
  void (*previous_handler_)(int);
};

}  // namespace

TEST_CASE("atomic file: the new contents appear at commit, not before") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  write_file_atomically(path, "old");
  AtomicFile file(path);
  file.write("new ");
  file.write(std::string(100'000, 'x'));
  CHECK(test::text_of(path) == "old");
  file.commit();
  CHECK(test::text_of(path) == "new " + std::string(100'000, 'x'));
  CHECK(files_in(folder.path()) == 1);
  CHECK_THROWS_AS(file.write("more"), Error);
  CHECK_THROWS_AS(file.commit(), Error);
}

TEST_CASE("atomic file: one that is not committed leaves the old file and nothing else") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write("half of the new");
  }
  CHECK(test::text_of(path) == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("atomic file: a failing write names the file and leaves the old one") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.bin";
  write_file_atomically(path, "old");
  std::string message;
  {
    const FileSizeLimit limit(1000);
    try {
      write_file_atomically(path, std::string(5000, 'x'));
    } catch (const Error& error) {
      message = error.what();
    }
  }
  CHECK(message.find("a.bin") != std::string::npos);
  CHECK(message.find("cannot write: File too large") != std::string::npos);
  CHECK(test::text_of(path) == "old");
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("atomic file: a missing folder or a folder in the file's place is an error") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_AS(write_file_atomically(folder.path() / "absent" / "a.bin", "x"), Error);
  std::filesystem::create_directory(folder.path() / "taken");
  CHECK_THROWS_AS(write_file_atomically(folder.path() / "taken", "x"), Error);
  CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("atomic file: temporaries of killed processes are removed, other files are not") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "weights.safetensors.tmp-123-0") << "half";
  std::ofstream(folder.path() / "weights.safetensors") << "whole";
  remove_abandoned_temporaries(folder.path());
  CHECK(files_in(folder.path()) == 1);
  CHECK(test::text_of(folder.path() / "weights.safetensors") == "whole");
}
