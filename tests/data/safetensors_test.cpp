// safetensors: golden bytes, round trips, and every way in which a header can lie.
#include "data/safetensors.h"

#include "core/atomic_file.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

Safetensors read(std::string_view bytes) { return read_safetensors(ByteSource::memory("t", bytes)); }
const ReadBytes kRead = [](std::string_view bytes) { read(bytes); };

// A file of this header and these elements.
std::string file_of(const std::string& header, const std::string& elements) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(uint64_t{header.size()} >> (8 * i));
  return out + header + elements;
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return file_of(
      R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
      "12345678");
}

const std::string kGolden =
    file_of(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2],"data_offsets":[8,10]},)"
            R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}  )",
            std::string("\0\0\x80\x3f\0\0\0\xc0\x07\x08", 10));

std::string written(const Safetensors& file) {
  TemporaryFolder folder;
  write_safetensors(folder.file("x"), file);
  FileReader in(folder.file("x"));
  return in.read_string(in.remaining(), "all");
}

}  // namespace

TEST_CASE("safetensors: golden bytes") {
  const Safetensors file = read(kGolden);
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].first == "b");
  CHECK(file.at("b").to_vector<uint8_t>() == std::vector<uint8_t>{7, 8});
  CHECK(file.at("w").shape() == Shape{1, 2});
  CHECK(file.at("w").to_vector<float>() == std::vector<float>{1, -2});
  REQUIRE(file.find_metadata("format"));
  CHECK(*file.find_metadata("format") == "pt");
  CHECK(file.find_metadata("other") == nullptr);
  CHECK_THROWS_WITH_AS(file.at("x"), "safetensors: no tensor 'x'", Error);
  CHECK(read(written(file)).at("w").to_vector<float>() == std::vector<float>{1, -2});
}

TEST_CASE("safetensors: every dtype, views, empty tensors, awkward names, and aligned elements") {
  const Safetensors file{
      {{"u8", Tensor::from(std::vector<uint8_t>{1, 2, 3})},
       {"f64", Tensor::from(std::vector<double>{1e300})},
       {"a \"quoted\" name.\xc3\xa4", Tensor::from(std::vector<int64_t>{INT64_MIN, 5}, {2, 1})},
       {"i32", Tensor::from(std::vector<int32_t>{-1, 2, 3, 4, 5, 6}, {2, 3}).t()},
       {"none", Tensor::empty({0, 3})},
       {"f32", Tensor::scalar(0.1)}},
      {{"step", "12"}, {"", "\n\""}}};
  const std::string bytes = written(file);
  CHECK(written(file) == bytes);
  const Safetensors back = read(bytes);
  CHECK(back.metadata == file.metadata);
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = file.tensors[i];
    CHECK(back.tensors[i].first == name);
    CHECK(back.tensors[i].second.dtype() == tensor.dtype());
    CHECK(back.tensors[i].second.shape() == tensor.shape());
    visit_dtype(tensor.dtype(), [&, i](auto tag) {
      using T = decltype(tag);
      CHECK(back.tensors[i].second.to_vector<T>() == file.tensors[i].second.to_vector<T>());
    });
  }
  CHECK(read(written({})).tensors.empty());
}

TEST_CASE("safetensors: every truncation and everything behind the end is refused") {
  check_strict(kRead, kGolden);
  check_strict(kRead, written({{{"x", Tensor::arange(3)}}, {}}));
}

