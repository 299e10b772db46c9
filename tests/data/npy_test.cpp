// .npy and .npz: files as NumPy writes them, round trips of every dtype and order, and everything to be
// refused.
#include "data/npy.h"

#include "core/atomic_file.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

Tensor npy(std::string_view bytes) {
  FileReader in(ByteSource::memory("t", bytes));
  return read_npy(in);
}
const ReadBytes kReadNpy = [](std::string_view bytes) { npy(bytes); };
const ReadBytes kReadNpz = [](std::string_view bytes) { read_npz(ByteSource::memory("t", bytes)); };

// A version 1.0 file with this dictionary and these elements.
std::string npy_file(const std::string& dictionary, const std::string& elements) {
  std::string header = dictionary;
  header.resize(117, ' ');
  header += '\n';
  return std::string("\x93NUMPY\1\0\x76\0", 10) + header + elements;
}

// numpy.save of numpy.array([[1, 2, 3], [4, 5, 6]], "<i4"), byte for byte.
const std::string kGolden = npy_file("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }",
                                     std::string("\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0", 24));

template <class T>
void check_round_trip(const std::vector<T>& values, const Shape& shape) {
  const Tensor tensor = Tensor::from(values, shape);
  const Tensor back = npy(encode_npy(tensor));
  CHECK(back.dtype() == dtype_of<T>);
  CHECK(back.shape() == shape);
  CHECK(back.to_vector<T>() == values);
}

}  // namespace

TEST_CASE("npy: golden bytes are read and written") {
  const Tensor tensor = npy(kGolden);
  CHECK(tensor.shape() == Shape{2, 3});
  CHECK(tensor.to_vector<int32_t>() == std::vector<int32_t>{1, 2, 3, 4, 5, 6});
  CHECK(encode_npy(tensor) == kGolden);
  CHECK(npy(gzip(kGolden)).to_vector<int32_t>() == tensor.to_vector<int32_t>());
}

TEST_CASE("npy: every dtype and rank") {
  check_round_trip<float>({1.5F, -0.0F, 3e38F}, {3});
  check_round_trip<double>({1e300, -2.5}, {1, 2, 1});
  check_round_trip<int64_t>({INT64_MIN, INT64_MAX}, {2, 1});
  check_round_trip<int32_t>({7}, {});
  check_round_trip<uint8_t>({0, 255}, {1, 1, 1, 1, 1, 1, 1, 2});
  check_round_trip<float>({}, {0});
  check_round_trip<float>({}, {3, 0, 2});
}

TEST_CASE("npy: Fortran order in and out") {
  const std::string fortran = npy_file("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }",
                                       std::string("\1\0\0\0\4\0\0\0\2\0\0\0\5\0\0\0\3\0\0\0\6\0\0\0", 24));
  const Tensor tensor = npy(fortran);
  CHECK(tensor.to_vector<int32_t>() == std::vector<int32_t>{1, 2, 3, 4, 5, 6});
  CHECK(tensor.strides() == Strides{1, 2});
  CHECK(encode_npy(tensor) == fortran);
  const Tensor cube = Tensor::arange(24).reshape({2, 3, 4}).permute({1, 0, 2});  // neither order
  CHECK(npy(encode_npy(cube)).to_vector<int64_t>() == cube.to_vector<int64_t>());
}

TEST_CASE("npy: the header's keys in any order, the other quotes, versions 2 and 3") {
  const std::string elements(4, '\0');
  CHECK(npy(npy_file("{\"shape\":(1,),'fortran_order':False,'descr':'<f4'}", elements)).shape() == Shape{1});
  for (char version : {'\2', '\3'}) {
    const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n";
    const std::string bytes = concat("\x93NUMPY", version, '\0', static_cast<char>(header.size()),
                                     std::string(3, '\0'), header, elements);
    CHECK(npy(bytes).rank() == 0);
  }
}

TEST_CASE("npy: every truncation and everything behind the end is refused") {
  check_strict(kReadNpy, kGolden);
  check_strict(kReadNpy, gzip(kGolden));
}

