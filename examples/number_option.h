// Numbers on the command line of an example.
#pragma once

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

namespace tenon {

/// The number behind `option` in argv[i + 1], to which i moves on. Prints what is wrong to stderr and returns false if there
/// is none of at least `least`.
inline bool read_number(const char* program, int argc, char** argv, int& i, int64_t least, int64_t& number) {
  const std::string option = argv[i];
  const char* text = i + 1 < argc ? argv[++i] : "";
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  if (error == std::errc() && stop == end && number >= least) return true;
  std::fprintf(stderr, "%s: %s expects a number of at least %ld, got '%s'\n", program, option.c_str(),
               static_cast<long>(least), text);
  return false;
}

}  // namespace tenon
