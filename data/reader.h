// Strict reading of bytes: a ByteSource is a file or a piece of memory, a FileReader walks over it (unpacking
// gzip or deflate as it goes) and turns everything unexpected into an Error that names file, byte and
// expectation.
//
// The rule that keeps forged files harmless: a reader always knows how many unpacked bytes are left, so a
// declared size is compared with what the file really holds before anything is allocated for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/tensor.h"

namespace tenon {

/// Bytes that can be read at any position. Copying the handle copies no data.
class ByteSource {
 public:
  /// Opens a regular file. Throws Error with the path and the system's reason.
  static ByteSource file(const std::string& path);
  /// `bytes` are not copied and must outlive every handle; `name` stands for the file name in errors.
  static ByteSource memory(std::string name, std::span<const uint8_t> bytes);
  static ByteSource memory(std::string name, std::string_view bytes);
  static ByteSource memory(std::string name, std::string&& temporary) = delete;  // would dangle

  const std::string& name() const;
  uint64_t size() const;
  /// Copies `count` bytes from `offset`. Throws Error if they are not there (or are no longer there).
  void read_at(uint64_t offset, void* out, uint64_t count) const;

 private:
  struct Impl;
  explicit ByteSource(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// Bytes of a tensor of this shape, or nothing if that, with extents of 0 taken as 1, does not fit 63 bits:
/// such a shape has no strides.
std::optional<uint64_t> tensor_bytes(const Shape& shape, DType dtype);

/// How packed bytes are wrapped: RFC 1952, 1950, or 1951 alone.
enum class Packing { gzip, zlib, raw };

class Inflater;

/// Reads a source from front to back. Sizes count unpacked bytes.
class FileReader {
 public:
  /// Reads plain bytes, or the unpacked bytes of a gzip file, which is known by its first two bytes (1f 8b).
  /// A gzip file is unpacked once here, into nothing, to learn its true size and to check its checksums.
  explicit FileReader(const ByteSource& source);
  explicit FileReader(const std::string& path) : FileReader(ByteSource::file(path)) {}
  /// Reads bytes [begin, begin + length) of the source as they are. Throws if the source does not hold them.
  /// `part` names them in errors, behind the file.
  static FileReader window(ByteSource source, uint64_t begin, uint64_t length, const std::string& part = "");
  /// Reads the deflate stream, bare or in zlib's wrapper, that fills exactly bytes [begin, begin + length) of
  /// the source.
  static FileReader deflated(ByteSource source, uint64_t begin, uint64_t length, Packing packing,
                             const std::string& part = "");
  FileReader(FileReader&&) noexcept;
  ~FileReader();

  const std::string& name() const { return name_; }
  /// Position of the next byte: in the source, or in the unpacked data.
  uint64_t offset() const { return offset_; }
  /// Bytes from there to the end; exact, also for packed files.
  uint64_t remaining() const { return end_ - offset_; }

  /// Throws unless `count` items of `item_bytes` each are left. `what` names them in the error. Returns their
  /// bytes.
  uint64_t require(uint64_t count, uint64_t item_bytes, const char* what) const;
  void read(void* out, uint64_t bytes, const char* what);
  std::string read_string(uint64_t bytes, const char* what);
  /// An unsigned integer of 1, 2, 4 or 8 bytes, least (little) or most (big) significant byte first.
  template <class T>
  T little(const char* what);
  template <class T>
  T big(const char* what);
  /// A row-major host tensor whose elements come next, least significant byte first. The size is checked
  /// against the bytes that remain before the tensor is allocated.
  Tensor read_tensor(const Shape& shape, DType dtype, const char* what);
  /// Throws if any byte is left.
  void expect_end() const;
  /// CRC-32 (that of gzip, zip and PNG) of the bytes read so far.
  uint32_t checksum() const { return checksum_; }

  /// Throws Error "<file>: at byte <offset>: <parts>".
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    tenon::fail(name(), ": at byte ", offset_, inflater_ ? " (unpacked): " : ": ", parts...);
  }

 private:
  FileReader(ByteSource source, const std::string& part, uint64_t begin, uint64_t end);

  ByteSource source_;
  std::string name_;
  uint64_t offset_ = 0;
  uint64_t end_ = 0;
  uint32_t checksum_ = 0;
  std::unique_ptr<Inflater> inflater_;  // null for bytes that are read as they are
};

template <class T>
T FileReader::little(const char* what) {
  uint8_t bytes[sizeof(T)];
  read(bytes, sizeof(T), what);
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(T{bytes[i]} << (8 * i)));
  return value;
}

template <class T>
T FileReader::big(const char* what) {
  uint8_t bytes[sizeof(T)];
  read(bytes, sizeof(T), what);
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(T{bytes[i]} << (8 * (sizeof(T) - 1 - i))));
  return value;
}

}  // namespace tenon
