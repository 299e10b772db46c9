// JSON values: what configurations, logs, results and the safetensors header are made of.
//
// A small value type of our own. The parser behind it (nlohmann/json) is included in core/json.cpp alone,
// because its header costs seconds in every file that sees it. Reading is strict: RFC 8259, valid UTF-8, no
// duplicate keys, no integer that does not fit, bounded nesting; an error names the source and the byte
// offset.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tenon {

struct JsonMember;
class JsonBuilder;

/// One JSON value. Integers (int64) and reals (double) are kept apart: `3` reads as an integer, `3.0` as a
/// real, and both are written back as they came. Objects keep the order in which their members were inserted.
///
/// @code
///   Json line = Json::object({{"epoch", 3}, {"loss", 0.125}});
///   line["arm"] = "hs";
///   line.dump();                     // {"epoch":3,"loss":0.125,"arm":"hs"}
///   line.at("epoch").as_integer();   // 3
/// @endcode
class Json {
 public:
  enum class Kind { kNull, kBool, kInteger, kReal, kString, kArray, kObject };

  /// Nesting deeper than this is refused when reading and when writing.
  static constexpr int kMaxDepth = 64;

  Json();  ///< null
  Json(std::nullptr_t);
  template <std::same_as<bool> T>
  Json(T value) : value_(value) {}
  /// @throws Error if an unsigned value is above the largest int64.
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T value) : value_(checked_integer(value)) {}
  template <std::floating_point T>
  Json(T value) : value_(std::in_place_type<double>, value) {}
  Json(const char* text);
  Json(std::string_view text);
  Json(std::string text);

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json array();
  static Json array(std::initializer_list<Json> items);
  /// An array of the elements of any range whose elements convert to Json.
  template <typename Range>
  static Json array_of(const Range& range) {
    Json result = array();
    for (const auto& item : range) result.push_back(Json(item));
    return result;
  }
  static Json object();
  /// @throws Error on a duplicate key.
  static Json object(std::initializer_list<std::pair<std::string, Json>> members);

  /// Reads one JSON text. `source` (a file name, usually) opens every error message.
  /// @throws Error with source, byte offset and what was wrong.
  static Json parse(std::string_view text, std::string_view source);

  /// Reads a file of at most `max_bytes`. @throws Error as parse(), and if the file cannot be read or is too
  /// long.
  static Json read_file(const std::filesystem::path& path,
                        std::uintmax_t max_bytes = std::uintmax_t{1} << 28);

  /// The value as text: on one line, or indented by `indent` spaces a level when that is >= 0. Reals are
  /// written with the fewest digits that read back to the same double; NaN and infinities, which JSON lacks,
  /// become null.
  /// @throws Error if a string is not UTF-8 or the nesting exceeds kMaxDepth.
  std::string dump(int indent = -1) const;

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_bool() const { return kind() == Kind::kBool; }
  bool is_integer() const { return kind() == Kind::kInteger; }
  bool is_real() const { return kind() == Kind::kReal; }
  bool is_number() const { return is_integer() || is_real(); }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }

  // Each of these throws Error, naming the kind that was expected and the one that is there.
  bool as_bool() const;
  std::int64_t as_integer() const;
  double as_real() const;  ///< an integer or a real
  const std::string& as_string() const;
  const std::vector<Json>& items() const;          ///< elements of an array
  const std::vector<JsonMember>& members() const;  ///< members of an object, in order of insertion

  /// Number of elements of an array or members of an object. @throws Error for other kinds.
  std::size_t size() const;

  /// The member called `key`, or nullptr. @throws Error if this is no object.
  const Json* find(std::string_view key) const;
  /// The member called `key`. @throws Error if this is no object or has no such member.
  const Json& at(std::string_view key) const;
  /// Element `index` of an array. @throws Error if this is no array or is shorter.
  const Json& at(std::size_t index) const;
  /// The member called `key`, added as null when absent; null itself becomes an object first.
  Json& operator[](std::string_view key);
  /// Appends to an array; null itself becomes an array first.
  void push_back(Json item);

  /// Same kinds, same values, same order of members.
  friend bool operator==(const Json& a, const Json& b);

 private:
  friend class JsonBuilder;

  template <std::integral T>
  static std::int64_t checked_integer(T value) {
    if (!std::in_range<std::int64_t>(value)) fail_integer_range();
    return static_cast<std::int64_t>(value);
  }
  [[noreturn]] static void fail_integer_range();
  void expect(Kind wanted) const;

  // The order of the alternatives is the order of Kind.
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, std::vector<Json>,
               std::vector<JsonMember>>
      value_;
};

/// A member of a JSON object.
struct JsonMember {
  std::string key;
  Json value;
};

/// "null", "bool", "integer", "real", "string", "array" or "object".
const char* kind_name(Json::Kind kind);

}  // namespace tenon
