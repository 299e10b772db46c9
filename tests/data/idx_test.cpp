// IDX files and, under them, the strict byte reader: golden bytes, round trips, gzip, and everything to be
// refused.
#include "data/idx.h"

#include <sys/stat.h>

#include <fstream>

#include "core/atomic_file.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

Tensor read_bytes(std::string_view bytes) {
  FileReader in(ByteSource::memory("t", bytes));
  return read_idx(in);
}

const ReadBytes kRead = [](std::string_view bytes) { read_bytes(bytes); };

// Two images of 2 x 3, as MNIST lays them out.
const std::string kGolden(
    "\0\0\x08\x03"
    "\0\0\0\x02"
    "\0\0\0\x02"
    "\0\0\0\x03"
    "\x00\x01\x02\x03\x04\x05\xfa\xfb\xfc\xfd\xfe\xff",
    28);

}  // namespace

TEST_CASE("idx: golden bytes are read and written") {
  const Tensor images = read_bytes(kGolden);
  CHECK(images.dtype() == uint8);
  CHECK(images.shape() == Shape{2, 2, 3});
  CHECK(images.to_vector<uint8_t>() == std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255});
  CHECK(encode_idx(images) == kGolden);
}

TEST_CASE("idx: elements of several bytes are big-endian") {
  const std::string bytes("\0\0\x0c\x01\0\0\0\x02\x01\x02\x03\x04\xff\xff\xff\xfe", 16);
  CHECK(read_bytes(bytes).to_vector<int32_t>() == std::vector<int32_t>{0x01020304, -2});
  const Tensor floats = Tensor::from(std::vector<float>{1.0F, -0.5F}, {2, 1});
  CHECK(encode_idx(floats).substr(12) == std::string("\x3f\x80\0\0\xbf\0\0\0", 8));
  CHECK(read_bytes(encode_idx(floats)).to_vector<float>() == floats.to_vector<float>());
  const Tensor doubles = Tensor::from(std::vector<double>{1.25, -3e300}, {1, 2});
  CHECK(read_bytes(encode_idx(doubles)).to_vector<double>() == doubles.to_vector<double>());
}

TEST_CASE("idx: a view is written row-major, an empty tensor is a file") {
  const Tensor images = read_bytes(kGolden);
  CHECK(read_bytes(encode_idx(images.t())).to_vector<uint8_t>() ==
        std::vector<uint8_t>{0, 3, 1, 4, 2, 5, 250, 253, 251, 254, 252, 255});
  const Tensor empty = read_bytes(encode_idx(Tensor::empty({0, 28, 28}, uint8)));
  CHECK(empty.shape() == Shape{0, 28, 28});
  CHECK_THROWS_AS(encode_idx(Tensor::zeros({3}, int64)), Error);
  CHECK_THROWS_AS(encode_idx(Tensor::zeros({}, uint8)), Error);
}

TEST_CASE("idx: every truncation and everything behind the end is refused, plain and gzip") {
  check_strict(kRead, kGolden);
  check_strict(kRead, gzip(kGolden));
  CHECK(refusal(kRead, "") == "t: at byte 0: IDX magic number: expected 4 x 1 bytes, 0 are left");
  CHECK(refusal(kRead, kGolden.substr(0, 20)) ==
        "t: at byte 16: IDX elements: expected 12 x 1 bytes, 4 are left");
}

TEST_CASE("idx: wrong headers are refused by name") {
  const auto with = [](size_t position, char value) {
    std::string bytes = kGolden;
    bytes[position] = value;
    return refusal(kRead, bytes);
  };
  CHECK(contains(with(0, 'P'), "expected an IDX file"));
  CHECK(contains(with(2, 0x09), "expected IDX type"));
  CHECK(contains(with(3, 0), "1 to 8 axes, got 0"));
  CHECK(contains(with(3, 9), "1 to 8 axes, got 9"));
  CHECK(contains(with(7, 1), "expected the end of the file, 6 more bytes follow"));
}

TEST_CASE("idx: forged extents cost no memory") {
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  std::string bytes = kGolden;
  bytes[4] = '\x7f';
  CHECK(contains(refusal(kRead, bytes), "12 are left"));
  CHECK(contains(refusal(kRead, gzip(bytes)), "12 are left"));
  for (size_t i = 4; i < 16; ++i) bytes[i] = '\xff';  // the number of elements overflows 64 bits
  refusal(kRead, bytes);
  CHECK(memory_stats().peak_bytes == before);
}

TEST_CASE("reader: a damaged gzip file is refused, or the damage lies in bits that mean nothing") {
  const std::string whole = gzip(kGolden);
  int refused = 0;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string bytes = whole;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    std::string read;
    try {
      read = encode_idx(read_bytes(bytes));
    } catch (const Error&) {
      ++refused;
      continue;
    }
    CHECK(read == kGolden);
  }
  // What may change: time, extra flags and system in the header (6 bytes), the text flag, and the bits that
  // fill the last byte of packed data.
  CHECK(refused >= static_cast<int>(8 * (whole.size() - 6) - 8));
  std::string wrong_checksum = whole;
  wrong_checksum[whole.size() - 8] = static_cast<char>(wrong_checksum[whole.size() - 8] + 1);
  CHECK(contains(refusal(kRead, wrong_checksum), "incorrect data check"));
}

TEST_CASE("reader: gzip members one after the other are one file") {
  const std::string two = gzip(kGolden.substr(0, 9)) + gzip(kGolden.substr(9));
  CHECK(encode_idx(read_bytes(two)) == kGolden);
}

TEST_CASE("reader: a small file that unpacks to much is measured, not stored") {
  const std::string bomb = gzip(kGolden + std::string(size_t{64} << 20, '\0'));
  CHECK(bomb.size() < 100000);
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  CHECK(contains(refusal(kRead, bomb), "expected the end of the file, 67108864 more bytes follow"));
  CHECK(memory_stats().peak_bytes - before <= 4096);
}

TEST_CASE("reader: files, folders, pipes and what is not there") {
  TemporaryFolder folder;
  write_file_atomically(folder.file("a"), kGolden);
  CHECK(encode_idx(read_idx(folder.file("a"))) == kGolden);
  CHECK_THROWS_WITH_AS(read_idx(folder.file("b")), doctest::Contains("b: cannot be opened: No such file"),
                       Error);
  CHECK_THROWS_WITH_AS(read_idx(folder.path().string()), doctest::Contains("it is a folder"), Error);
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(read_idx(folder.file("pipe")), doctest::Contains("expected a file"), Error);
}

TEST_CASE("reader: a file that shrinks while it is read") {
  TemporaryFolder folder;
  write_file_atomically(folder.file("a"), kGolden);
  FileReader in(folder.file("a"));
  std::filesystem::resize_file(folder.file("a"), 20);
  CHECK_THROWS_WITH_AS(read_idx(in), doctest::Contains("was shortened while it was read"), Error);
}
