// The one file that includes nlohmann/json: its SAX parser feeds our values, its serialiser writes them.
#include "core/json.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.h"

namespace tenon {

namespace {

// A forward iterator over the text that tells the builder how far the parser has read, so that the builder's
// own refusals can name the offset too.
struct CountingIterator {
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* position = nullptr;
  const char** reached = nullptr;

  reference operator*() const { return *position; }
  CountingIterator& operator++() {
    *reached = ++position;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return position == other.position; }
};

}  // namespace

// Builds a Json from the parser's events. The open containers are held by value on a stack and moved into
// their parent when they close, so nothing recurses on the input's nesting.
class JsonBuilder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  JsonBuilder(std::string_view source, const char* begin) : source_(source), begin_(begin), reached_(begin) {}

  const char** reached() { return &reached_; }
  Json take() { return std::move(root_); }

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(number_integer_t value) { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) refuse_integer();
    return add(Json(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& literal) {
    // An integer too long for 64 bits arrives here, rounded.
    if (literal.find_first_of(".eE") == std::string::npos) refuse_integer();
    return add(Json(value));
  }
  bool string(string_t& value) { return add(Json(std::move(value))); }
  bool binary(binary_t&) { return false; }  // not part of JSON text; never called

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(string_t& key) {
    if (!open_.back().keys.insert(key).second) refuse("duplicate key \"", key, "\"");
    open_.back().key = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ..."
    std::string_view text = error.what();
    text.remove_prefix(text.find("] ") + 2);
    if (text.starts_with("parse error")) text.remove_prefix(text.find(": ") + 2);
    fail(source_, ": byte ", position > 0 ? position - 1 : 0, ": not JSON: ", text);
  }

 private:
  struct Level {
    Json container;
    std::string key;                       // of the member being read
    std::unordered_set<std::string> keys;  // all so far: Json::find() for each new key would be quadratic
  };

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) {
    // The parser has read one character past a token when it reports it; the offset points into the token.
    const std::ptrdiff_t read = reached_ - begin_;
    fail(source_, ": byte ", read > 0 ? read - 1 : 0, ": ", parts...);
  }
  [[noreturn]] void refuse_integer() { refuse("expected an integer that fits 64 bits"); }

  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = open_.back(); level.container.is_array()) {
      level.container.push_back(std::move(value));
    } else {
      members_of(level.container).push_back({std::move(level.key), std::move(value)});
    }
    return true;
  }
  bool open(Json container) {
    if (open_.size() == static_cast<std::size_t>(Json::kMaxDepth)) {
      refuse("nesting deeper than ", Json::kMaxDepth, " levels");
    }
    open_.push_back({std::move(container), {}, {}});
    return true;
  }
  bool close() {
    Json container = std::move(open_.back().container);
    open_.pop_back();
    return add(std::move(container));
  }

  static std::vector<JsonMember>& members_of(Json& object) {
    return std::get<std::vector<JsonMember>>(object.value_);
  }

  std::string_view source_;
  const char* begin_;
  const char* reached_;
  std::vector<Level> open_;
  Json root_;
};

namespace {

nlohmann::ordered_json to_library(const Json& value, int depth) {
  const bool container = value.is_array() || value.is_object();
  TENON_CHECK(!container || depth < Json::kMaxDepth, "json: nesting deeper than ", Json::kMaxDepth,
              " levels");
  switch (value.kind()) {
    case Json::Kind::kNull:
      return nullptr;
    case Json::Kind::kBool:
      return value.as_bool();
    case Json::Kind::kInteger:
      return value.as_integer();
    case Json::Kind::kReal:
      return value.as_real();
    case Json::Kind::kString:
      return value.as_string();
    case Json::Kind::kArray: {
      auto array = nlohmann::ordered_json::array();
      for (const Json& item : value.items()) array.push_back(to_library(item, depth + 1));
      return array;
    }
    case Json::Kind::kObject: {
      auto object = nlohmann::ordered_json::object();
      for (const auto& [key, member] : value.members()) object.emplace(key, to_library(member, depth + 1));
      return object;
    }
  }
  fail("json: a value of unknown kind");
}

const char* const kKindNames[] = {"null", "bool", "integer", "real", "string", "array", "object"};

}  // namespace

const char* kind_name(Json::Kind kind) { return kKindNames[static_cast<int>(kind)]; }

