// What the tests of the file readers share: the attempts that every reader must refuse.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/allocator.h"
#include "core/error.h"
#include "data/reader.h"
#include "doctest/doctest.h"
#include "tests/data/packing.h"
#include "tests/temporary_folder.h"

namespace tenon::test {

/// A reader under test: gets the bytes of a file called "t".
using ReadBytes = std::function<void(std::string_view)>;

/// The message of the Error that reading `bytes` throws; fails the test, and returns "", if none is thrown.
inline std::string refusal(const ReadBytes& read, std::string_view bytes) {
  try {
    read(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  FAIL_CHECK("bytes that should be refused were read");
  return "";
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Each beginning of `whole`, and `whole` with a byte behind it, must be refused by an Error that names the
/// file. What is read may cost no more tensor memory than 4 times the whole file and a constant.
inline void check_strict(const ReadBytes& read, const std::string& whole) {
  CHECK_NOTHROW(read(whole));
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  for (size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    // A copy of the exact length, so that the address sanitizer sees a read past it.
    const std::string beginning(whole, 0, length);
    CHECK(contains(refusal(read, beginning), "t: "));
  }
  CHECK(contains(refusal(read, whole + '\0'), "t: "));
  CHECK(contains(refusal(read, whole + whole), "t: "));
  CHECK(memory_stats().peak_bytes - before <= 4 * whole.size() + 4096);
}

}  // namespace tenon::test
