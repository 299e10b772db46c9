// Files that are either the old one or the whole new one, never a half.
//
// The bytes go to a temporary file in the same folder, are forced to the disk, and the file is then renamed
// over the old one. A crash, a full disk or an exception before commit() leaves the old file as it was.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace tenon {

/// A file being written. Every failure throws Error with the operation, the path and the system's reason.
///
/// @code
///   AtomicFile file("weights.safetensors");
///   file.write(header);
///   file.write(tensor.data(), bytes);
///   file.commit();
/// @endcode
class AtomicFile {
 public:
  /// Opens `<path>.tmp-<process>-<number>` for writing. The folder must exist.
  explicit AtomicFile(std::filesystem::path path);
  /// Without commit() the temporary file is removed and `path` left untouched.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t count);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Forces the bytes to the disk and puts the file in its place. To be called once, last.
  void commit();

 private:
  void close_descriptor();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// Writes `contents` to `path` as an AtomicFile. @throws Error as AtomicFile does.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

/// Removes the temporary files that processes killed while writing left in `folder` (not in its subfolders).
/// To be called only by the one who owns the folder, while nobody else writes there.
void remove_abandoned_temporaries(const std::filesystem::path& folder);

}  // namespace tenon