TEST_CASE("safetensors: lies about one tensor") {
  CHECK_NOTHROW(read(one("F32", "[2]", "[0,8]")));
  CHECK(
      contains(refusal(kRead, one("BF16", "[4]", "[0,8]")), "t: at byte 8: tensor 'w': expected dtype F32"));
  CHECK(contains(refusal(kRead, one("F32", "[3]", "[0,8]")), "expected the bytes of float32 [3]"));
  CHECK(contains(refusal(kRead, one("F32", "[3]", "[0,12]")), "expected 12 bytes of tensors, 8 are left"));
  CHECK(contains(refusal(kRead, one("F32", "[1]", "[0,4]")), "expected 4 bytes of tensors, 8 are left"));
  CHECK(contains(refusal(kRead, one("F32", "[1]", "[4,8]")), "begin at 0, where the one before ends, got 4"));
  CHECK(contains(refusal(kRead, one("F32", "[2]", "[8,0]")), "got data_offsets 8 to 0"));
  CHECK(contains(refusal(kRead, one("F32", "[-2]", "[0,8]")), "extents to be integers >= 0"));
  CHECK(contains(refusal(kRead, one("F32", "[2.0]", "[0,8]")), "extents to be integers >= 0"));
  CHECK(contains(refusal(kRead, one("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]")), "at most 8 axes, got 9"));
  CHECK(contains(refusal(kRead, one("F32", "[2]", "[0]")), "data_offsets an array of two"));
  CHECK(contains(refusal(kRead, one("F32", "2", "[0,8]")), "shape an array"));
  CHECK(contains(refusal(kRead, one("F32", "[2],\"more\":1", "[0,8]")), "expected an object of dtype"));
  CHECK(contains(refusal(kRead, one("F32", "[9223372036854775807,2,0]", "[0,0]")), "expected the bytes of"));
}

TEST_CASE("safetensors: overlaps, gaps and repeated names") {
  const auto two = [](const char* first, const char* second, const char* name) {
    return refusal(kRead,
                   file_of(concat(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)", first, R"(},")", name,
                                  R"(":{"dtype":"U8","shape":[4],"data_offsets":)", second, "}}"),
                           "12345678"));
  };
  CHECK(contains(two("[0,4]", "[2,6]", "b"), "tensor 'b': expected data_offsets that begin at 4"));
  CHECK(contains(two("[0,4]", "[0,4]", "b"), "begin at 4"));
  CHECK(contains(two("[0,4]", "[5,9]", "b"), "begin at 4"));
  CHECK(contains(two("[0,4]", "[4,8]", "a"), "duplicate key"));
}

TEST_CASE("safetensors: broken headers") {
  CHECK(contains(refusal(kRead, ""), "t: at byte 0: length of the safetensors header"));
  CHECK(
      contains(refusal(kRead, std::string(8, '\xff')), "at most 100000000 bytes, got 18446744073709551615"));
  CHECK(contains(refusal(kRead, file_of("", "")), "begins with '{'"));
  CHECK(contains(refusal(kRead, file_of(" {}", "")), "begins with '{'"));
  CHECK(contains(refusal(kRead, file_of("{", "")), "t: header from byte 8"));
  CHECK(contains(refusal(kRead, file_of("{} x", "")), "t: header from byte 8"));
  CHECK(contains(refusal(kRead, file_of(R"({"w":1})", "")), "expected an object of dtype"));
  CHECK(contains(refusal(kRead, file_of(R"({"__metadata__":1})", "")), "__metadata__: expected an object"));
  CHECK(contains(refusal(kRead, file_of(R"({"__metadata__":{"a":1}})", "")), "expected text for 'a'"));
  CHECK(contains(refusal(kRead, file_of(std::string(100000, '['), "")), "begins with '{'"));
  refusal(kRead, file_of(R"({"a":)" + std::string(100000, '['), ""));
}

TEST_CASE("safetensors: a header whose length begins like gzip is no gzip") {
  std::string header = R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  header.resize(0x8b1f, ' ');
  CHECK(read(file_of(header, "x")).at("w").item() == 'x');
}

TEST_CASE("safetensors: what cannot be written is refused and leaves the old file") {
  TemporaryFolder folder;
  const std::string path = folder.file("x");
  write_safetensors(path, {{{"a", Tensor::arange(1)}}, {}});
  CHECK_THROWS_AS(write_safetensors(path, {{{"a", Tensor::arange(1)}, {"a", Tensor::arange(2)}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"__metadata__", Tensor::arange(1)}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"a", Tensor()}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"\xff", Tensor::arange(1)}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{}, {{"a", "1"}, {"a", "2"}}}), Error);
  CHECK_THROWS_AS(write_safetensors(folder.file("no/x"), {}), Error);
  CHECK(read_safetensors(path).at("a").numel() == 1);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