Json::Json() : value_(nullptr) {}
Json::Json(std::nullptr_t) : value_(nullptr) {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::array() { return array({}); }

Json Json::array(std::initializer_list<Json> items) {
  Json result;
  result.value_ = std::vector<Json>(items);
  return result;
}

Json Json::object() { return object({}); }

Json Json::object(std::initializer_list<std::pair<std::string, Json>> members) {
  Json result;
  result.value_ = std::vector<JsonMember>();
  for (const auto& [key, value] : members) {
    TENON_CHECK(result.find(key) == nullptr, "json: duplicate key \"", key, "\"");
    result[key] = value;
  }
  return result;
}

Json Json::parse(std::string_view text, std::string_view source) {
  JsonBuilder builder(source, text.data());
  const CountingIterator begin{text.data(), builder.reached()};
  const CountingIterator end{text.data() + text.size(), builder.reached()};
  if (!nlohmann::json::sax_parse(begin, end, &builder)) fail(source, ": not JSON");
  return builder.take();
}

Json Json::read_file(const std::filesystem::path& path, std::uintmax_t max_bytes) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  TENON_CHECK(!error, path.string(), ": cannot be read: ", error.message());
  TENON_CHECK(size <= max_bytes, path.string(), ": ", size, " bytes, at most ", max_bytes, " expected");
  std::string text(static_cast<std::size_t>(size), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(size));
  TENON_CHECK(file.good() || size == 0, path.string(), ": cannot be read: got ", file.gcount(), " of ", size,
              " bytes");
  return parse(text, path.string());
}

std::string Json::dump(int indent) const {
  try {
    return to_library(*this, 0).dump(indent);
  } catch (const nlohmann::json::exception&) {
    fail("json: a string that is not valid UTF-8 cannot be written");
  }
}

void Json::fail_integer_range() { fail("json: expected an integer that fits a signed 64-bit integer"); }

void Json::expect(Kind wanted) const {
  TENON_CHECK(kind() == wanted, "json: expected ", kind_name(wanted), ", got ", kind_name(kind()));
}

bool Json::as_bool() const {
  expect(Kind::kBool);
  return std::get<bool>(value_);
}

std::int64_t Json::as_integer() const {
  expect(Kind::kInteger);
  return std::get<std::int64_t>(value_);
}

double Json::as_real() const {
  if (is_integer()) return static_cast<double>(as_integer());
  expect(Kind::kReal);
  return std::get<double>(value_);
}

const std::string& Json::as_string() const {
  expect(Kind::kString);
  return std::get<std::string>(value_);
}

const std::vector<Json>& Json::items() const {
  expect(Kind::kArray);
  return std::get<std::vector<Json>>(value_);
}

const std::vector<JsonMember>& Json::members() const {
  expect(Kind::kObject);
  return std::get<std::vector<JsonMember>>(value_);
}

std::size_t Json::size() const { return is_array() ? items().size() : members().size(); }

const Json* Json::find(std::string_view key) const {
  for (const JsonMember& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  const Json* found = find(key);
  TENON_CHECK(found != nullptr, "json: no member \"", key, "\"");
  return *found;
}

const Json& Json::at(std::size_t index) const {
  TENON_CHECK(index < items().size(), "json: no element ", index, " in an array of ", items().size());
  return items()[index];
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) *this = object();
  expect(Kind::kObject);
  auto& members = std::get<std::vector<JsonMember>>(value_);
  for (JsonMember& member : members) {
    if (member.key == key) return member.value;
  }
  return members.emplace_back(JsonMember{std::string(key), Json()}).value;
}

void Json::push_back(Json item) {
  if (is_null()) *this = array();
  expect(Kind::kArray);
  std::get<std::vector<Json>>(value_).push_back(std::move(item));
}

bool operator==(const Json& a, const Json& b) {
  if (a.kind() != b.kind()) return false;
  if (!a.is_object()) {
    switch (a.kind()) {
      case Json::Kind::kBool:
        return a.as_bool() == b.as_bool();
      case Json::Kind::kInteger:
        return a.as_integer() == b.as_integer();
      case Json::Kind::kReal:
        return a.as_real() == b.as_real();
      case Json::Kind::kString:
        return a.as_string() == b.as_string();
      case Json::Kind::kArray:
        return a.items() == b.items();
      default:
        return true;  // null
    }
  }
  return std::ranges::equal(a.members(), b.members(), [](const JsonMember& x, const JsonMember& y) {
    return x.key == y.key && x.value == y.value;
  });
}

}  // namespace tenon
