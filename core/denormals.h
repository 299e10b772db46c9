// Denormals, numbers below 2^-126 that processors compute with at a hundredth of their speed, as zeros.
#pragma once

#include <cstdint>

namespace tenon {

/// While it lives, results and operands that are denormal count as 0 on the calling thread, and on the threads of
/// parallel loops that it starts. What a network computes does not depend on numbers so small; how long it takes
/// does: moments of Adam that fade away pass through them. Does nothing where there is no SSE2.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint32_t before_;
};

namespace detail {
/// How the calling thread rounds and flushes.
uint32_t float_mode();
void set_float_mode(uint32_t mode);
}  // namespace detail

}  // namespace tenon