TEST_CASE("npy: wrong headers are refused by name and byte") {
  const auto with = [](const std::string& dictionary) {
    return refusal(kReadNpy, npy_file(dictionary, std::string(24, '\0')));
  };
  CHECK(contains(with("{'descr': '>i4', 'fortran_order': False, 'shape': (2, 3), }"), "got '>i4'"));
  CHECK(contains(with("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"), "got '|O'"));
  CHECK(contains(with("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (2, 3), }"),
                 "record of fields"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': 0, 'shape': (2, 3), }"),
                 "at byte 44: npy header: expected True"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (-2, 3), }"), "expected an extent"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (6), }"), "expected ','"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }"),
                 "64 bits"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6), }"),
                 "at most 8 axes"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, }"), "expected the keys"));
  CHECK(contains(with("{'descr': '<i4', 'descr': '<i4', 'shape': (6,), }"), "once each, got 'descr'"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (6,), 'x': 1}"), "got 'x'"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (6,), } x"), "only spaces"));
  CHECK(contains(with("{'descr': '<i4"), "quoted word"));
  CHECK(contains(with(""), "expected '{'"));
  CHECK(contains(with("{'descr': '<i4', 'fortran_order': False, 'shape': (7,), }"),
                 "7 x 4 bytes, 24 are left"));
  std::string version = kGolden;
  version[6] = 4;
  CHECK(contains(refusal(kReadNpy, version), "got 4.0"));
}

TEST_CASE("npy: forged extents cost no memory") {
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  for (const char* shape : {"(4000000000,)", "(9223372036854775807,)", "(3037000500, 3037000500)",
                            "(9223372036854775807, 9223372036854775807, 2)"}) {
    refusal(kReadNpy,
            npy_file(concat("{'descr': '<f8', 'fortran_order': False, 'shape': ", shape, ", }"), "12345678"));
  }
  const std::string long_header = std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12);
  CHECK(contains(refusal(kReadNpy, long_header), "at most 65536 bytes"));
  CHECK(memory_stats().peak_bytes == before);
}

// ---- npz ----------------------------------------------------------------------------------------

namespace {

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// A zip archive of one deflated member, with NumPy's habit of a zip64 field in the local header.
std::string deflated_archive(const std::string& name, const std::string& content) {
  const std::string packed = raw_deflate(content);
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
  std::string out;
  put(out, 0x04034b50, 4);
  put(out, 45, 2), put(out, 0, 2), put(out, 8, 2), put(out, 0, 4), put(out, crc, 4);
  put(out, 0xffffffff, 4), put(out, 0xffffffff, 4), put(out, name.size(), 2), put(out, 20, 2);
  out += name;
  put(out, 1, 2), put(out, 16, 2), put(out, content.size(), 8), put(out, packed.size(), 8);
  out += packed;
  const size_t begin = out.size();
  put(out, 0x02014b50, 4);
  put(out, 45, 2), put(out, 45, 2), put(out, 0, 2), put(out, 8, 2), put(out, 0, 4), put(out, crc, 4);
  put(out, packed.size(), 4), put(out, content.size(), 4), put(out, name.size(), 2);
  put(out, 0, 8), put(out, 0, 8);  // extra, comment, disk, attributes (4), place
  out += name;
  const size_t length = out.size() - begin;
  put(out, 0x06054b50, 4);
  put(out, 0, 4), put(out, 1, 2), put(out, 1, 2), put(out, length, 4), put(out, begin, 4), put(out, 0, 2);
  return out;
}

}  // namespace

TEST_CASE("npz: round trip of several arrays") {
  const NamedTensors tensors{{"weight", Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 2})},
                             {"a/b c", Tensor::from(std::vector<uint8_t>{9})},
                             {"", Tensor::arange(3)}};
  const std::string bytes = encode_npz(tensors);
  const NamedTensors back = read_npz(ByteSource::memory("t", bytes));
  REQUIRE(back.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(back[i].first == tensors[i].first);
    CHECK(back[i].second.dtype() == tensors[i].second.dtype());
    CHECK(back[i].second.shape() == tensors[i].second.shape());
  }
  CHECK(back[0].second.to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  const std::string none = encode_npz({});
  CHECK(read_npz(ByteSource::memory("t", none)).empty());
  CHECK_THROWS_AS(encode_npz({{"a", Tensor::arange(1)}, {"a", Tensor::arange(1)}}), Error);
}

