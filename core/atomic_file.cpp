#include "core/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace tenon {

namespace {

constexpr std::string_view kTemporaryMark = ".tmp-";

[[noreturn]] void fail_with_reason(std::string_view operation, const std::filesystem::path& path,
                                   int reason) {
  fail(path.string(), ": ", operation, ": ", std::strerror(reason));
}

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> number{0};  // two threads may write the same path at once
  std::filesystem::path temporary = path;
  temporary += concat(kTemporaryMark, ::getpid(), "-", number++);
  return temporary;
}

// A rename is durable once the folder that holds the name is on the disk.
void sync_folder_of(const std::filesystem::path& path) {
  std::filesystem::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail_with_reason("cannot open the folder", folder, errno);
  // Some file systems cannot sync a folder and say EINVAL; there is nothing more to be done on those.
  const int reason = ::fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  ::close(descriptor);
  if (reason != 0) fail_with_reason("cannot sync the folder", folder, reason);
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(temporary_name(path_)) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_with_reason("cannot create", temporary_, errno);
}

AtomicFile::~AtomicFile() {
  if (temporary_.empty()) return;  // committed
  if (descriptor_ >= 0) ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, std::size_t count) {
  TENON_CHECK(descriptor_ >= 0, path_.string(), ": written after commit");
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(descriptor_, next, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_reason("cannot write", temporary_, errno);
    next += written;
    count -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  TENON_CHECK(descriptor_ >= 0, path_.string(), ": committed twice");
  if (::fsync(descriptor_) != 0) fail_with_reason("cannot sync", temporary_, errno);
  close_descriptor();
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    fail_with_reason("cannot rename to its place", temporary_, errno);
  temporary_.clear();
  sync_folder_of(path_);
}

void AtomicFile::close_descriptor() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) fail_with_reason("cannot close", temporary_, errno);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

void remove_abandoned_temporaries(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name.find(kTemporaryMark) != std::string::npos) {
      std::error_code ignored;  // one that vanished meanwhile is as good as removed
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

}  // namespace tenon
