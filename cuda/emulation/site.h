// The source line of a call, for the reports of the emulation. std::source_location would do, but clang-tidy 14 cannot
// read libstdc++ 12's.
#pragma once

namespace tenon::cuda::emulation {

struct Site {
  const char* file = "";
  unsigned line = 0;
  /// As a default argument: the line of the call.
  static constexpr Site current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace tenon::cuda::emulation
