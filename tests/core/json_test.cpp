// JSON values: round trips, the order of members, and the strictness of the reader.
#include "core/json.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <random>

#include "core/error.h"
#include "doctest/doctest.h"
#include "tests/seed.h"
#include "tests/temporary_folder.h"

using namespace tenon;

namespace {

std::string refusal(std::string_view text) {
  try {
    Json::parse(text, "t.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "was read";
}

// A random value; containers only while `depth` > 0.
Json random_json(std::mt19937_64& random, int depth) {
  switch (random() % (depth > 0 ? 7 : 5)) {
    case 0:
      return Json();
    case 1:
      return Json(random() % 2 == 0);
    case 2:
      return Json(static_cast<std::int64_t>(random()));
    case 3:
      return Json(std::ldexp(static_cast<double>(static_cast<std::int64_t>(random())),
                             static_cast<int>(random() % 400) - 200));
    case 4: {
      static constexpr const char* kParts[] = {"a", "\"", "\\", "\n", "\x01", "é", "漢", "😀", "/"};
      std::string text;
      for (std::size_t i = random() % 6; i > 0; --i) text += kParts[random() % std::size(kParts)];
      return Json(text);
    }
    case 5: {
      Json array = Json::array();
      for (std::size_t i = random() % 4; i > 0; --i) array.push_back(random_json(random, depth - 1));
      return array;
    }
    default: {
      Json object = Json::object();
      for (std::size_t i = random() % 4; i > 0; --i)
        object[std::to_string(random() % 100)] = random_json(random, depth - 1);
      return object;
    }
  }
}

}  // namespace

TEST_CASE("json: random values are read back as they were written") {
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < 500; ++i) {
    const Json value = random_json(random, 5);
    CHECK(Json::parse(value.dump(), "t.json") == value);
    CHECK(Json::parse(value.dump(2), "t.json") == value);
  }
}

TEST_CASE("json: integers and reals stay apart, members keep their order") {
  const Json value =
      Json::parse(R"({"z": 3, "a": 3.0, "m": [1e3, -9223372036854775808, null, true]})", "t.json");
  CHECK(value.at("z").is_integer());
  CHECK(value.at("a").is_real());
  CHECK(value.at("a").as_real() == 3.0);
  CHECK(value.at("z").as_real() == 3.0);
  CHECK_THROWS_AS(value.at("a").as_integer(), Error);
  CHECK(value.at("m").at(std::size_t{1}).as_integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(value.dump() == R"({"z":3,"a":3.0,"m":[1000.0,-9223372036854775808,null,true]})");
  CHECK(Json(3) != Json(3.0));
  CHECK_THROWS_AS(Json(std::uint64_t{1} << 63), Error);
}

TEST_CASE("json: what is not JSON is refused with source and byte offset") {
  struct Refused {
    const char* text;
    const char* message;
  };
  const Refused cases[] = {
      {"", "t.json: byte 0: "},
      {"[1,2,", "t.json: byte 5: "},
      {"[1] 2", "t.json: byte 4: "},
      {"[1,]", "t.json: byte 3: "},
      {"{'a':1}", "t.json: byte 1: "},
      {"[NaN]", "t.json: byte 1: "},
      {"[01]", "t.json: byte 2: "},
      {"[1e999]", "t.json: byte 5: "},
      {"[\"\xff\"]", "t.json: byte 2: "},
      {"// comment\n1", "t.json: byte 0: "},
      {R"({"a":1,"b":{"a":2,"a":3}})", "duplicate key \"a\""},
      {"[9223372036854775808]", "expected an integer that fits 64 bits"},
      {"[-9223372036854775809]", "expected an integer that fits 64 bits"},
      {"[123456789012345678901234567890]", "expected an integer that fits 64 bits"},
  };
  for (const Refused& refused : cases) {
    CAPTURE(refused.text);
    CHECK(refusal(refused.text).find(refused.message) != std::string::npos);
    CHECK(refusal(refused.text).starts_with("t.json: byte "));
  }
}

TEST_CASE("json: every beginning of a text is refused") {
  const std::string whole = R"({"a": [1, -2.5e-3, "x\u00e9\ud83d\ude00", true, null], "b": {"c": {}}})";
  CHECK_NOTHROW(Json::parse(whole, "t.json"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(refusal(whole.substr(0, length)).starts_with("t.json: byte "));
  }
}

TEST_CASE("json: nesting is bounded alike in reading and in writing") {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  Json deepest = Json::parse(nested(Json::kMaxDepth), "t.json");
  CHECK(deepest.dump() == nested(Json::kMaxDepth));
  CHECK(refusal(nested(Json::kMaxDepth + 1)) == "t.json: byte 64: nesting deeper than 64 levels");
  CHECK(refusal(std::string(1'000'000, '[')) == "t.json: byte 64: nesting deeper than 64 levels");
  CHECK_THROWS_AS(Json::array({deepest}).dump(), Error);
}

TEST_CASE("json: many keys are read in reasonable time") {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":0";
  CHECK(Json::parse(text + "}", "t.json").size() == 200'000);  // minutes if it were quadratic
}

TEST_CASE("json: a wrong kind or a missing member is named") {
  const Json value = Json::object({{"a", 1}});
  CHECK_THROWS_WITH_AS(value.at("b"), "json: no member \"b\"", Error);
  CHECK_THROWS_WITH_AS(value.at("a").as_string(), "json: expected string, got integer", Error);
  CHECK_THROWS_WITH_AS(value.items(), "json: expected array, got object", Error);
  CHECK_THROWS_AS(Json::array({1}).at(std::size_t{1}), Error);
  CHECK_THROWS_AS(Json::object({{"a", 1}, {"a", 2}}), Error);
  CHECK(value.find("b") == nullptr);
}

TEST_CASE("json: NaN and infinities are written as null, broken UTF-8 not at all") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(Json::array({std::nan(""), infinity, -infinity, 0.1}).dump() == "[null,null,null,0.1]");
  CHECK_THROWS_AS(Json("\xff").dump(), Error);
}

TEST_CASE("json: a file is read whole, a missing or too long one is refused by name") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "a.json") << "{\"a\": 1}\n";
  CHECK(Json::read_file(folder.path() / "a.json") == Json::object({{"a", 1}}));
  CHECK_THROWS_AS(Json::read_file(folder.path() / "a.json", 3), Error);
  try {
    Json::read_file(folder.path() / "absent.json");
    FAIL("an absent file was read");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("absent.json: cannot be read") != std::string::npos);
  }
}
