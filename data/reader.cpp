// ByteSource over a file descriptor or memory, and FileReader with its zlib unpacker.
#include "data/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace tenon {

// ---- ByteSource ---------------------------------------------------------------------------------

struct ByteSource::Impl {
  std::string name;
  uint64_t size = 0;
  int descriptor = -1;             // of a file, or -1
  const uint8_t* bytes = nullptr;  // of memory

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

ByteSource ByteSource::file(const std::string& path) {
  auto impl = std::make_shared<Impl>();
  impl->name = path;
  // O_NONBLOCK: opening a named pipe must not wait for a writer; it changes nothing for regular files.
  impl->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  TENON_CHECK(impl->descriptor >= 0, path, ": cannot be opened: ", std::strerror(errno));
  struct stat status {};
  TENON_CHECK(::fstat(impl->descriptor, &status) == 0, path, ": ", std::strerror(errno));
  TENON_CHECK(S_ISREG(status.st_mode), path, ": expected a file, it is ",
              S_ISDIR(status.st_mode) ? "a folder" : "a device, pipe or socket");
  impl->size = static_cast<uint64_t>(status.st_size);
  return ByteSource(std::move(impl));
}

ByteSource ByteSource::memory(std::string name, std::span<const uint8_t> bytes) {
  auto impl = std::make_shared<Impl>();
  impl->name = std::move(name);
  impl->bytes = bytes.data();
  impl->size = bytes.size();
  return ByteSource(std::move(impl));
}

ByteSource ByteSource::memory(std::string name, std::string_view bytes) {
  return memory(std::move(name), std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

const std::string& ByteSource::name() const { return impl_->name; }
uint64_t ByteSource::size() const { return impl_->size; }

void ByteSource::read_at(uint64_t offset, void* out, uint64_t count) const {
  TENON_CHECK(offset <= size() && count <= size() - offset, name(), ": at byte ", offset, ": expected ",
              count, " bytes, the file ends at ", size());
  if (impl_->descriptor < 0) {
    if (count > 0) std::memcpy(out, impl_->bytes + offset, count);
    return;
  }
  auto* to = static_cast<uint8_t*>(out);
  while (count > 0) {
    const ssize_t got = ::pread(impl_->descriptor, to, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    TENON_CHECK(got >= 0, name(), ": at byte ", offset, ": ", std::strerror(errno));
    TENON_CHECK(got > 0, name(), ": at byte ", offset, ": the file was shortened while it was read");
    to += got;
    offset += static_cast<uint64_t>(got);
    count -= static_cast<uint64_t>(got);
  }
}

std::optional<uint64_t> tensor_bytes(const Shape& shape, DType dtype) {
  auto bytes = static_cast<int64_t>(size_of(dtype));
  bool empty = false;
  for (int64_t extent : shape) {
    empty |= extent == 0;
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(extent, 1), &bytes)) return std::nullopt;
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

// ---- Inflater -----------------------------------------------------------------------------------

/// Unpacks a window of a source that holds either gzip members or one raw deflate stream, and nothing else.
class Inflater {
 public:
  Inflater(ByteSource source, uint64_t begin, uint64_t length, Packing packing)
      : source_(std::move(source)), begin_(begin), length_(length), packing_(packing), input_(kBufferBytes) {
    // 15: the largest window; +16: gzip's wrapper instead of zlib's (zlib checks the sums of both); negative:
    // none.
    const int status = inflateInit2(&stream_, packing == Packing::gzip   ? 15 + 16
                                              : packing == Packing::zlib ? 15
                                                                         : -15);
    TENON_CHECK(status == Z_OK, source_.name(), ": zlib cannot start (status ", status, ")");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  /// Unpacks up to `count` bytes; fewer only at the end of the data.
  uint64_t read(uint8_t* out, uint64_t count) {
    uint64_t done = 0;
    while (done < count && !finished_) {
      if (stream_.avail_in == 0) refill();
      const uInt room = static_cast<uInt>(std::min<uint64_t>(count - done, uint64_t{1} << 30));
      stream_.next_out = out + done;
      stream_.avail_out = room;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      done += room - stream_.avail_out;
      if (status == Z_STREAM_END) {
        end_of_stream();
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        refuse("corrupt packed data: ", stream_.msg ? stream_.msg : "zlib gives no reason");
      }
    }
    return done;
  }

  /// Unpacks to the end, into nothing; returns the size and starts over.
  uint64_t measure() {
    std::vector<uint8_t> scratch(kBufferBytes);
    uint64_t total = 0;
    for (uint64_t got = 1; got > 0; total += got) got = read(scratch.data(), scratch.size());
    inflateReset(&stream_);
    stream_.avail_in = 0;
    consumed_ = 0;
    finished_ = false;
    return total;
  }

 private:
  static constexpr size_t kBufferBytes = size_t{1} << 16;

  void refill() {
    const uint64_t count = std::min<uint64_t>(kBufferBytes, length_ - consumed_);
    if (count == 0) refuse("expected more packed data, the file ends here");
    source_.read_at(begin_ + consumed_, input_.data(), count);
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(count);
    consumed_ += count;
  }

  // A gzip file may hold several members one after the other (RFC 1952, 2.2); anything else behind a stream
  // is refused.
  void end_of_stream() {
    if (stream_.avail_in == 0 && consumed_ == length_) {
      finished_ = true;
    } else if (packing_ == Packing::gzip) {
      inflateReset(&stream_);  // a next member; zlib refuses what does not begin like one
    } else {
      refuse("expected the end of the packed data, ", length_ - packed_offset(), " more bytes follow");
    }
  }

  uint64_t packed_offset() const { return consumed_ - stream_.avail_in; }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(source_.name(), ": at packed byte ", begin_ + packed_offset(), ": ", parts...);
  }

  ByteSource source_;
  uint64_t begin_;
  uint64_t length_;
  Packing packing_;
  std::vector<uint8_t> input_;
  uint64_t consumed_ = 0;  // packed bytes handed to zlib's input
  bool finished_ = false;
  z_stream stream_{};
};

// ---- FileReader ---------------------------------------------------------------------------------

FileReader::FileReader(ByteSource source, const std::string& part, uint64_t begin, uint64_t end)
    : source_(std::move(source)), name_(source_.name()), offset_(begin), end_(end) {
  if (!part.empty()) name_ += " (" + part + ")";
}

FileReader::FileReader(const ByteSource& source) : FileReader(source, "", 0, source.size()) {
  uint8_t magic[2] = {};
  if (end_ >= 2) source_.read_at(0, magic, 2);
  if (magic[0] == 0x1f && magic[1] == 0x8b) {
    inflater_ = std::make_unique<Inflater>(source_, 0, end_, Packing::gzip);
    end_ = inflater_->measure();
  }
}

FileReader FileReader::window(ByteSource source, uint64_t begin, uint64_t length, const std::string& part) {
  TENON_CHECK(begin <= source.size() && length <= source.size() - begin, source.name(), ": at byte ", begin,
              ": expected ", length, " bytes, the file ends at ", source.size());
  return FileReader(std::move(source), part, begin, begin + length);
}

FileReader FileReader::deflated(ByteSource source, uint64_t begin, uint64_t length, Packing packing,
                                const std::string& part) {
  FileReader in = window(std::move(source), begin, length, part);
  in.inflater_ = std::make_unique<Inflater>(in.source_, begin, length, packing);
  in.offset_ = 0;
  in.end_ = in.inflater_->measure();
  return in;
}

FileReader::FileReader(FileReader&&) noexcept = default;
FileReader::~FileReader() = default;

uint64_t FileReader::require(uint64_t count, uint64_t item_bytes, const char* what) const {
  if (item_bytes > 0 && count > remaining() / item_bytes) {
    refuse(what, ": expected ", count, " x ", item_bytes, " bytes, ", remaining(), " are left");
  }
  return count * item_bytes;
}

void FileReader::read(void* out, uint64_t bytes, const char* what) {
  require(bytes, 1, what);
  if (inflater_) {
    const uint64_t got = inflater_->read(static_cast<uint8_t*>(out), bytes);
    if (got != bytes) refuse(what, ": the file was shortened while it was read");
  } else {
    source_.read_at(offset_, out, bytes);
  }
  offset_ += bytes;
  checksum_ = static_cast<uint32_t>(crc32_z(checksum_, static_cast<const Bytef*>(out), bytes));
}

std::string FileReader::read_string(uint64_t bytes, const char* what) {
  require(bytes, 1, what);
  std::string text(bytes, '\0');
  read(text.data(), bytes, what);
  return text;
}

Tensor FileReader::read_tensor(const Shape& shape, DType dtype, const char* what) {
  const auto declared = tensor_bytes(shape, dtype);
  if (!declared) refuse(what, ": shape ", shape, " is too large");
  const uint64_t bytes = require(*declared / size_of(dtype), size_of(dtype), what);
  Tensor tensor = Tensor::empty(shape, dtype);
  if (bytes > 0) read(tensor.raw(), bytes, what);
  return tensor;
}

void FileReader::expect_end() const {
  if (remaining() > 0) refuse("expected the end of the file, ", remaining(), " more bytes follow");
}

}  // namespace tenon
