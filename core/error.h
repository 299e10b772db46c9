// Errors. Every refusal in Tenon is a thrown `Error` whose message names the op or file, what was expected
// and what came. The library never prints and never exits.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tenon {

/// The one exception type of the library.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message) {}
};

/// Thrown when an allocation would exceed the memory limit or the machine; the process lives on.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

enum class DType : uint8_t;

namespace detail {
// One overload a kind of message part. Types of the project (Dims, DType, Device) have a `str()` found by the
// template below; this keeps <sstream> out of every translation unit.
inline void append(std::string& out, std::string_view part) { out += part; }
inline void append(std::string& out, const char* part) { out += part; }
inline void append(std::string& out, const std::string& part) { out += part; }
inline void append(std::string& out, char part) { out += part; }
inline void append(std::string& out, bool part) { out += part ? "true" : "false"; }
template <class T>
requires std::is_integral_v<T>
void append(std::string& out, T part) { out += std::to_string(part); }
void append(std::string& out, double part);  // shortest form that reads back ("%.9g")
inline void append(std::string& out, float part) { append(out, static_cast<double>(part)); }
void append(std::string& out, DType part);  // defined in core/dtype.h
template <class T>
requires requires(const T& t) { t.str(); }
void append(std::string& out, const T& part) { out += part.str(); }
}  // namespace detail

/// Joins strings, numbers, shapes, dtypes and devices into one string.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

/// Throws Error with the joined parts.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(concat(parts...));
}

}  // namespace tenon

/// TENON_CHECK(condition, "conv2d: weight expects ", n, " input channels, input has ", m): throws Error if
/// false.
#define TENON_CHECK(condition, ...) \
  do {                              \
    if (!(condition)) [[unlikely]]  \
      ::tenon::fail(__VA_ARGS__);   \
  } while (false)