TEST_CASE("npz: deflated members, and NumPy's zip64 field") {
  const std::string bytes = deflated_archive("x.npy", kGolden);
  const NamedTensors tensors = read_npz(ByteSource::memory("t", bytes));
  REQUIRE(tensors.size() == 1);
  CHECK(tensors[0].first == "x");
  CHECK(tensors[0].second.to_vector<int32_t>() == std::vector<int32_t>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("npz: every truncation, everything behind the end, and every flipped bit of the data") {
  const std::string stored = encode_npz({{"x", npy(kGolden)}, {"y", Tensor::arange(2, float32)}});
  const std::string deflated = deflated_archive("x.npy", kGolden);
  check_strict(kReadNpz, stored);
  check_strict(kReadNpz, deflated);
  for (size_t i = stored.find(kGolden); i < stored.find(kGolden) + kGolden.size(); ++i) {
    std::string bytes = stored;
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
    refusal(kReadNpz, bytes);
  }
}

TEST_CASE("npz: what is not an archive of arrays is refused by name") {
  CHECK(contains(refusal(kReadNpz, deflated_archive("x.txt", kGolden)), "got 'x.txt'"));
  CHECK(contains(refusal(kReadNpz, deflated_archive("x.npy", "hello")), "t (x.npy): at byte 0 (unpacked)"));
  CHECK(contains(refusal(kReadNpz, std::string(100, 'x')), "end record"));
  std::string encrypted = deflated_archive("x.npy", kGolden);
  encrypted[encrypted.find("PK\1\2") + 8] = 1;
  CHECK(contains(refusal(kReadNpz, encrypted), "encrypted"));
  std::string method = deflated_archive("x.npy", kGolden);
  method[method.find("PK\1\2") + 10] = 12;
  CHECK(contains(refusal(kReadNpz, method), "got 12"));
  std::string crc = deflated_archive("x.npy", kGolden);
  crc[crc.find("PK\1\2") + 16] = static_cast<char>(crc[crc.find("PK\1\2") + 16] + 1);
  CHECK(contains(refusal(kReadNpz, crc), "as the zip directory describes it"));
  std::string size = deflated_archive("x.npy", kGolden);
  size[size.find("PK\1\2") + 27] = '\x7f';
  CHECK(contains(refusal(kReadNpz, size), "bytes, got 152"));
}

TEST_CASE("npz: repeated names and members inside each other are refused") {
  std::string twice = encode_npz({{"x", npy(kGolden)}, {"y", npy(kGolden)}});
  twice[twice.rfind("y.npy")] = 'x';
  CHECK(contains(refusal(kReadNpz, twice), "expected each name once"));

  // The elements of x are a whole member y, to which the directory points: the way of the zip bomb.
  const std::string inner = encode_npz({{"y", npy(kGolden)}});
  const size_t inner_directory = inner.find("PK\1\2"), inner_end = inner.find("PK\5\6");
  const std::string member = inner.substr(0, inner_directory);
  const std::string outer =
      encode_npz({{"x", Tensor::from(std::vector<uint8_t>(member.begin(), member.end()))}});
  const size_t directory = outer.rfind("PK\1\2"), end = outer.rfind("PK\5\6");
  std::string entry = inner.substr(inner_directory, inner_end - inner_directory), place;
  put(place, outer.find(member), 4);
  entry.replace(42, 4, place);
  std::string bytes = outer.substr(0, end) + entry;
  const size_t length = bytes.size() - directory;
  put(bytes, 0x06054b50, 4);
  put(bytes, 0, 4), put(bytes, 2, 2), put(bytes, 2, 2), put(bytes, length, 4), put(bytes, directory, 4);
  put(bytes, 0, 2);
  CHECK(contains(refusal(kReadNpz, bytes), "members 'x.npy' and 'y.npy' overlap"));
}
